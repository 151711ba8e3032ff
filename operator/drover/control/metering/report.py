"""Who used how much between two days: the ledger's daily sums, grouped."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, cast

from drover.api.usage import Meter
from drover.api.usagerecord import RowsChecksum, UsageRecord
from drover.api.virtualmachine import ClosedUsage, VirtualMachine
from drover.control.metering.archive import Entry, checksum, entries_of
from drover.control.metering.pending import months_of
from drover.control.virtualmachine import usage as vm_usage
from drover.control.world import World
from drover.model.usage import Line

By = Literal["vm", "flavor", "namespace", "day"]

LABELS: dict[By, tuple[str, ...]] = {
    "namespace": ("namespace",),
    "flavor": ("namespace", "sku"),
    "day": ("namespace", "day"),
    "vm": ("namespace", "vm", "flavor", "uid"),
}
"""What tells the rows of a report apart."""


@dataclass(frozen=True, slots=True)
class Share:
    """One row: what it is of, and its amounts in the ledger's units."""

    labels: tuple[str, ...]
    amounts: Counter[Meter]


@dataclass(frozen=True, slots=True)
class Active:
    """What runs at the moment."""

    instances: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Daily:
    """What one namespace used on one day."""

    namespace: str
    day: date
    line: Line
    amount: int


def daily(world: World, now: datetime, first: date, last: date, namespace: str | None = None) -> Iterator[Daily]:
    """The sums of the days from ``first`` to ``last``, both included, sorted."""
    for space, sums in sorted(world.usage.daily(now).items()):
        if namespace in (None, space):
            for (day, line), amount in sorted(sums.items()):
                if amount and first <= day <= last:
                    yield Daily(space, day, line, amount)


def grouped(rows: Iterator[Daily], by: Literal["flavor", "namespace", "day"]) -> list[Share]:
    """The rows as a report tells them."""
    shares: dict[tuple[str, ...], Counter[Meter]] = defaultdict(Counter)
    for row in rows:
        label = {"namespace": (), "flavor": (row.line.sku,), "day": (row.day.isoformat(),)}[by]
        shares[row.namespace, *label][row.line.meter] += row.amount
    return [Share(labels, amounts) for labels, amounts in sorted(shares.items())]


def by_vm(world: World, now: datetime, namespace: str | None = None) -> list[Share]:
    """What each VM that exists has used since it was created."""
    vms = sorted((vm for vm in world.all(VirtualMachine) if namespace in (None, vm.namespace)), key=lambda vm: vm.key)
    return [Share(_labels(vm), _amounts(vm, now)) for vm in vms if vm.status.usage is not None]


def live(world: World, now: datetime) -> Iterator[Entry]:
    """The rows that the archive will have of the VMs that exist, as if all of them ended now."""
    for vm in world.all(VirtualMachine):
        usage = vm_usage.ended(vm.status.usage, now)
        for one in usage.pending if usage is not None else ():
            for month in months_of(one):
                yield from entries_of(vm.key, vm.uid, (one,), month)


def by_vm_between(archived: Iterable[Entry], lives: Iterable[Entry], first: date, last: date) -> list[Share]:
    """What each VM used from ``first`` to ``last``, deleted ones included. A row of the archive counts once, and
    before what lives: that was read earlier."""
    rows = {row.key: row for row in (*lives, *archived) if row.kind == VirtualMachine.KIND}
    amounts: dict[tuple[str, str, str], Counter[Meter]] = defaultdict(Counter)
    flavors: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for row in rows.values():
        if first <= date.fromisoformat(row.day) <= last:
            vm = (row.namespace, row.name, row.uid)
            amounts[vm][cast(Meter, row.meter)] += row.amount
            flavors[vm] |= {row.sku} if row.meter == "instance" else set()
    return [
        Share((space, name, " ".join(sorted(flavors[space, name, uid])), uid), used)
        for (space, name, uid), used in sorted(amounts.items())
    ]


def damage(record: UsageRecord, rows: Iterable[Entry]) -> str:
    """What is wrong with the archive's rows of a record's month; empty where nothing is known to be.

    More rows than the record tells of are no damage: they are written first.
    """
    told, found = record.status.archive or RowsChecksum(), checksum(rows)
    where = f"archive of {record.of} {record.spec.month}"
    if found.rows < told.rows:
        return f"{where} has {found.rows} rows, its UsageRecord tells of {told.rows}: restore the file from a backup"
    if found.rows == told.rows and found != told:
        return f"{where} is damaged: its checksum is not that of its UsageRecord: restore the file from a backup"
    return ""


def active(world: World, namespace: str | None = None) -> Active:
    charged = [
        vm.status.usage.open
        for vm in world.all(VirtualMachine)
        if namespace in (None, vm.namespace) and vm.status.usage is not None and vm.status.usage.open is not None
    ]
    running = [opened for opened in charged if opened.phase == "Running"]
    return Active(len(running), sum(opened.memory_bytes for opened in running))


def _labels(vm: VirtualMachine) -> tuple[str, ...]:
    flavor = vm.status.flavor.name if vm.status.flavor is not None else vm.spec.flavor_ref.name
    return vm.namespace, vm.name, flavor, vm.uid


def _amounts(vm: VirtualMachine, now: datetime) -> Counter[Meter]:
    at_end = vm_usage.ended(vm.status.usage, now)
    closed = at_end.closed if at_end is not None else ClosedUsage()
    return Counter(
        {
            "vcpu": closed.vcpu_millis,
            "memory": closed.memory_byte_millis,
            "instance": closed.instance_millis,
            "volume": closed.disk_byte_millis,
            "migration": closed.migration_bytes,
        }
    )
