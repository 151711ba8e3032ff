"""Whether there is room for a VM, told as the operator would decide it now.

Those that the operator has yet to look at go first if they are as important: of ten VMs applied together for the last
place, one is let in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from drover.api.meta import AnyResource
from drover.api.nodepool import NodePool
from drover.api.virtualmachine import VirtualMachine
from drover.control.admission.verdict import Fault
from drover.control.explaining import Explanation, explain
from drover.control.virtualmachine.choosing import request_for
from drover.control.virtualmachine.power import power_of
from drover.control.virtualmachine.prerequisites import Missing, resolve_flavor
from drover.control.virtualmachine.refusing import victims_for
from drover.control.world import World
from drover.control.world.claims import created_at, is_unschedulable
from drover.model.placement.decide import pick
from drover.model.placement.whatif import Trial, trial

MAX_AHEAD = 64
"""VMs placed on trial before the one in question: an answer must not take longer than a write."""
MAX_VICTIMS = 256
"""VMs withdrawn on trial; where more could be stopped, it is taken that this would help."""


class Room(NamedTuple):
    """What a VM would find."""

    told: Explanation
    """Without the VMs that could be stopped for it."""
    by_stopping: bool = False
    """Whether it finds none, but VMs of lower priority could be stopped to make some."""


def needs_room(vm: VirtualMachine, old: VirtualMachine | None) -> bool:
    """Whether the VM has to be placed, or placed otherwise, once this is applied."""
    if not power_of(vm).on:
        return False
    return old is None or not power_of(old).on or _wanted(old) != _wanted(vm)


def room_for(vm: VirtualMachine, world: World, now: datetime) -> Room:
    """Where the VM would be placed, or why nowhere. It need not be in the World, which stays as it is."""
    with supposing(vm, world), trial(world.ledger) as attempt:
        for other in islice(_ahead_of(vm, world), MAX_AHEAD):
            size = resolve_flavor(other, world)
            if not isinstance(size, Missing):
                attempt.place(other.uid, request_for(other, size, world))
        told = explain(vm, world, now, preempting=False)
        refused = told.now is not None and told.now.host_name is None
        return Room(told, refused and _makes_room(vm, world, attempt))


def shortage(room: Room, world: World) -> Fault | None:
    """What is wrong where no host has room. None too where that cannot be told: the VM's flavor or pool is missing."""
    told, pool = room.told, room.told.vm.spec.placement.node_pool_name
    if room.by_stopping or told.now is None or told.now.host_name or (pool and world.pool(pool) is None):
        return None
    return Fault(told.reason, told.message)


def _makes_room(vm: VirtualMachine, world: World, attempt: Trial) -> bool:
    size = resolve_flavor(vm, world)
    if isinstance(size, Missing) or not world.priority(vm).preempts:
        return False
    request = request_for(vm, size, world)
    victims = [(victim.uid, host) for host, found in victims_for(vm, request, world).items() for victim in found]
    for uid, host in victims[:MAX_VICTIMS]:
        attempt.withdraw(uid, host)
    return len(victims) > MAX_VICTIMS or (bool(victims) and pick(world.ledger, request) is not None)


def coming_up(vm: VirtualMachine, world: World) -> str | None:
    """A pool the VM may use whose hosts are not all there yet: what does not fit now may fit in a moment."""
    own = vm.spec.placement.node_pool_name
    pools = world.all(NodePool) if own is None else filter(None, [world.pool(own)])
    for pool in pools:
        ready = pool.status.condition("Ready")
        known = pool.status.observed_generation == pool.metadata.generation and ready is not None
        if not known or (ready is not None and ready.reason == "ScalingUp"):
            up = f"{pool.status.ready_replicas} of {pool.spec.replicas} hosts are ready"
            return f"node pool {pool.name} is still coming up, {up}"
    return None


@contextmanager
def supposing(resource: AnyResource, world: World) -> Iterator[None]:
    """Within, the World has the object as it would be once it is applied."""
    world.assume(resource)
    try:
        yield
    finally:
        world.settle(resource.key)


def _wanted(vm: VirtualMachine) -> object:
    return vm.spec.flavor_ref, vm.spec.placement, vm.spec.priority_class_name


def _ahead_of(vm: VirtualMachine, world: World) -> list[VirtualMachine]:
    """Those without a host that have not been refused one, and come first by their priority."""
    waiting = world.vms(key for _, keys in world.vms_unplaced.items() for key in keys)
    own = world.priority(vm).value
    ahead = [
        (-priority, created_at(other), other.key, other)
        for other in waiting
        if other.key != vm.key
        and power_of(other).on
        and not is_unschedulable(other)
        and not other.deleting
        and (priority := world.priority(other).value) >= own
    ]
    return [other for *_, other in sorted(ahead, key=lambda each: each[:3])]
