"""The usage intervals in a VM's status: opened and closed in the PATCH of the transition that causes it."""

from __future__ import annotations

from datetime import datetime

from drover.api.virtualmachine import ClosedUsage, OpenUsage, ResolvedFlavor, Usage, VirtualMachinePhase
from drover.model import usage as model


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


def ended(usage: Usage | None, at: datetime) -> Usage | None:
    """Close what is open, for good."""
    if usage is None or usage.open is None:
        return usage
    return Usage(open=None, closed=_closed(usage, at)[0])


def _reopen(usage: Usage | None, at: datetime, charge: dict[str, object]) -> Usage:
    usage = usage or Usage()
    opened = usage.open
    if opened is not None and all(getattr(opened, name) == value for name, value in charge.items()):
        return usage
    closed, end = _closed(usage, at)
    return Usage(open=OpenUsage.model_validate({"seq": closed.through_seq + 1, "since": end, **charge}), closed=closed)


def _closed(usage: Usage, at: datetime) -> tuple[ClosedUsage, datetime]:
    """The totals with the open interval added, and where that interval ends: where the next one begins."""
    opened, closed = usage.open, usage.closed
    if opened is None:
        return closed, at
    end = max(opened.since, at)
    interval = model.Interval(
        since=model.milliseconds(opened.since),
        vcpus=opened.vcpus,
        memory_bytes=opened.memory_bytes,
        disk_bytes=opened.disk_bytes,
        instances=1 if opened.phase == "Running" else 0,
    )
    added = model.close(interval, model.milliseconds(end))
    totals = model.Totals(
        closed.vcpu_millis, closed.memory_byte_millis, closed.disk_byte_millis, closed.instance_millis
    )
    total = totals + added
    return (
        ClosedUsage(
            through_seq=opened.seq,
            vcpu_millis=total.vcpu_millis,
            memory_byte_millis=total.memory_byte_millis,
            disk_byte_millis=total.disk_byte_millis,
            instance_millis=total.instance_millis,
        ),
        end,
    )
