"""What ends a migration before its time, while the guest can go on where it is: the rules in the order users ask
about them."""

from __future__ import annotations

from drover.api.host import Host
from drover.api.migrationplan import MigrationPlan
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.virtualmachinemigration.links import hosts_of, no_link
from drover.control.virtualmachinemigration.pending import MIGRATABLE_PHASES
from drover.control.virtualmachinemigration.status import TOO_LATE, End
from drover.control.world import World
from drover.control.world.claims import (
    FINAL_MIGRATION_PHASES,
    FINAL_PLAN_PHASES,
    PLAN_UID_LABEL,
    is_up,
    migration_bandwidth,
)


def premature_end(migration: VirtualMachineMigration, vm: VirtualMachine | None, world: World) -> End | None:
    """The first thing that ends a migration whose VM has not moved."""
    name, status = migration.spec.virtual_machine_name, migration.status
    if (missing := vm_missing(migration, vm)) is not None:
        return End("Failed", "VirtualMachineDeleted", missing)
    assert vm is not None
    if (migration.deleting or migration.spec.cancel) and status.phase not in TOO_LATE:
        return End("Cancelled", "Cancelled", f"cancelled; {name} stays on {vm.status.host_name or 'no host'}")
    if not status.target_host:
        return _abandoned(migration, world)
    if not is_up(world.host(status.source_host)):
        return End("Failed", "SourceHostFailed", _source_lost(world.host(status.source_host), migration))
    if not is_up(world.host(status.target_host)):
        message = f"target host {status.target_host} is lost; {name} goes on running on {status.source_host}"
        return End("Failed", "TargetHostFailed", message)
    if vm.status.phase not in MIGRATABLE_PHASES or vm.status.host_name != status.source_host:
        return End(
            "Failed", "VirtualMachineStopped", f"{name} is {vm.status.phase} on {vm.status.host_name or 'no host'}"
        )
    return severed(migration, world) if status.phase in ("PreCopy", "StopAndCopy") else None


def vm_missing(migration: VirtualMachineMigration, vm: VirtualMachine | None) -> str | None:
    """Why there is no VM to move; ``vm`` is the one that has its name."""
    name, uid = migration.spec.virtual_machine_name, migration.status.vm_uid
    if vm is not None and vm.deleting:
        return f"VirtualMachine {name} is being deleted"
    if vm is None or (uid and uid != vm.uid):
        return f"VirtualMachine {name} does not exist in {migration.namespace}: create it, then another migration of it"
    return None


def _source_lost(source: Host | None, migration: VirtualMachineMigration) -> str:
    name, host = migration.spec.virtual_machine_name, migration.status.source_host
    if source is not None and source.spec.fault.type == "NetworkPartition":
        return f"source host {host} is out of reach; {name} stays on it"
    return f"source host {host} is lost; {name} went with it"


def _abandoned(migration: VirtualMachineMigration, world: World) -> End | None:
    """A plan's migration that has not begun ends with its plan, which may not have known yet that it exists."""
    spec = migration.spec
    if not spec.plan_name:
        return None
    namespace = spec.plan_namespace or migration.namespace
    plan = world.plan(namespace, spec.plan_name)
    known = migration.metadata.labels.get(PLAN_UID_LABEL)
    if plan is None or plan.deleting or (known is not None and known != plan.uid):
        return End("Cancelled", "Cancelled", f"cancelled; its plan {namespace}/{spec.plan_name} is gone")
    if plan.spec.cancel or plan.status.phase in FINAL_PLAN_PHASES:
        return End("Cancelled", "Cancelled", f"cancelled; its plan {namespace}/{spec.plan_name} is over")
    if known is not None and _is_given_up(migration, plan):
        return End("Cancelled", "Cancelled", f"cancelled; its plan {namespace}/{spec.plan_name} has given it up")
    return None


def _is_given_up(migration: VirtualMachineMigration, plan: MigrationPlan) -> bool:
    """Whether the plan is done with the VM without this migration, which it may not have known yet when it was."""
    vm = (migration.namespace, migration.spec.virtual_machine_name)
    entries = [entry for entry in plan.status.migrations if (entry.namespace, entry.virtual_machine) == vm]
    if not entries:
        return bool(plan.status.migrations)  # it has been planned anew without that VM
    return any(entry.phase in FINAL_MIGRATION_PHASES and entry.migration != migration.name for entry in entries)


def severed(migration: VirtualMachineMigration, world: World) -> End | None:
    """The link may be taken away in mid-copy: hardware can be changed."""
    source, target = hosts_of(migration, world)
    return None if migration_bandwidth(source) and migration_bandwidth(target) else no_link(source, target)
