"""Which VMs may be moved live at all, whatever the targets."""

from __future__ import annotations

from collections.abc import Container, Iterator

from drover.api.meta import Key
from drover.api.migrationplan import MigrationPlan
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.migrationplan.targets import scope
from drover.control.virtualmachine.power import power_of
from drover.control.virtualmachine.preempted import preempted_for
from drover.control.world import World
from drover.control.world.claims import FINAL_MIGRATION_PHASES, FINAL_PLAN_PHASES, is_up


def under_way(world: World) -> dict[Key, str | None]:
    """The VMs that a migration or an unfinished plan, be it paused, moves or is to move, with the target it names."""
    planned = [entry for plan in world.all(MigrationPlan) for entry in _planned(plan, world)]
    migrations = world.migrations(world.active_migrations[True])
    begun = [
        (m.namespace, m.spec.virtual_machine_name, m.status.target_host or m.spec.target_host_name) for m in migrations
    ]
    return {Key(VirtualMachine.KIND, namespace, name): target for namespace, name, target in (*planned, *begun)}


def _target(migration: VirtualMachineMigration) -> str | None:
    return migration.status.target_host or migration.spec.target_host_name


def _planned(plan: MigrationPlan, world: World) -> Iterator[tuple[str, str, str | None]]:
    if plan.spec.mode == "DryRun" or plan.status.phase in FINAL_PLAN_PHASES:
        return
    for entry in plan.status.migrations:
        if entry.phase not in FINAL_MIGRATION_PHASES or entry.retry_after is not None:
            yield entry.namespace, entry.virtual_machine, entry.target
    if not plan.status.migrations:
        yield from ((wanted.namespace, wanted.name, wanted.target) for wanted in scope(plan, world))


def stays_because(vm: VirtualMachine, world: World, moving: Container[Key]) -> str | None:
    """Why a VM that is on a host is left alone, in words that many VMs share; None where it may be moved."""
    host, power = world.host(vm.status.host_name), power_of(vm)
    if host is None or host.deleting or not is_up(host):
        return "on a host that is not up"
    if host.spec.maintenance.mode != "None":
        return "on a host that is being drained"
    if vm.key in moving or world.migration_of(vm) is not None:
        return "being migrated, or in a plan that is not finished"
    if vm.status.phase != "Running":
        return "not Running"
    if vm.deleting or not power.on or power.paused or power.restart or preempted_for(vm, world) is not None:
        return "about to be stopped or paused"
    if vm.status.flavor is None or vm.status.flavor.gpus:
        return "with GPUs, which cannot be moved live"
    return "with evictionStrategy None" if vm.spec.eviction_strategy == "None" else None
