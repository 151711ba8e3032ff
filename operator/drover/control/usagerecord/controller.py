"""UsageRecord: takes what ended, gathered, and is kept when it or its namespace is deleted.

::

    created with its finalizer --> Open --deleted--> its estate takes the sums over --confirmed--> released
                                   ^  |
                                   +--+ once a minute, once a second while something deleted waits: entries added
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from drover.api.meta import FINALIZER, AnyResource, Key
from drover.api.network import Network
from drover.api.usagerecord import UsageRecord
from drover.api.virtualmachine import VirtualMachine
from drover.api.volume import Volume
from drover.control.conditions import derive, true
from drover.control.metering.archive import added
from drover.control.metering.daily import rows_of_sums, sums_of_record
from drover.control.metering.holders import usage_of
from drover.control.metering.placing import estate_of, is_closed, is_estate, new_record, records_for
from drover.control.outcome import Controller, Create, Outcome, Watch
from drover.control.usagerecord.folding import Due, due, kept, latest, totals_of
from drover.control.world import World

PERIOD = timedelta(minutes=1)
"""Between two writes of a record."""
URGENT_PERIOD = timedelta(seconds=1)
"""While something that is being deleted waits for it."""
GATHER_SECONDS = 0.25
"""What ends together is added together."""


def reconcile(record: UsageRecord, world: World, now: datetime) -> Outcome:
    if record.deleting:
        return _retire(record, world)
    if not is_estate(record) and FINALIZER not in record.metadata.finalizers:
        return Outcome(protect=True)
    waits = due(record, world)
    if not waits.settled and record.status.phase is not None:
        return Outcome()
    again = _next_write(record, waits, now)
    return Outcome(requeue_at=again) if now < again else _added(record, waits, world, now)


def _next_write(record: UsageRecord, waits: Due, now: datetime) -> datetime:
    before = record.status.last_update_time
    if before is None or before > now:  # an earlier leader's clock may have been ahead
        return now
    return before + (URGENT_PERIOD if waits.urgent else PERIOD)


def _added(record: UsageRecord, waits: Due, world: World, now: datetime) -> Outcome:
    rows = rows_of_sums(sums_of_record(record) + waits.sums)
    status = derive(
        record,
        now,
        phase="Open",
        verdicts=(true("Ready", "Recorded", "what has ended is in the sums within a minute"),),
        sums=rows,
        totals=totals_of(rows),
        settled=latest(kept(record, world), waits.settled),
        archive=added(record.status.archive, waits.archive),
        last_update_time=now,
    )
    return Outcome(status=status)


def _retire(record: UsageRecord, world: World) -> Outcome:
    """The estate takes over, then the record may go. An estate itself just goes."""
    if is_estate(record) or is_closed(world) or not (record.status.sums or record.status.settled):
        return Outcome(protect=False)
    key = estate_of(world, record.namespace, record.spec.month)
    estate = cast("UsageRecord | None", world.confirmed(key))
    if estate is None:
        return Outcome(children=(Create(new_record(key, record.namespace, record.spec.month)),))
    return Outcome(protect=False) if record.uid in estate.status.settled else Outcome()


def _fed_by(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """The records of an object whose ended intervals, or whose haste, have changed."""
    if after is None or (before is not None and _face(before) == _face(after)):
        return []
    usage = usage_of(after)
    return records_for(world, after.namespace, usage.pending) if usage is not None else []


def _face(resource: AnyResource) -> object:
    usage = usage_of(resource)
    return (usage.pending, usage.open is None, resource.deleting) if usage is not None else None


def _partner(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """The estate of a record that is being deleted, and the record that an estate takes over from."""
    record = cast("UsageRecord", after if after is not None else before)
    if is_estate(record):
        return [Key(UsageRecord.KIND, record.of, record.spec.month)]
    return [estate_of(world, record.of, record.spec.month)] if record.deleting else []


CONTROLLER = Controller(
    kind=UsageRecord.KIND,
    reconcile=reconcile,
    watches=(
        *(Watch(kind, _fed_by, after=GATHER_SECONDS) for kind in (VirtualMachine.KIND, Volume.KIND, Network.KIND)),
        Watch(UsageRecord.KIND, _partner),
    ),
)
