"""A VM's side of its live migration: it shows Migrating, and its PATCH of ``hostName`` is the commit point."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from drover.api.virtualmachine import MigrationSummary, VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.conditions import true
from drover.control.outcome import Event, Outcome, warning
from drover.control.virtualmachine import usage
from drover.control.virtualmachine.status import next_status, runs_on
from drover.control.world import World
from drover.control.world.claims import is_up


def commit_ready(vm: VirtualMachine, world: World) -> bool:
    """Whether the VM must move to its target now.

    The migration's Commitment has to be confirmed: were it only assumed, a cancel could still refuse it. The target
    has to be alive, for after the commit there is no way back.
    """
    migration = world.migration_of(vm)
    if migration is None or migration.status.phase != "Commitment" or vm.status.phase != "Migrating":
        return False
    confirmed = cast("VirtualMachineMigration | None", world.confirmed(migration.key))
    return (
        confirmed is not None
        and confirmed.status.phase == "Commitment"
        and migration.status.source_host == vm.status.host_name
        and is_up(world.host(migration.status.target_host))
    )


def follow_migration(vm: VirtualMachine, world: World, now: datetime, *, commit: bool) -> Outcome:
    migration = world.migration_of(vm)
    if commit and migration is not None:
        return _commit(vm, migration, world, now)
    if migration is not None and vm.status.host_name != migration.status.target_host:
        return _migrating(vm, migration, now)
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


def _migrating(vm: VirtualMachine, migration: VirtualMachineMigration, now: datetime) -> Outcome:
    before = vm.status.migration or MigrationSummary()
    route = f"{migration.status.source_host} to {migration.status.target_host}"
    status = next_status(
        vm,
        now,
        "Migrating",
        true("Ready", "Running", f"guest runs on {vm.status.host_name}, migrating from {route}"),
        migration=before.model_copy(update={"current": migration.name}),
    )
    known = before.current == migration.name
    return Outcome(status=status, events=() if known else (Event("Migrating", f"from {route}"),))


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
        migration=MigrationSummary(last=migration.name, last_result="Succeeded"),
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
    result = "Failed" if ended is not None and ended.status.phase == "Failed" else "Cancelled"
    summary = vm.status.migration or MigrationSummary()
    status = next_status(
        vm,
        now,
        "Running",
        runs_on(str(vm.status.host_name)),
        migration=MigrationSummary(last=summary.current, last_result=result),
    )
    told = f"migration {summary.current} ended: {reason}; guest goes on running on {vm.status.host_name}"
    event = warning("MigrationFailed", told) if result == "Failed" else Event("MigrationCancelled", told)
    return Outcome(status=status, events=(event,))
