"""Migrations that are over: how long they are kept, and what the API server is told of late edits."""

from __future__ import annotations

from datetime import datetime, timedelta

from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control import conditions
from drover.control.outcome import Delete, Outcome
from drover.control.virtualmachine.migrating import lost_in_post_copy
from drover.control.world import World
from drover.control.world.claims import is_final

KEPT_FINISHED = 5
"""Finished migrations of a VM that are kept to be read (as KubeVirt does); the plan keeps the summary of all."""


def over(migration: VirtualMachineMigration, world: World, now: datetime) -> Outcome:
    if migration.deleting:
        return Outcome() if _is_news(migration, world) else Outcome(protect=False)
    status, expiry = conditions.acknowledged(migration, now), _expiry(migration)
    if expiry is not None and now >= expiry:
        return Outcome(children=(Delete(migration),))
    return Outcome(status=status, children=_outdated(migration, world), requeue_at=expiry)


def _is_news(migration: VirtualMachineMigration, world: World) -> bool:
    """Whether its VM has yet to learn from it that its guest is lost."""
    vm = world.confirmed(_vm_of(migration))
    return isinstance(vm, VirtualMachine) and lost_in_post_copy(vm, world) is not None


def _expiry(migration: VirtualMachineMigration) -> datetime | None:
    seconds, end = migration.spec.ttl_seconds_after_finished, migration.status.end_timestamp
    return end + timedelta(seconds=seconds) if seconds is not None and end is not None else None


def _outdated(migration: VirtualMachineMigration, world: World) -> tuple[Delete, ...]:
    """The VM's finished migrations beyond the newest few. What a user created is the user's to delete."""
    siblings = world.migrations(world.migrations_of_vm[_vm_of(migration)])
    ended = [(m.status.end_timestamp, m.name, m) for m in siblings if is_final(m) and m.spec.plan_name]
    dated = sorted((at, name, m) for at, name, m in ended if at is not None)
    return tuple(Delete(m) for _, _, m in dated[:-KEPT_FINISHED])


def _vm_of(migration: VirtualMachineMigration) -> Key:
    return Key(VirtualMachine.KIND, migration.namespace, migration.spec.virtual_machine_name)
