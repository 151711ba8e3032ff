"""A VM that has to make room for another of higher priority sees it itself: the other one names it."""

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


def _takes(other: VirtualMachine, vm: VirtualMachine, world: World) -> bool:
    placement = other.status.placement
    return (
        placement is not None
        and not other.status.host_name
        and placement.nominated_host_name == vm.status.host_name
        and vm.key in preempted_by(other)
        and world.priority(other).value > world.priority(vm).value
    )
