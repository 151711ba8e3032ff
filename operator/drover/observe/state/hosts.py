"""The lines of one host, and what it has free."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from drover.api.host import Host
from drover.control.amounts import in_use
from drover.model.placement import Ledger, Resources
from drover.observe.families import Family
from drover.observe.families.state import (
    HOST_ALLOCATABLE,
    HOST_ALLOCATED,
    HOST_CAPACITY,
    HOST_INFO,
    HOST_OVERCOMMIT_RATIO,
    HOST_STATUS_CONDITION,
    HOST_VMS,
)
from drover.observe.state.cache import Lines


class Free(NamedTuple):
    """What a host on which VMs may be placed has left."""

    pool: str
    resources: Resources


def lines(host: Host, ledger: Ledger, vms: int) -> Lines:
    """In the order of ``HOST_FAMILIES``. The modelled hardware has no machine type and no architecture."""
    name, zone, status = host.name, host.spec.failure_domain or "", host.status
    has = status.capacity
    capacity = Resources(has.cpu.milli, has.memory.bytes, has.disk.bytes, gpus=tuple(has.gpus.items())) if has else None
    ratios = host.spec.hardware.overcommit
    return (
        HOST_INFO.line(1, name, zone, zone, host.spec.hardware.cpu.model or "", "", ""),
        _amounts(HOST_CAPACITY, name, capacity) if capacity else "",
        _amounts(HOST_ALLOCATABLE, name, ledger.allocatable(name)),
        _amounts(HOST_ALLOCATED, name, in_use(name, ledger)),
        "".join(
            HOST_OVERCOMMIT_RATIO.line(float(ratio), name, resource)
            for resource, ratio in (("cpu", ratios.cpu), ("memory", ratios.memory), ("storage", ratios.disk))
        ),
        "".join(
            HOST_STATUS_CONDITION.line(int(value == known.status), name, known.type, value.lower())
            for known in status.conditions
            for value in ("True", "False", "Unknown")
        ),
        HOST_VMS.line(vms, name),
    )


def free_on(name: str, ledger: Ledger) -> Free | None:
    """None for a host that is not known, or on which nothing new may be placed."""
    row = ledger.row(name)
    if row is None or row.blocked is not None:
        return None
    return Free(row.pool, row.allocatable - in_use(name, ledger))


def amounts(resources: Resources) -> Iterator[tuple[str, str, float]]:
    """(resource, unit, amount), as kube-state-metrics names and measures them."""
    yield "cpu", "core", resources.milli_cpu / 1000
    yield "memory", "byte", resources.memory
    yield "storage", "byte", resources.disk
    for device, count in resources.gpus:
        yield device, "integer", count


def _amounts(family: Family, host: str, resources: Resources) -> str:
    return "".join(family.line(value, host, resource, unit) for resource, unit, value in amounts(resources))
