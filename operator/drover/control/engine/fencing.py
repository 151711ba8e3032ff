"""Which objects a new leader must fence before it decides anything.

Claims sit on different VMs, so a conflict on one VM does not protect a host. An earlier leader may have a write in
flight that gives an object a claim it does not show yet; after the fence that write meets a conflict. An object that
can only lose claims, or show the ones it has, needs no fence.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain

from drover.api.meta import AnyResource
from drover.api.network import Network
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.conditions import since
from drover.control.world import World
from drover.control.world.claims import is_final, is_up

LONGEST_FLIGHT = timedelta(minutes=10)
"""No request of an earlier leader is on its way longer than this."""


def highest_epoch(world: World) -> int:
    """The latest epoch any object was fenced with; 0 where none was."""
    vms = (vm.status.leader_epoch or 0 for vm in world.all(VirtualMachine))
    migrations = (migration.status.leader_epoch or 0 for migration in world.all(VirtualMachineMigration))
    networks = (network.status.leader_epoch or 0 for network in world.all(Network))
    return max(chain(vms, migrations, networks), default=0)


def may_gain_a_claim(world: World, now: datetime) -> Iterator[AnyResource]:
    """VMs that could be placed, moved or resized, migrations that are not over, networks without a segment."""
    for vm in world.all(VirtualMachine):
        if _may_gain(vm, world, now):
            yield vm
    for migration in world.all(VirtualMachineMigration):
        if not is_final(migration):
            yield migration
    for network in world.all(Network):
        if network.status.segmentation_id is None:
            yield network


def _may_gain(vm: VirtualMachine, world: World, now: datetime) -> bool:
    """Only a VM that runs undisturbed where it is, and has for a while, cannot."""
    host = world.host(vm.status.host_name)
    if host is not None and vm.status.phase in ("Running", "Paused") and is_up(host):
        back_since = since(host.status, "Ready")
        if back_since is None or now - back_since < LONGEST_FLIGHT:
            return True  # an earlier leader may have seen it down, and be moving the VM
        return any(not is_final(migration) for migration in world.migrations(world.migrations_of_vm[vm.key]))
    return True
