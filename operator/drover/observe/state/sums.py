"""What is summed up over objects: pools, phases, queues."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from drover.api.flavor import Flavor
from drover.api.nodepool import NodePool
from drover.control.virtualmachine.prerequisites import resolved
from drover.control.world import World
from drover.control.world.requests import request_of_flavor
from drover.model.placement import NO_RESOURCES
from drover.model.placement.whatif import headroom
from drover.observe.families import Family
from drover.observe.families.state import (
    MIGRATIONS,
    POOL_LARGEST_FREE_SLOT,
    POOL_PLACEABLE_VMS,
    SCHEDULER_PENDING_VMS,
    VMS,
)
from drover.observe.state.hosts import Free, amounts
from drover.observe.state.tally import Tally

QUEUES = ("active", "backoff", "unschedulable", "gated")


def sums(world: World, tally: Tally, free: Iterable[Free]) -> Iterator[tuple[Family, str]]:
    """Lines with their family, a little at a time."""
    yield from _largest_free(world, free)
    yield from _placeable(world)
    for (namespace, phase), count in tally.of("phase"):
        yield VMS, VMS.line(count, str(namespace), str(phase))
    for (phase, mode), count in tally.of("migration"):
        yield MIGRATIONS, MIGRATIONS.line(count, str(phase), str(mode))
    for queue in QUEUES:
        yield SCHEDULER_PENDING_VMS, SCHEDULER_PENDING_VMS.line(tally.count("queue", queue), queue)


def _largest_free(world: World, free: Iterable[Free]) -> Iterator[tuple[Family, str]]:
    largest = {pool.name: NO_RESOURCES for pool in world.all(NodePool)}
    for pool, resources in free:
        largest[pool] = largest.get(pool, NO_RESOURCES).maximum(resources)
    for pool, resources in sorted(largest.items()):
        for resource, unit, value in amounts(resources):
            yield POOL_LARGEST_FREE_SLOT, POOL_LARGEST_FREE_SLOT.line(value, pool, resource, unit)


def _placeable(world: World) -> Iterator[tuple[Family, str]]:
    """Counted anew for each page: every VM that comes or goes leaves all flavors another number."""
    pools = list(world.all(NodePool))
    for flavor in list(world.all(Flavor)):
        if flavor.spec.lifecycle.state == "Obsolete":
            continue
        request = request_of_flavor(flavor, resolved(flavor))
        for pool in pools:
            room = headroom(world.ledger, replace(request, pool=pool.name))
            yield POOL_PLACEABLE_VMS, POOL_PLACEABLE_VMS.line(room.fits, pool.name, flavor.name)
