"""Whose turn it is: slots of the pool and of its hosts, given by priority and age."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import MigrationQueue, VirtualMachineMigration
from drover.control.virtualmachinemigration.inputs import copying, limits_of
from drover.control.world import World
from drover.model import migration as model


@dataclass(frozen=True, slots=True)
class Admitted:
    exclude: frozenset[str]
    """Hosts whose inbound slots are all taken."""


@dataclass(frozen=True, slots=True)
class Blocked:
    queue: MigrationQueue


def admission(
    migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime
) -> Admitted | Blocked:
    """Whether a migration may start now, beside all others of its pool that wait or run."""
    pool = vm.status.node_pool_name
    limits = limits_of(world.pool(pool))
    active = [
        model.Active(m.status.source_host or "", m.status.target_host)
        for m in copying(world)
        if _pool_of(m.status.source_host, world) == pool
    ]
    queue = [
        queued for m in world.migrations(world.waiting_migrations[True]) if (queued := _queued(m, pool, world, now))
    ]
    answer = model.admit(queue, active, limits)
    for waiting in answer.waiting:
        if waiting.name == str(migration.key):
            told = MigrationQueue(position=waiting.position, blocked_by=waiting.blocked_by, message=waiting.message)
            return Blocked(told)
    inbound = Counter(running.target for running in active)
    return Admitted(frozenset(host for host, used in inbound.items() if host and used >= limits.inbound))


def _queued(migration: VirtualMachineMigration, pool: str | None, world: World, now: datetime) -> model.Queued | None:
    """A waiting migration of the pool that could start, were there a slot."""
    vm = world.find(Key(VirtualMachine.KIND, migration.namespace, migration.spec.virtual_machine_name))
    if vm is None or vm.status.phase != "Running" or vm.status.node_pool_name != pool or migration.spec.cancel:
        return None
    created = migration.metadata.creation_timestamp or now
    return model.Queued(
        name=str(migration.key),
        source=vm.status.host_name,
        target=migration.spec.target_host_name,
        priority=model.PRIORITIES[migration.spec.priority],
        waited=max(0.0, (now - created).total_seconds()),
    )


def _pool_of(host: str | None, world: World) -> str | None:
    found = world.host(host)
    return found.spec.pool_ref.name if found is not None else None
