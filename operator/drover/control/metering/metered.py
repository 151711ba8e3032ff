"""Around the controller of what is metered: entries are dropped once settled, and nothing goes before it is settled.

An entry that records have taken is dropped with the object's next PATCH, whatever that is for, and costs none of its
own. Only where a record has to name very many objects at rest is it dropped for its own sake, to keep the record short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import cast

from drover.api.meta import AnyResource, Key, Status
from drover.api.usage import MeteredUsage
from drover.api.usagerecord import UsageRecord
from drover.api.virtualmachine import VirtualMachine, VirtualMachineStatus
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control import conditions
from drover.control.metering.charging import ended
from drover.control.metering.holders import usage_of
from drover.control.metering.pending import OFFERED, Pending, months_of
from drover.control.metering.placing import is_closed, missing_records, unsettled
from drover.control.outcome import Controller, Outcome, Watch
from drover.control.virtualmachine.usage import migrated
from drover.control.world import World

CROWD = 200
"""Objects that a record names as settled before those at rest drop their entries for its sake."""


def metered(controller: Controller) -> Controller:
    """The same controller, its objects' usage settled."""

    def reconcile(resource: AnyResource, world: World, now: datetime) -> Outcome:
        outcome = controller.reconcile(resource, world, now)
        if outcome.protect is False:
            return _leaving(resource, outcome, world, now)
        return _staying(resource, _with_sent(resource, outcome, world, now), world)

    watches = (*controller.watches, Watch(UsageRecord.KIND, _told_by(controller.kind)))
    return replace(controller, reconcile=reconcile, watches=watches)


def _staying(resource: AnyResource, outcome: Outcome, world: World) -> Outcome:
    status: Status = outcome.status if outcome.status is not None else resource.status
    usage = status.usage  # type: ignore[attr-defined]
    if usage is None or not usage.pending:
        return outcome
    waiting = unsettled(world, resource.namespace, resource.uid, usage.pending)
    children = (*outcome.children, *missing_records(world, resource.namespace, waiting))
    if waiting != usage.pending and (status != resource.status or _crowded(resource, usage.pending, world)):
        return replace(outcome, status=_with_pending(status, waiting), children=children)
    return replace(outcome, children=children)


def _with_sent(resource: AnyResource, outcome: Outcome, world: World, now: datetime) -> Outcome:
    """A VM whose migration is over is charged with what that has sent, whether it moved the VM or not."""
    if not isinstance(resource, VirtualMachine) or not isinstance(outcome.status, VirtualMachineStatus):
        return outcome
    name = _current(resource.status)
    if name is None or name == _current(outcome.status):
        return outcome
    migration = world.get(VirtualMachineMigration, resource.namespace, name)
    sent = _sent_by(migration) if migration is not None else 0
    usage = migrated(outcome.status.usage, now, sent)
    return replace(outcome, status=outcome.status.model_copy(update={"usage": usage}))


def _current(status: VirtualMachineStatus) -> str | None:
    return status.migration.current if status.migration is not None else None


def _sent_by(migration: VirtualMachineMigration) -> int:
    result, progress = migration.status.result, migration.status.progress
    if result is not None:
        return result.transferred_bytes
    return progress.processed_bytes if progress is not None else 0


def _leaving(resource: AnyResource, outcome: Outcome, world: World, now: datetime) -> Outcome:
    """Close what is open, see that all of it is in records, then let the object go."""
    usage = usage_of(resource)
    if usage is None:
        return outcome
    if isinstance(usage, MeteredUsage) and usage.open is not None:
        status = conditions.acknowledged(resource, now).model_copy(update={"usage": ended(usage, now)})
        return _staying(resource, Outcome(status=status), world)
    waiting = unsettled(world, resource.namespace, resource.uid, usage.pending)
    if not waiting or is_closed(world):
        return outcome
    children = tuple(missing_records(world, resource.namespace, waiting))
    if len(usage.pending) > OFFERED and waiting != usage.pending:
        return Outcome(status=_with_pending(resource.status, waiting), children=children)
    return Outcome(children=children)


def _with_pending(status: Status, pending: Pending) -> Status:
    usage = status.usage  # type: ignore[attr-defined]
    return status.model_copy(update={"usage": usage.model_copy(update={"pending": pending})})


def _crowded(resource: AnyResource, pending: Pending, world: World) -> bool:
    """Whether a record of these entries names very many objects."""
    months = {month for entry in pending for month in months_of(entry)}
    records = (record for month in months for record in world.usage.records_of(resource.namespace, month))
    return any(len(record.status.settled) > CROWD for record in records)


def _told_by(kind: str) -> Callable[[AnyResource | None, AnyResource | None, World], list[Key]]:
    """The objects of a kind that a record has news for: it has settled something of theirs, or is going."""

    def affected(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
        old, new = cast("UsageRecord | None", before), cast("UsageRecord | None", after)
        record = cast("UsageRecord", new if new is not None else old)
        waiting = [holder for holder in world.usage.waiting(record.of) if holder.key.kind == kind]
        if new is None or (old is not None and new.deleting != old.deleting):
            return [holder.key for holder in waiting]
        known = old.status.settled if old is not None else {}
        return [h.key for h in waiting if new.status.settled.get(h.uid) != known.get(h.uid)]

    return affected
