"""VirtualMachineMigration: one VM, one live move, through the stages of pre-copy (Clark et al. 2005).

::

    Pending --> PreparingTarget --> PreCopy --> StopAndCopy --> Commitment --> Activation --> Succeeded
       |         (target claimed)   (passes)   (guest paused)    |      ^     (the VM has moved)
       |               |               |          |    |         |      |
       |               |               |          |    +-----> PostCopy-+
       |               |               |          |         |  (guest runs on the target)
       |               |               |          |         |      |
       +---------------+---------------+----------+---------+      +--> Failed     (the guest is lost)
       +---------------+---------------+----------+---------+---------> Failed     (the VM is intact on its source)
       +---------------+---------------+----------+-------------------> Cancelled  (likewise)

The target is claimed in the PATCH that leaves Pending. The point of no return is not ours: it is the VM's PATCH of
``hostName``, which it makes once it sees our Commitment confirmed; in post-copy it is the PATCH that says so
(``postcopy``). Each phase's work starts where the one before it ended, not when somebody looked, so an operator that
was down catches up to where the move would have been.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from drover.api.meta import FINALIZER
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.outcome import Controller, Outcome, warning
from drover.control.virtualmachinemigration.copying import pre_copy, preparing
from drover.control.virtualmachinemigration.endings import premature_end
from drover.control.virtualmachinemigration.handover import activation, commitment, committed, stop_and_copy
from drover.control.virtualmachinemigration.pending import pending
from drover.control.virtualmachinemigration.postcopy import past_return
from drover.control.virtualmachinemigration.retention import over
from drover.control.virtualmachinemigration.status import TOO_LATE, ended, still
from drover.control.virtualmachinemigration.watches import WATCHES
from drover.control.world import World
from drover.control.world.claims import is_final, is_post_copy


def reconcile(migration: VirtualMachineMigration, world: World, now: datetime) -> Outcome:
    if is_final(migration):
        return over(migration, world, now)
    if FINALIZER not in migration.metadata.finalizers:
        return Outcome() if migration.deleting else Outcome(protect=True)
    vm = world.get(VirtualMachine, migration.namespace, migration.spec.virtual_machine_name)
    return _too_late_to_cancel(migration, _next(migration, vm, world, now), now)


def _next(migration: VirtualMachineMigration, vm: VirtualMachine | None, world: World, now: datetime) -> Outcome:
    if _has_moved(migration, vm):
        if migration.status.phase == "Commitment":
            return commitment(migration, vm, world, now)
        return activation(migration, world, now)
    if vm is not None and vm.uid == migration.status.vm_uid and is_post_copy(migration):
        return past_return(migration, vm, world, now)
    end = premature_end(migration, vm, world)
    if end is not None:
        return ended(migration, now, end)
    assert vm is not None, "a migration without its VM has ended"
    match migration.status.phase:
        case "PreparingTarget":
            return preparing(migration, world, now) if _is_expected(migration, vm, world) else Outcome()
        case "PreCopy":
            return pre_copy(migration, vm, world, now)
        case "StopAndCopy":
            return stop_and_copy(migration, vm, world, now)
        case "Commitment":
            return commitment(migration, vm, world, now)
        case _:
            return pending(migration, vm, world, now)


def _has_moved(migration: VirtualMachineMigration, vm: VirtualMachine | None) -> bool:
    if migration.status.phase == "Activation":
        return True
    return migration.status.phase == "Commitment" and vm is not None and committed(migration, vm)


def _is_expected(migration: VirtualMachineMigration, vm: VirtualMachine, world: World) -> bool:
    """Whether the VM names this migration as the one under way: whatever becomes of its guest, it will ask there."""
    sides = (vm, world.confirmed(vm.key))
    summaries = [side.status.migration for side in sides if isinstance(side, VirtualMachine)]
    return all(summary is not None and summary.current == migration.name for summary in summaries)


def _too_late_to_cancel(migration: VirtualMachineMigration, outcome: Outcome, now: datetime) -> Outcome:
    """Say once that a cancel comes too late, in whatever is written."""
    asked = migration.spec.cancel or migration.deleting
    if not asked or migration.status.phase not in TOO_LATE or migration.status.abort_status == "Failed":
        return outcome
    name, target = migration.spec.virtual_machine_name, migration.status.target_host
    told = f"too late to cancel: {name} is going over to {target}; move it back when {migration.name} is over"
    status = outcome.status if outcome.status is not None else still(migration, now)
    return replace(outcome, status=status, events=(warning("FailedAbortMigration", told), *outcome.events))


CONTROLLER = Controller(VirtualMachineMigration.KIND, reconcile, WATCHES)
