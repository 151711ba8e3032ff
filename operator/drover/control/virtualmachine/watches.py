"""What wakes a VM: changes of what it needs, of its host and its migration, and room that comes free."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.outcome import Watch
from drover.control.virtualmachine.choosing import request_for
from drover.control.virtualmachine.losing import may_leave
from drover.control.virtualmachine.prerequisites import Missing, resolve_flavor
from drover.control.watching import on_change
from drover.control.world import World
from drover.control.world.claims import Want, is_final, is_up, nominated_by, preempted_by, waits_like
from drover.control.world.cohorts import is_required_anti_affinity
from drover.model.placement import Request, pick
from drover.model.placement.scoring import INFEASIBLE

MAX_WOKEN = 64
"""VMs waiting for the same that are woken at once."""
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


def _short_of_things(world: World) -> list[Key]:
    """VMs that wait for something other than a host."""
    return [key for phase in ("Pending", "Provisioning") for key in world.vms_unplaced[phase]]


def _next_of(waited: Want, world: World) -> list[Key]:
    """The first of VMs that wait for the same; as each is placed the next is woken (``_by_leaving``).

    They are of one priority, so the oldest is the most urgent.
    """
    return world.vms_unschedulable.first(waited, MAX_WOKEN)


def _fitting(hosts: Iterable[str | None], world: World) -> list[Key]:
    """Unschedulable VMs that could now go to one of the hosts, for all that the hosts themselves say; and those that
    wait for failover capacity, which any room adds to.
    """
    ledger = world.ledger
    slots = ledger.table.slots(host for host in hosts if host)

    def fits(waited: Want) -> bool:
        request = _request(waited, world)
        row = ledger.table.scores.row(request.signature) if request is not None else None
        return row is None or bool((row[slots] > INFEASIBLE).any())

    return _who(lambda waited: waited.failover or fits(waited), world) if slots else []


def _who(wait_for_it: Callable[[Want], bool], world: World) -> list[Key]:
    """The first Unschedulable VMs of each sort that waits for something."""
    return [key for waited in world.vms_unschedulable if wait_for_it(waited) for key in _next_of(waited, world)]


def _request(waited: Want, world: World) -> Request | None:
    """What the first of VMs that wait for the same asks for; None where none waits, or the flavor is gone."""
    for vm in world.vms(world.vms_unschedulable.first(waited, 1)):
        size = resolve_flavor(vm, world)
        return None if isinstance(size, Missing) else request_for(vm, size, world)
    return None


def _by_host(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """VMs on a host that came up, went down, was fenced or is to be drained; and those on their way from or to it."""
    old, new = cast("Host | None", before), cast("Host | None", after)
    name = cast(AnyResource, after if after is not None else before).name
    same = old is not None and new is not None and _vm_view(old) == _vm_view(new)
    moving = world.migrations(world.migrations_at[name]) if not same else ()
    return [] if same else world.vms_on[name] + [key for migration in moving for key in _vm_of(migration)]


def _vm_view(host: Host) -> object:
    ready = host.status.condition("Ready")
    return ready and ready.status, may_leave(host), is_up(host), host.spec.maintenance.mode


def _by_room(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Unschedulable VMs, when a host may take more than before."""
    old, new = cast("Host | None", before), cast("Host | None", after)
    # A domain without hosts is none to spread over any more.
    woken = _who(lambda waited: waited.beside, world) if new is None else []
    if new is None or (old is not None and _room_view(old) == _room_view(new)):
        return woken
    return _fitting([new.name], world)


def _room_view(host: Host) -> object:
    spec = host.spec
    where = spec.failure_domain, spec.rack
    return is_up(host), spec.unschedulable, spec.maintenance.mode, spec.hardware, spec.taints, where


def _by_release(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Waiting VMs, when another gave up a host, an address or a volume, or may be beside them now."""
    old, new = cast("VirtualMachine | None", before), cast("VirtualMachine | None", after)
    woken = []
    if _held_things(old) != _held_things(new) and old is not None:
        woken += _short_of_things(world)
    there = _place(old)
    if old is not None and there is not None and there != _place(new):
        woken += _fitting([there[0]], world) + world.vms_preempting[old.key]
    if _company(old) != _company(new):
        woken += _beside(cast(VirtualMachine, old or new), world)
    return woken


def _held_things(vm: VirtualMachine | None) -> object:
    return (vm.status.interfaces, vm.status.volumes) if vm is not None else None


def _place(vm: VirtualMachine | None) -> tuple[str, object] | None:
    """The host a VM holds, and how much of it."""
    return (vm.status.host_name, vm.status.flavor) if vm is not None and vm.status.host_name else None


def _company(vm: VirtualMachine | None) -> object:
    """What a VM on a host is to those who look beside them."""
    placed = vm is not None and vm.status.host_name
    return (vm.status.host_name, vm.metadata.labels, vm.metadata.generation) if vm is not None and placed else None


def _beside(vm: VirtualMachine, world: World) -> list[Key]:
    """Unschedulable VMs to which it matters that this one came, went or changed."""
    repels = bool(vm.status.host_name) and any(map(is_required_anti_affinity, vm.spec.placement.affinity))

    def matters(waited: Want) -> bool:
        return waited.failover or (waited.namespace == vm.namespace and (waited.beside or repels))

    return _who(matters, world)


def _by_leaving(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """The next VM that waits for the same, when one of them no longer waits: placed, stopped or gone.

    Those before it have been woken already.
    """
    old, new = cast("VirtualMachine | None", before), cast("VirtualMachine | None", after)
    if old is None or not (waited := waits_like(old)) or (new is not None and waits_like(new) == waited):
        return []
    request = _request(waited[0], world)
    if request is None or pick(world.ledger, request) is None:
        return []
    return _next_of(waited[0], world)[MAX_WOKEN - 1 :]


def _by_nomination(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """VMs that are to make room for another, or need not wait for it any more; and those kept off a host where room was
    being made, once it is not.
    """
    old, new = cast("VirtualMachine | None", before), cast("VirtualMachine | None", after)
    hosts = set(nominated_by(old) if old else ()) - set(nominated_by(new) if new else ())
    named, freed = preempted_by(new) if new else [], preempted_by(old) if old else []
    return named + [key for key in freed if key not in named] + _fitting(hosts, world)


def _vm_of(migration: VirtualMachineMigration) -> list[Key]:
    return [Key(VirtualMachine.KIND, migration.namespace, migration.spec.virtual_machine_name)]


def _by_migration_end(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Unschedulable VMs, when a migration gave up its target."""
    old, new = cast("VirtualMachineMigration | None", before), cast("VirtualMachineMigration | None", after)
    held = old is not None and old.status.target_host is not None and not is_final(old)
    if old is None or not held or not (new is None or is_final(new)):
        return []
    beside = _who(lambda waited: waited.beside and waited.namespace == old.namespace, world)
    return _fitting([old.status.target_host], world) + beside


def _by_rules(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Every Unschedulable VM, when the rules of a pool or the priority of a class have changed."""
    if before is not None and after is not None and before.spec == after.spec:
        return []
    return _who(lambda _: True, world)


WATCHES = (
    Watch("Flavor", _users(lambda world, key: world.vms_of_flavor[key.name])),
    Watch("Image", _users(lambda world, key: world.vms_of_image[key])),
    Watch("Network", _users(lambda world, key: world.vms_of_network[key])),
    Watch("Volume", _users(lambda world, key: world.vms_of_volume[key])),
    Watch("PlacementGroup", _users(lambda world, key: world.vms_of_group[key])),
    Watch("Host", _by_host),
    Watch("Host", _by_room, GATHER_SECONDS),
    Watch("VirtualMachine", _by_release, GATHER_SECONDS),
    Watch("VirtualMachine", _by_leaving),
    Watch("VirtualMachine", _by_nomination),
    Watch("NodePool", _by_rules, GATHER_SECONDS),
    Watch("PriorityClass", _by_rules, GATHER_SECONDS),
    Watch("VirtualMachineMigration", on_change(_vm_of, of=lambda migration: migration.status.phase)),
    Watch("VirtualMachineMigration", _by_migration_end, GATHER_SECONDS),
)
