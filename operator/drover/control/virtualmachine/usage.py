"""The usage intervals in a VM's status: opened and closed in the PATCH of the transition that causes it."""

from __future__ import annotations

from datetime import datetime

from drover.api.usage import Charge, DayAmount, PendingUsage
from drover.api.virtualmachine import ClosedUsage, OpenUsage, ResolvedFlavor, Usage, VirtualMachinePhase
from drover.control.metering.pending import appended
from drover.model import usage as model

ROOT_DISK = "root"
"""Storage class that root disks, which are on hosts, are told apart by."""


def running(usage: Usage | None, at: datetime, flavor: ResolvedFlavor, zone: str | None) -> Usage:
    """Charge the whole VM from ``at`` on. Going on with what is charged already opens nothing new."""
    return _reopen(
        usage,
        at,
        {
            "phase": "Running",
            "flavor": flavor.name,
            "vcpus": flavor.vcpus,
            "memory_bytes": flavor.memory_bytes,
            "disk_bytes": flavor.root_disk_bytes,
            "zone": zone,
        },
    )


def storage_only(
    usage: Usage | None, at: datetime, flavor: ResolvedFlavor | None, phase: VirtualMachinePhase
) -> Usage | None:
    """Charge the root disk alone from ``at`` on: the VM is paused, stopped or lost. Nothing for one never started."""
    if usage is None or flavor is None:
        return usage
    return _reopen(
        usage, at, {"phase": phase, "flavor": flavor.name, "disk_bytes": flavor.root_disk_bytes, "zone": None}
    )


def migrated(usage: Usage | None, at: datetime, sent_bytes: int) -> Usage | None:
    """Count what a live migration has sent, at its end: the interval ends there, and one like it begins."""
    if usage is None or usage.open is None or not sent_bytes:
        return usage
    closed, end = _closed(usage, at, sent_bytes)
    opened = usage.open.model_copy(update={"seq": usage.open.seq + 1, "since": end})
    return closed.model_copy(update={"open": opened})


def ended(usage: Usage | None, at: datetime) -> Usage | None:
    """Close what is open, for good."""
    if usage is None or usage.open is None:
        return usage
    return _closed(usage, at)[0]


def charges_of(opened: OpenUsage) -> tuple[Charge, ...]:
    """What an interval charges, by meter."""
    disk = Charge(meter="volume", sku=ROOT_DISK, rate=opened.disk_bytes)
    if not _ran(opened):
        return (disk,)
    return (
        Charge(meter="vcpu", sku=opened.flavor, rate=opened.vcpus),
        Charge(meter="memory", sku=opened.flavor, rate=opened.memory_bytes),
        Charge(meter="instance", sku=opened.flavor, rate=1),
        disk,
    )


def _ran(opened: OpenUsage) -> bool:
    return opened.phase == "Running"


def _reopen(usage: Usage | None, at: datetime, charge: dict[str, object]) -> Usage:
    usage = usage or Usage()
    opened = usage.open
    if opened is not None and all(getattr(opened, name) == value for name, value in charge.items()):
        return usage
    closed, end = _closed(usage, at)
    after = OpenUsage.model_validate({"seq": closed.closed.through_seq + 1, "since": end, **charge})
    return closed.model_copy(update={"open": after})


def _closed(usage: Usage, at: datetime, sent_bytes: int = 0) -> tuple[Usage, datetime]:
    """The usage with the open interval closed, and where that ends: where the next one begins."""
    opened = usage.open
    if opened is None:
        return usage, at
    end = max(opened.since, at)
    entry = PendingUsage(
        seq=opened.seq,
        since=opened.since,
        until=end,
        state=opened.phase,
        charges=charges_of(opened),
        amounts=_sent(opened, end, sent_bytes),
    )
    return Usage(
        open=None,
        closed=_totals(usage.closed, opened, end, sent_bytes),
        pending=appended(usage.pending, entry),
    ), end


def _sent(opened: OpenUsage, end: datetime, sent_bytes: int) -> tuple[DayAmount, ...]:
    """Bytes count on the day on which their migration ended."""
    if not sent_bytes:
        return ()
    day = model.day_of(model.milliseconds(end)).isoformat()
    return (DayAmount(day=day, meter="migration", sku=opened.flavor, state="Migrating", amount=sent_bytes),)


def _totals(closed: ClosedUsage, opened: OpenUsage, end: datetime, sent_bytes: int) -> ClosedUsage:
    """The totals with the interval added."""
    interval = model.Interval(
        since=model.milliseconds(opened.since),
        vcpus=opened.vcpus,
        memory_bytes=opened.memory_bytes,
        disk_bytes=opened.disk_bytes,
        instances=1 if _ran(opened) else 0,
    )
    total = model.close(interval, model.milliseconds(end)) + model.Totals(
        closed.vcpu_millis, closed.memory_byte_millis, closed.disk_byte_millis, closed.instance_millis
    )
    return ClosedUsage(
        through_seq=opened.seq,
        vcpu_millis=total.vcpu_millis,
        memory_byte_millis=total.memory_byte_millis,
        disk_byte_millis=total.disk_byte_millis,
        instance_millis=total.instance_millis,
        migration_bytes=closed.migration_bytes + sent_bytes,
    )
