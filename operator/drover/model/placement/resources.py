"""Amounts of what a host has and a virtual machine takes."""

from __future__ import annotations

from typing import NamedTuple

RESOURCE_NAMES = ("cpu", "memory", "disk", "network")
"""What messages call the fields of ``Resources``, in their order."""


class Resources(NamedTuple):
    """CPU in thousandths of a core, memory and disk in bytes, bandwidth in bytes a second."""

    milli_cpu: int = 0
    memory: int = 0
    disk: int = 0
    bandwidth: int = 0

    def __add__(self, other: Resources) -> Resources:  # type: ignore[override]  # amounts add, tuples do not
        return Resources(
            self.milli_cpu + other.milli_cpu,
            self.memory + other.memory,
            self.disk + other.disk,
            self.bandwidth + other.bandwidth,
        )

    def __sub__(self, other: Resources) -> Resources:
        return Resources(
            self.milli_cpu - other.milli_cpu,
            self.memory - other.memory,
            self.disk - other.disk,
            self.bandwidth - other.bandwidth,
        )

    def maximum(self, other: Resources) -> Resources:
        """The larger of the two amounts, resource by resource."""
        return Resources(*map(max, self, other))


NO_RESOURCES = Resources()
