"""Whose turn it is: slots of the pool and of its hosts, given by priority and age."""

from __future__ import annotations

from dataclasses import dataclass

from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import MigrationQueue, VirtualMachineMigration
from drover.control.virtualmachinemigration.inputs import limits_of
from drover.control.world import World
from drover.control.world.queues import HELD_BY_OTHERS, is_parked
from drover.model import migration as model


@dataclass(frozen=True, slots=True)
class Admitted:
    exclude: frozenset[str]
    """Hosts whose inbound slots are all taken."""


@dataclass(frozen=True, slots=True)
class Blocked:
    queue: MigrationQueue


def admission(migration: VirtualMachineMigration, vm: VirtualMachine, world: World) -> Admitted | Blocked:
    """Whether a migration may start now, beside all others of its pool that wait or run."""
    own, told = world.queues.place(migration.key), migration.status.queue
    if own is None:
        return Blocked(told or MigrationQueue(message=f"{vm.name} is {vm.status.phase}, not Running yet"))
    pool = str(vm.status.node_pool_name)
    slots = slots_of(pool, world)
    waiting = model.wait_of(own, world.queues.line(pool), slots)
    if waiting is None:
        return Admitted(slots.inbound_full())
    if told is not None and told.blocked_by in HELD_BY_OTHERS:
        told = None
    if told is not None and (is_parked(migration) or _without_place(told.message) == _without_place(waiting.message)):
        return Blocked(told)
    return Blocked(MigrationQueue(position=waiting.position, blocked_by=waiting.blocked_by, message=waiting.message))


def _without_place(message: str | None) -> str:
    """What is waited for. A place in the line that has changed is not worth a write."""
    return (message or "").rpartition("; position ")[0]


def slots_of(pool: str, world: World) -> model.Slots:
    """The slots of a pool and its hosts, with what is taken of them."""
    slots = model.Slots(limits_of(world.pool(pool)))
    for source, target in world.queues.routes():
        host = world.host(source)
        if host is not None and host.spec.pool_ref.name == pool:
            slots.take(source, target)
        else:
            slots.take_hosts(source, target)
    return slots


def next_in_line(world: World) -> list[Key]:
    """Waiting migrations that have what they waited for, as far as slots go."""
    held = {key for by in HELD_BY_OTHERS for key in world.parked_migrations[by]}
    first = [
        Key(VirtualMachineMigration.KIND, *queued.name)
        for pool in world.queues.pools()
        for queued in model.may_start(world.queues.line(pool), slots_of(pool, world))
    ]
    return [key for key in first if key not in held]
