"""What must hold once faults and users have stopped and nothing is written any more.

Migrations, plans and deletions have ended, and every VM that should run and fits somewhere runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.migrationplan import MigrationPlan
from drover.api.virtualmachine import VirtualMachine
from drover.api.volume import Volume
from drover.control.virtualmachine.choosing import choose, request_for
from drover.control.virtualmachine.prerequisites import Missing, resolve_flavor
from drover.control.world import World
from drover.control.world.claims import FINAL_PLAN_PHASES
from drover.model.placement import Placed
from drover.sim.picture import FINAL, Picture
from drover.sim.store import Store


def unrest(store: Store) -> list[str]:
    """Everything that should have ended and has not, in words."""
    picture = Picture.of(store)
    return [
        *_unfinished_migrations(picture),
        *_unfinished_plans(store),
        *_unfinished_deletions(store),
        *_idle_though_room(picture, store),
    ]


def _unfinished_migrations(picture: Picture) -> Iterator[str]:
    for migration in picture.migrations.values():
        if migration.status.phase not in FINAL:
            yield f"unfinished: migration {migration.key} is {migration.status.phase} ({_why(migration)})"


def _unfinished_plans(store: Store) -> Iterator[str]:
    for plan in store:
        if not isinstance(plan, MigrationPlan) or plan.status.phase in FINAL_PLAN_PHASES:
            continue
        if plan.spec.mode == "Execute" or plan.status.phase != "Planned":
            yield f"unfinished: plan {plan.key} is {plan.status.phase} ({_why(plan)})"


def _unfinished_deletions(store: Store) -> Iterator[str]:
    used = {key for resource in store for key in _uses(resource)}
    for resource in store:
        if resource.deleting and resource.key not in used:
            yield f"unfinished: the deletion of {resource.key} ({_why(resource)})"


def _idle_though_room(picture: Picture, store: Store) -> Iterator[str]:
    world = _world_of(store)
    for vm in picture.vms.values():
        if vm.spec.run_strategy != "Always" or vm.deleting or vm.status.phase in ("Running", "Paused"):
            continue
        prerequisites = vm.status.condition("PrerequisitesReady")
        if prerequisites is not None and prerequisites.status != "True":
            continue
        room = _room(vm, world)
        if room or vm.status.phase != "Unschedulable":
            yield f"idle: {vm.key} is {vm.status.phase}, room on {room or 'no host'} ({_why(vm)})"
        elif vm.status.placement is not None and vm.status.placement.preempts:
            yield f"idle: {vm.key} waits for {', '.join(vm.status.placement.preempts)} to make room"


def _world_of(store: Store) -> World:
    """What an operator that starts now would see."""
    world = World()
    for resource in store:
        world.observe(resource)
    return world


def _room(vm: VirtualMachine, world: World) -> str | None:
    """The host that somebody who looks now would choose."""
    size = resolve_flavor(vm, world)
    if isinstance(size, Missing):
        return None
    decision = choose(vm, request_for(vm, size, world), world)
    return decision.host if isinstance(decision, Placed) else None


def _uses(user: AnyResource) -> Iterator[Key]:
    """What a deletion rightly waits for: everything that ``user`` refers to or holds."""
    if isinstance(user, VirtualMachine):
        spec, status = user.spec, user.status
        yield Key("Flavor", "", spec.flavor_ref.name)
        if status.host_name:
            yield Key("Host", "", status.host_name)
        if spec.placement.placement_group_name:
            yield Key("PlacementGroup", user.namespace, spec.placement.placement_group_name)
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
