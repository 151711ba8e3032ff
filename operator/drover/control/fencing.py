"""Which objects a new leader must fence before it decides anything.

Claims sit on different VMs, so a conflict on one VM does not protect a host. An earlier leader may have a write in
flight that gives an object a claim it does not show yet; after the fence that write meets a conflict. An object that
can only lose claims, or show the ones it has, needs no fence.
"""

from __future__ import annotations

from collections.abc import Iterator

from drover.api.meta import AnyResource
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.claims import is_final, is_up
from drover.control.world import World


def may_gain_a_claim(world: World) -> Iterator[AnyResource]:
    """VMs that could be placed, moved or resized, and migrations that are not over."""
    for vm in world.all(VirtualMachine):
        if _may_gain(vm, world):
            yield vm
    for migration in world.all(VirtualMachineMigration):
        if not is_final(migration):
            yield migration


def _may_gain(vm: VirtualMachine, world: World) -> bool:
    """Only a VM that runs undisturbed where it is, and one that is stopped as declared, cannot."""
    if vm.status.phase in ("Running", "Paused") and is_up(world.host(vm.status.host_name)):
        return any(not is_final(migration) for migration in world.migrations(world.migrations_of_vm[vm.key]))
    return True
