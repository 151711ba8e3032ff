"""What is added to a UsageRecord: sums by day, and by which entries they grew.

Sums and the entries named as settled are one PATCH, so that no entry is in the sums twice or named and not in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drover.api.usage import Meter
from drover.api.usagerecord import RowsChecksum, UsageRecord, UsageSum, UsageTotals
from drover.control.metering.archive import added, checksum, entries_of
from drover.control.metering.daily import sums_of_record
from drover.control.metering.holders import Holder
from drover.control.metering.pending import Pending, months_of, part_of
from drover.control.metering.placing import offered, record_for, taking_over
from drover.control.world import World
from drover.model.usage import Sums
from drover.model.usage.units import plain, quantity


@dataclass(frozen=True, slots=True)
class Due:
    """What waits to be added to one record."""

    sums: Sums
    settled: dict[str, int]
    archive: RowsChecksum
    """Of the rows that the archive has of it."""
    urgent: bool
    """Something that is being deleted waits for it."""


def due(record: UsageRecord, world: World) -> Due:
    """The entries offered by the objects of its namespace, and the records that it takes over."""
    month, sums, settled, urgent = record.spec.month, Sums(), dict[str, int](), False
    archive = RowsChecksum()
    takes = record_for(world, record.of, month) == record.key
    for holder in world.usage.waiting(record.of) if takes else ():
        taken = offered(holder, month, world.usage.settled(record.of, holder.uid)(month))
        if taken:
            sums += sum_of(taken, month)
            settled[holder.uid] = taken[-1].seq
            archive = added(archive, checksum(entries_of(holder.key, holder.uid, taken, month)))
            urgent |= holder.leaving
    for old in taking_over(world, record):
        sums += sums_of_record(old)
        settled = latest(settled, old.status.settled | {old.uid: 1})
        archive = added(archive, old.status.archive)
        urgent = True
    return Due(sums, settled, archive, urgent)


def sum_of(entries: Pending, month: str) -> Sums:
    """What entries add to the days of a month."""
    sums = Sums()
    for entry in entries:
        sums += part_of(entry, month)
    return sums


def kept(record: UsageRecord, world: World) -> dict[str, int]:
    """What the record has to go on naming as settled: what the objects themselves still tell of.

    An object that is gone tells of nothing, and one that has dropped an entry has had that confirmed.
    """
    month, namespace = record.spec.month, record.of
    known = {old.uid for old in world.usage.records_of(namespace, month)}
    return {
        uid: seq
        for uid, seq in record.status.settled.items()
        if uid in known or _tells(world.usage.holder(namespace, uid), seq, month)
    }


def latest(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Of each object the later seq."""
    return {uid: max(one.get(uid, 0), other.get(uid, 0)) for uid in [*one, *(uid for uid in other if uid not in one)]}


def _tells(holder: Holder | None, seq: int, month: str) -> bool:
    return holder is not None and any(e.seq <= seq and month in months_of(e) for e in holder.pending)


def totals_of(rows: Iterable[UsageSum]) -> UsageTotals:
    """The sums of the month for people."""
    total = Counter[Meter]()
    for row in rows:
        total[row.meter] += row.total

    def told(meter: Meter) -> str:
        return plain(quantity(meter, total[meter], digits=3))

    return UsageTotals(
        vcpu_hours=told("vcpu"),
        memory_gib_hours=told("memory"),
        instance_hours=told("instance"),
        volume_gib_hours=told("volume"),
        address_hours=told("address"),
    )
