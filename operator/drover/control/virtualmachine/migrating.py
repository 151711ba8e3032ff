"""A VM's side of its live migration: it shows Migrating, and its PATCH of ``hostName`` is the commit point.

In post-copy the guest runs on the target before that. The VM then does nothing else until the migration is over; where
that was interrupted, it learns that its guest died, and goes on as after the loss of a host (``losing``).
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

from drover.api.host import Host
from drover.api.meta import Key
from drover.api.virtualmachine import LastMigrationResult, MigrationSummary, VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.conditions import Verdict, false, true
from drover.control.outcome import Event, Outcome, warning
from drover.control.virtualmachine import usage
from drover.control.virtualmachine.losing import WINDOW_SECONDS, is_dead, lost_at
from drover.control.virtualmachine.status import next_status, runs_on
from drover.control.world import World
from drover.control.world.claims import is_post_copy, is_up

MOVES_KEPT = 100


def commit_ready(vm: VirtualMachine, world: World) -> bool:
    """Whether the VM must move to its target now.

    The migration's Commitment has to be confirmed: were it only assumed, a cancel could still refuse it. The target
    has to be alive, for after the commit there is no way back.
    """
    migration = world.migration_of(vm)
    if migration is None or migration.status.phase != "Commitment" or vm.status.phase != "Migrating":
        return False
    confirmed = _confirmed(migration.key, world)
    return (
        confirmed is not None
        and confirmed.status.phase == "Commitment"
        and migration.status.source_host == vm.status.host_name
        and is_up(world.host(migration.status.target_host))
    )


def in_post_copy(vm: VirtualMachine, world: World) -> bool:
    """Whether its guest runs on the target of its migration already, by what is visible or by what is confirmed."""
    migration = world.migration_of(vm)
    sides = (migration, _confirmed(migration.key, world)) if migration is not None else ()
    return any(
        side is not None and is_post_copy(side) and side.status.source_host == vm.status.host_name for side in sides
    )


def lost_in_post_copy(vm: VirtualMachine, world: World) -> VirtualMachineMigration | None:
    """The migration that its guest was lost in, as long as the VM does not know. Only a confirmed one: while it is
    assumed, the host may yet come back.
    """
    name = vm.status.migration.current if vm.status.migration else None
    migration = _confirmed(Key(VirtualMachineMigration.KIND, vm.namespace, name), world) if name else None
    interrupted = (
        migration is not None
        and migration.status.vm_uid == vm.uid
        and migration.status.phase == "Failed"
        and migration.status.failure_reason == "PostCopyInterrupted"
    )
    return migration if interrupted else None


def guest_lost(vm: VirtualMachine, migration: VirtualMachineMigration, world: World, now: datetime) -> Outcome:
    """It died on the target, or was ended there, without the pages that it still needed."""
    target = cast("Host | None", world.confirmed(Key(Host.KIND, "", migration.status.target_host or "")))
    at = lost_at(target, now) if is_dead(target) else migration.status.end_timestamp or now
    ready = migration.status.condition("Ready")
    message = f"guest was lost in post-copy by {migration.name}: {ready.message if ready else 'interrupted'}"
    status = next_status(
        vm,
        now,
        "Unknown",
        false("Ready", "HostUnreachable", message),
        last_start_time=None,
        transition_started_at=None,
        usage=usage.storage_only(vm.status.usage, at, vm.status.flavor, "Unknown"),
        migration=_over(vm, migration.name, "Failed", world, now),
    )
    return Outcome(status=status, events=(warning("HostLost", message), warning("MigrationFailed", message)))


def follow_migration(vm: VirtualMachine, world: World, now: datetime, *, commit: bool) -> Outcome:
    migration = world.migration_of(vm)
    if commit and migration is not None:
        return _commit(vm, migration, world, now)
    if migration is not None and vm.status.host_name != migration.status.target_host:
        return _migrating(vm, migration, world, now)
    return _migrated_or_not(vm, world, now)


def last_migration(vm: VirtualMachine, world: World) -> VirtualMachineMigration | None:
    """The migration the status names: the one under way, else the one that ended last."""
    summary = vm.status.migration
    name = (summary.current or summary.last) if summary else None
    return world.get(VirtualMachineMigration, vm.namespace, name) if name else None


def has_failed_to_migrate(vm: VirtualMachine, world: World, since: datetime | None) -> bool:
    """Whether a migration of the VM has failed since an instant; False where that is not known."""
    ended = (
        m.status.end_timestamp for m in world.migrations(world.migrations_of_vm[vm.key]) if m.status.phase == "Failed"
    )
    return since is not None and any(end is not None and end >= since for end in ended)


def _migrating(vm: VirtualMachine, migration: VirtualMachineMigration, world: World, now: datetime) -> Outcome:
    before = vm.status.migration or MigrationSummary()
    ready = _post_copy_ready(migration, world) if in_post_copy(vm, world) else None
    route = f"{migration.status.source_host} to {migration.status.target_host}"
    status = next_status(
        vm,
        now,
        "Migrating",
        ready or true("Ready", "Running", f"guest runs on {vm.status.host_name}, migrating from {route}"),
        migration=before.model_copy(update={"current": migration.name}),
    )
    known = before.current == migration.name
    return Outcome(status=status, events=() if known else (Event("Migrating", f"from {route}"),))


def _post_copy_ready(migration: VirtualMachineMigration, world: World) -> Verdict:
    source, target = migration.status.source_host, migration.status.target_host
    down = [str(name) for name in (target, source) if not is_up(world.host(name))]
    if down and (migration.status.phase == "PostCopy" or target in down):
        message = f"guest runs on {target} in post-copy, and host {down[0]} is lost: waiting until it is back or fenced"
        return Verdict("Ready", "Unknown", "HostUnreachable", message)
    return true("Ready", "Running", f"guest runs on {target} and pulls its memory from {source}; it cannot stop before")


def _commit(vm: VirtualMachine, migration: VirtualMachineMigration, world: World, now: datetime) -> Outcome:
    target = world.host(migration.status.target_host)
    assert target is not None
    assert vm.status.flavor is not None
    zone = target.spec.failure_domain
    status = next_status(
        vm,
        now,
        "Running",
        runs_on(target.name),
        host_name=target.name,
        node_pool_name=target.spec.pool_ref.name,
        failure_domain=zone,
        numa_cells=migration.status.resources.numa_cells if migration.status.resources else (),
        usage=usage.running(vm.status.usage, now, vm.status.flavor, zone),
        migration=_over(vm, migration.name, "Succeeded", world, now),
    )
    pause = migration.status.result.downtime_milliseconds if migration.status.result else 0.0
    told = f"from {vm.status.host_name} to {target.name}, downtime {pause:.0f} ms"
    return Outcome(status=status, events=(Event("Migrated", told),))


def _migrated_or_not(vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    """No migration is under way any more: the guest runs where it is."""
    if vm.status.phase != "Migrating":
        return Outcome()
    ended = last_migration(vm, world)
    reason = (ended.status.failure_reason or ended.status.phase) if ended is not None else "Cancelled"
    result: LastMigrationResult = "Failed" if ended is not None and ended.status.phase == "Failed" else "Cancelled"
    name = vm.status.migration.current if vm.status.migration else None
    status = next_status(
        vm,
        now,
        "Running",
        runs_on(str(vm.status.host_name)),
        migration=_over(vm, name, result, world, now),
    )
    told = f"migration {name} ended: {reason}; guest goes on running on {vm.status.host_name}"
    event = warning("MigrationFailed", told) if result == "Failed" else Event("MigrationCancelled", told)
    return Outcome(status=status, events=(event,))


def _over(
    vm: VirtualMachine, name: str | None, result: LastMigrationResult, world: World, now: datetime
) -> MigrationSummary:
    before = vm.status.migration or MigrationSummary()
    since = now - world.pace(vm.status.node_pool_name).wall(WINDOW_SECONDS)
    moved = [at for at in before.moved_at if at > since] + ([now] if result == "Succeeded" else [])
    return MigrationSummary(last=name, last_result=result, count_24h=len(moved), moved_at=tuple(moved[-MOVES_KEPT:]))


def _confirmed(key: Key, world: World) -> VirtualMachineMigration | None:
    return cast("VirtualMachineMigration | None", world.confirmed(key))
