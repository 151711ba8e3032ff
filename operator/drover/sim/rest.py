"""What must hold once faults and users have stopped and nothing is written any more.

Migrations and deletions have ended, and every VM that should run and fits somewhere runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from drover.api.flavor import Flavor
from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.virtualmachine import VirtualMachine
from drover.api.volume import Volume
from drover.sim.invariants import FINAL, Amounts, Picture, allocatable, allocated
from drover.sim.store import Store


def unrest(store: Store) -> list[str]:
    """Everything that should have ended and has not, in words."""
    picture = Picture.of(store)
    return [
        *_unfinished_migrations(picture),
        *_unfinished_deletions(store),
        *_idle_though_room(picture, store),
    ]


def _unfinished_migrations(picture: Picture) -> Iterator[str]:
    for migration in picture.migrations.values():
        if migration.status.phase not in FINAL:
            yield f"unfinished: migration {migration.key} is {migration.status.phase} ({_why(migration)})"


def _unfinished_deletions(store: Store) -> Iterator[str]:
    used = {key for resource in store for key in _uses(resource)}
    for resource in store:
        if resource.deleting and resource.key not in used:
            yield f"unfinished: the deletion of {resource.key} ({_why(resource)})"


def _idle_though_room(picture: Picture, store: Store) -> Iterator[str]:
    for vm in picture.vms.values():
        if vm.spec.run_strategy != "Always" or vm.deleting or vm.status.phase in ("Running", "Paused"):
            continue
        prerequisites = vm.status.condition("PrerequisitesReady")
        if prerequisites is not None and prerequisites.status != "True":
            continue
        room = [host.name for host in picture.hosts.values() if _fits(vm, host, picture, store)]
        if room or vm.status.phase != "Unschedulable":
            yield f"idle: {vm.key} is {vm.status.phase}, room on {', '.join(room) or 'no host'} ({_why(vm)})"


def _fits(vm: VirtualMachine, host: Host, picture: Picture, store: Store) -> bool:
    placement, hardware = vm.spec.placement, host.spec.hardware
    wanted = _size(vm, store)
    if wanted is None or host.deleting or host.spec.unschedulable or host.spec.maintenance.mode != "None":
        return False
    claimed = zip(allocated(picture, host.name), wanted, allocatable(host), strict=True)
    return (
        host.status.is_true("Ready")
        and placement.node_pool_name in (None, host.spec.pool_ref.name)
        and placement.node_selector.items() <= hardware.labels.items()
        and all(used + asked <= may for used, asked, may in claimed)
    )


def _size(vm: VirtualMachine, store: Store) -> Amounts | None:
    """What the VM would claim: its flavor, or the copy it holds of one that is gone."""
    flavor = cast("Flavor | None", store.get(Key("Flavor", "", vm.spec.flavor_ref.name)))
    if flavor is not None:
        disk = flavor.spec.root_disk
        size = (flavor.spec.cpu.guest * 1000, flavor.spec.memory.guest.bytes)
        return (*size, disk.size.bytes if disk else 0)
    held = vm.status.flavor
    return (held.vcpus * 1000, held.memory_bytes, held.root_disk_bytes) if held else None


def _uses(user: AnyResource) -> Iterator[Key]:
    """What a deletion rightly waits for: everything that ``user`` refers to or holds."""
    if isinstance(user, VirtualMachine):
        spec, status = user.spec, user.status
        yield Key("Flavor", "", spec.flavor_ref.name)
        if status.host_name:
            yield Key("Host", "", status.host_name)
        if spec.image_ref is not None:
            yield Key("Image", spec.image_ref.namespace or user.namespace, spec.image_ref.name)
        for nic in spec.networks:
            yield Key("Network", nic.network_ref.namespace or user.namespace, nic.network_ref.name)
        for interface in status.interfaces:
            yield Key("Network", *interface.network.split("/", 1))
        for disk in spec.volumes:
            name = disk.volume_ref.name if disk.volume_ref else f"{user.name}-{disk.name}"
            yield Key("Volume", user.namespace, name)
        for attached in status.volumes:
            yield Key("Volume", user.namespace, attached.volume)
    elif isinstance(user, Volume) and user.spec.source.ref is not None:
        yield Key("Image", user.spec.source.ref.namespace or user.namespace, user.spec.source.ref.name)
    elif isinstance(user, Host):
        yield Key("NodePool", "", user.spec.pool_ref.name)


def _why(resource: AnyResource) -> str:
    return "; ".join(f"{c.type} {c.status} {c.reason}: {c.message}" for c in resource.status.conditions)
