"""VirtualMachineMigration: one VM, one live move, through the stages of pre-copy (Clark et al. 2005).

::

    Pending --> PreparingTarget --> PreCopy --> StopAndCopy --> Commitment --> Activation --> Succeeded
       |         (target claimed)   (passes)   (guest paused)       |          (the VM has moved)
       |               |               |             |              |
       +---------------+---------------+-------------+--------------+--> Failed     (the VM is intact on its source)
       +---------------+---------------+-------------+-----------------> Cancelled  (likewise)

The target is claimed in the PATCH that leaves Pending. The point of no return is not ours: it is the VM's PATCH of
``hostName``, which it makes once it sees our Commitment confirmed. Each phase's work starts where the one before it
ended, not when somebody looked, so an operator that was down catches up to where the move would have been.
"""

from __future__ import annotations

from datetime import datetime

from drover.api.host import Host
from drover.api.meta import FINALIZER, Key
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control import conditions
from drover.control.outcome import Controller, Delete, Outcome
from drover.control.virtualmachinemigration.copying import (
    activation,
    commitment,
    committed,
    pre_copy,
    preparing,
    stop_and_copy,
)
from drover.control.virtualmachinemigration.links import hosts_of, no_link
from drover.control.virtualmachinemigration.pending import MIGRATABLE_PHASES, pending
from drover.control.virtualmachinemigration.status import End, ended
from drover.control.virtualmachinemigration.watches import WATCHES
from drover.control.world import World
from drover.control.world.claims import FINAL_PLAN_PHASES, PLAN_UID_LABEL, is_final, is_up, migration_bandwidth

KEPT_FINISHED = 5
"""Finished migrations of a VM that are kept to be read (as KubeVirt does); the plan keeps the summary of all."""


def reconcile(migration: VirtualMachineMigration, world: World, now: datetime) -> Outcome:
    if is_final(migration):
        if migration.deleting:
            return Outcome(protect=False)
        return Outcome(status=conditions.acknowledged(migration, now), children=_outdated(migration, world))
    if FINALIZER not in migration.metadata.finalizers:
        return Outcome() if migration.deleting else Outcome(protect=True)
    vm = world.get(VirtualMachine, migration.namespace, migration.spec.virtual_machine_name)
    end = _premature_end(migration, vm, world)
    if end is not None:
        return ended(migration, now, end)
    match migration.status.phase:
        case "PreparingTarget":
            return preparing(migration, world, now)
        case "PreCopy":
            return pre_copy(migration, _present(vm), world, now)
        case "StopAndCopy":
            return stop_and_copy(migration, _present(vm), world, now)
        case "Commitment":
            return commitment(migration, vm, world, now)
        case "Activation":
            return activation(migration, world, now)
        case _:
            return pending(migration, _present(vm), world, now)


def _outdated(migration: VirtualMachineMigration, world: World) -> tuple[Delete, ...]:
    """The VM's finished migrations beyond the newest few. What a user created is the user's to delete."""
    vm = Key(VirtualMachine.KIND, migration.namespace, migration.spec.virtual_machine_name)
    siblings = world.migrations(world.migrations_of_vm[vm])
    ended = [(m.status.end_timestamp, m.name, m) for m in siblings if is_final(m) and m.spec.plan_name]
    dated = sorted((at, name, m) for at, name, m in ended if at is not None)
    return tuple(Delete(m) for _, _, m in dated[:-KEPT_FINISHED])


def _present(vm: VirtualMachine | None) -> VirtualMachine:
    assert vm is not None, "a migration without its VM has ended before"
    return vm


def _has_moved(migration: VirtualMachineMigration, vm: VirtualMachine | None) -> bool:
    if migration.status.phase == "Activation":
        return True
    return migration.status.phase == "Commitment" and vm is not None and committed(migration, vm)


def _premature_end(migration: VirtualMachineMigration, vm: VirtualMachine | None, world: World) -> End | None:
    """The first thing that ends a migration whose VM has not moved; the rules in the order users ask about them."""
    if _has_moved(migration, vm):
        return None
    name, status = migration.spec.virtual_machine_name, migration.status
    if vm is None or vm.deleting or (status.vm_uid and status.vm_uid != vm.uid):
        missing = f"does not exist in {migration.namespace}: create it, then another migration of it"
        gone = "is being deleted" if vm is not None and vm.deleting else missing
        return End("Failed", "VirtualMachineDeleted", f"VirtualMachine {name} {gone}")
    if migration.deleting or (migration.spec.cancel and status.phase != "Commitment"):
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
    return _severed(migration, world)


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
    return None


def _severed(migration: VirtualMachineMigration, world: World) -> End | None:
    """The link may be taken away in mid-copy: hardware can be changed."""
    if migration.status.phase not in ("PreCopy", "StopAndCopy"):
        return None
    source, target = hosts_of(migration, world)
    return None if migration_bandwidth(source) and migration_bandwidth(target) else no_link(source, target)


CONTROLLER = Controller(VirtualMachineMigration.KIND, reconcile, WATCHES)
