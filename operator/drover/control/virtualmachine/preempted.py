"""A VM that has to make room for another of higher priority sees it itself: the other one names it.

It stops, gives up its host, and waits until the other has taken its place: were it placed at once, it could stand in
the other's way again on the next host, by its labels or by the capacity held back for failover.
"""

from __future__ import annotations

from typing import cast

from drover.api.virtualmachine import VirtualMachine
from drover.control.world import World
from drover.control.world.claims import preempted_by


def preempted_for(vm: VirtualMachine, world: World) -> VirtualMachine | None:
    """The VM that takes this one's place: it is confirmed to wait for that, and is still the more important one."""
    if not vm.spec.preemptible:
        return None
    for key in world.vms_preempting[vm.key]:
        other = cast("VirtualMachine | None", world.confirmed(key))
        if other is not None and _takes(other, vm, world):
            return other
    return None


def gives_way_to(vm: VirtualMachine, world: World) -> VirtualMachine | None:
    """The VM whose place this one has made, and that has not taken it yet."""
    own = world.priority(vm).value
    others = world.vms(world.vms_preempting[vm.key])
    return next((other for other in others if world.priority(other).value > own), None)


def _takes(other: VirtualMachine, vm: VirtualMachine, world: World) -> bool:
    placement = other.status.placement
    return (
        placement is not None
        and placement.nominated_host_name == vm.status.host_name
        and vm.key in preempted_by(other)
        and world.priority(other).value > world.priority(vm).value
    )
