"""The least number of hosts by resources alone."""

from __future__ import annotations

from drover.model.packing.snapshot import IntArray


def resource_bound(sizes: IntArray, capacity: IntArray) -> int:
    """No packing of the sizes, shape (virtual machines, resources), uses fewer hosts of that capacity.

    The largest over resources of ceil(sum of sizes / capacity). Raises ValueError for a capacity below 1.
    """
    return int(_hosts(sizes.sum(axis=0), capacity))


def bound_over_time(changes: IntArray, capacity: IntArray) -> IntArray:
    """The bound after each event of a trace, shape (events,).

    Changes, shape (events, resources), are what each event adds to the demand: a size where a machine comes, its
    negative where it goes. Raises ValueError for a capacity below 1.
    """
    return _hosts(changes.cumsum(axis=0), capacity)


def _hosts(demand: IntArray, capacity: IntArray) -> IntArray:
    if capacity.min(initial=1) < 1:
        raise ValueError(f"a host's capacity must be at least 1 of each resource, not {capacity.tolist()}")
    hosts: IntArray = (-(-demand // capacity)).max(axis=-1, initial=0)
    return hosts
