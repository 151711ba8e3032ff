"""What wakes a VM: changes of what it needs, of its host and its migration, and room that comes free."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.outcome import Watch
from drover.control.virtualmachine.status import WAITING_PHASES
from drover.control.watching import on_change
from drover.control.world import World
from drover.control.world.claims import is_final, is_up

GATHER_SECONDS = 0.25
"""Room often comes free in bursts: one look after several changes is enough."""


def changed_for_users(before: AnyResource | None, after: AnyResource | None) -> bool:
    """Whether more than a view of its users changed, so that looking at each user is worth it."""
    if before is None or after is None:
        return True
    return (
        (before.spec is not after.spec and before.spec != after.spec)
        or before.status.phase != after.status.phase
        or before.deleting != after.deleting
    )


def _users(keys: Callable[[World, Key], list[Key]]) -> Callable[..., list[Key]]:
    def affected(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
        changed = after if after is not None else before
        if changed is None or not changed_for_users(before, after):
            return []
        return keys(world, changed.key)

    return affected


def _waiting(world: World) -> list[Key]:
    return [key for phase in WAITING_PHASES for key in world.vms_unplaced[phase]]


def _by_host(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """VMs on a host that came up, went down or is to be drained."""
    old, new = cast("Host | None", before), cast("Host | None", after)
    name = cast(AnyResource, after if after is not None else before).name
    same = old is not None and new is not None and _vm_view(old) == _vm_view(new)
    return [] if same else world.vms_on[name]


def _vm_view(host: Host) -> tuple[bool, bool, str]:
    return host.status.is_true("Ready"), is_up(host), host.spec.maintenance.mode


def _by_room(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Waiting VMs, when a host may take more than before."""
    old, new = cast("Host | None", before), cast("Host | None", after)
    if new is None or (old is not None and _room_view(old) == _room_view(new)):
        return []
    return _waiting(world)


def _room_view(host: Host) -> object:
    return is_up(host), host.spec.unschedulable, host.spec.maintenance.mode, host.spec.hardware


def _by_release(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Waiting VMs, when another gave up a host, an address or a volume."""
    old, new = cast("VirtualMachine | None", before), cast("VirtualMachine | None", after)
    if old is None:
        return []
    kept = new is not None and (
        new.status.host_name == old.status.host_name
        and new.status.flavor == old.status.flavor
        and new.status.interfaces == old.status.interfaces
        and new.status.volumes == old.status.volumes
    )
    return [] if kept else _waiting(world)


def _vm_of(migration: VirtualMachineMigration) -> list[Key]:
    return [Key(VirtualMachine.KIND, migration.namespace, migration.spec.virtual_machine_name)]


def _by_migration_end(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Waiting VMs, when a migration gave up its target."""
    old, new = cast("VirtualMachineMigration | None", before), cast("VirtualMachineMigration | None", after)
    held = old is not None and old.status.target_host is not None and not is_final(old)
    return _waiting(world) if held and (new is None or is_final(new)) else []


WATCHES = (
    Watch("Flavor", _users(lambda world, key: world.vms_of_flavor[key.name])),
    Watch("Image", _users(lambda world, key: world.vms_of_image[key])),
    Watch("Network", _users(lambda world, key: world.vms_of_network[key])),
    Watch("Volume", _users(lambda world, key: world.vms_of_volume[key])),
    Watch("Host", _by_host),
    Watch("Host", _by_room, GATHER_SECONDS),
    Watch("VirtualMachine", _by_release, GATHER_SECONDS),
    Watch("VirtualMachineMigration", on_change(_vm_of, of=lambda migration: migration.status.phase)),
    Watch("VirtualMachineMigration", _by_migration_end, GATHER_SECONDS),
)
