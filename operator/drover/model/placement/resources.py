"""Amounts of what a host has and a virtual machine takes."""

from __future__ import annotations

from typing import NamedTuple

RESOURCE_NAMES = ("cpu", "memory", "disk", "network")
"""What messages call the first fields of ``Resources``, in their order."""

Gpus = tuple[tuple[str, int], ...]
"""Devices by name with their number, in alphabetical order, none of them 0."""


class Resources(NamedTuple):
    """CPU in thousandths, memory and disk in bytes, bandwidth in bytes a second."""

    milli_cpu: int = 0
    """vCPUs shared with others at the host's allocation ratio."""
    memory: int = 0
    disk: int = 0
    bandwidth: int = 0
    milli_threads: int = 0
    """Hardware threads taken whatever the host's ratio: dedicated CPUs, and flavors with a ratio of their own."""
    gpus: Gpus = ()

    def __add__(self, other: Resources) -> Resources:  # type: ignore[override]  # amounts add, tuples do not
        a, b, c, d, e, f = self
        u, v, w, x, y, z = other
        return Resources(a + u, b + v, c + w, d + x, e + y, _added(f, z, 1) if z else f)

    def __sub__(self, other: Resources) -> Resources:
        a, b, c, d, e, f = self
        u, v, w, x, y, z = other
        return Resources(a - u, b - v, c - w, d - x, e - y, _added(f, z, -1) if z else f)

    def maximum(self, other: Resources) -> Resources:
        """The larger of the two amounts, resource by resource."""
        cpu, memory, disk, bandwidth, threads = map(max, self[:5], other[:5])
        gpus: dict[str, int] = {}
        for device, count in (*self.gpus, *other.gpus):
            gpus[device] = max(gpus.get(device, 0), count)
        return Resources(cpu, memory, disk, bandwidth, threads, tuple(sorted(gpus.items())))


NO_RESOURCES = Resources()


def _added(counts: Gpus, others: Gpus, sign: int) -> Gpus:
    total = dict(counts)
    for device, count in others:
        total[device] = total.get(device, 0) + sign * count
    return tuple(sorted((device, count) for device, count in total.items() if count))
