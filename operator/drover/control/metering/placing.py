"""Which UsageRecord usage goes into.

A record is named after its month and lives in the namespace whose usage it tells. Where that namespace is going, or the
record itself was deleted, its *estate* in the operator's own namespace takes over, record and all: a namespace is never
held up, and what it used stays known. Only who deletes the kind itself means all of it to be forgotten.

A record that is being deleted takes nothing more, so whatever an earlier leader still has in flight for it was decided
on an older resourceVersion and meets a conflict.
"""

from __future__ import annotations

from collections.abc import Iterator

from drover.api.meta import FINALIZER, Key, ObjectMeta
from drover.api.namespace import Namespace
from drover.api.usagerecord import UsageRecord, UsageRecordSpec
from drover.control.metering.holders import Holder
from drover.control.metering.pending import OFFERED, Pending, months_of
from drover.control.outcome import Create
from drover.control.world import World


def record_for(world: World, namespace: str, month: str) -> Key:
    """The record that takes what a namespace used in a month."""
    own = Key(UsageRecord.KIND, namespace, month)
    record = world.confirmed(own)
    if record is not None:
        return estate_of(world, namespace, month) if record.deleting else own
    home = world.get(Namespace, "", namespace)
    return estate_of(world, namespace, month) if home is not None and home.deleting else own


def estate_of(world: World, namespace: str, month: str) -> Key:
    """The record in the operator's namespace that takes over."""
    return Key(UsageRecord.KIND, world.operator_namespace, f"{month}.{namespace}")


def is_estate(record: UsageRecord) -> bool:
    return record.spec.namespace is not None


def is_closed(world: World) -> bool:
    """Whether nothing more can be recorded: the kind is being deleted."""
    return UsageRecord.KIND in world.closed_kinds


def new_record(key: Key, namespace: str, month: str) -> UsageRecord:
    """An empty record. An estate is not protected: who deletes it means to forget."""
    own = key.name == month
    return UsageRecord(
        metadata=ObjectMeta(name=key.name, namespace=key.namespace, finalizers=(FINALIZER,) if own else ()),
        spec=UsageRecordSpec(month=month) if own else UsageRecordSpec(month=month, namespace=namespace),
    )


def missing_records(world: World, namespace: str, pending: Pending) -> Iterator[Create]:
    """The records to create for these entries."""
    if is_closed(world):
        return
    for month in sorted({month for entry in pending for month in months_of(entry)}):
        key = record_for(world, namespace, month)
        if world.find(key) is None:
            yield Create(new_record(key, namespace, month))


def records_for(world: World, namespace: str, pending: Pending) -> list[Key]:
    """The records that take these entries."""
    return sorted({record_for(world, namespace, month) for entry in pending for month in months_of(entry)})


def unsettled(world: World, namespace: str, uid: str, pending: Pending) -> Pending:
    """The entries that are not in the records of all their months yet."""
    through = world.usage.settled(namespace, uid)
    return tuple(entry for entry in pending if any(through(month) < entry.seq for month in months_of(entry)))


def taking_over(world: World, estate: UsageRecord) -> list[UsageRecord]:
    """The records being deleted whose sums this estate has not taken yet."""
    return [
        record
        for record in world.usage.records_of(estate.of, estate.spec.month)
        if record.deleting and not is_estate(record) and record.uid not in estate.status.settled
    ]


def offered(holder: Holder, month: str, settled: int) -> Pending:
    """The entries of an object that the record of a month may take and has not."""
    return tuple(e for e in holder.pending[:OFFERED] if e.seq > settled and month in months_of(e))
