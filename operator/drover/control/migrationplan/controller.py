"""MigrationPlan: many moves as one intention, planned first, then carried out through migrations.

::

    Pending --> Planned                                   (mode DryRun ends here)
       |
       +------> Queued <--> Migrating --> Succeeded | PartiallySucceeded | Failed
                   |           |
                   +-----------+--------> Cancelling --> Cancelled

While it works, a plan of one VM shows that migration's own phase (PreCopy, StopAndCopy, Commitment, Activation).
A plan writes its own status and creates migrations; it never touches a VM. Migrations are named after plan, VM and
attempt, so a crash between the status and the creation makes none twice.
"""

from __future__ import annotations

from datetime import datetime

from drover.api.meta import FINALIZER
from drover.api.migrationplan import MigrationPlan
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control import conditions
from drover.control.conditions import Verdict, false, true
from drover.control.migrationplan import planning
from drover.control.migrationplan.status import next_status, progress
from drover.control.migrationplan.working import finished, work
from drover.control.outcome import Child, Controller, Delete, Event, Outcome, PatchSpec, Watch, warning
from drover.control.watching import on_change
from drover.control.world import World
from drover.control.world.claims import FINAL_PLAN_PHASES, PLAN_UID_LABEL, is_final, plan_of_migration

GATHER_SECONDS = 0.5
"""Progress of many migrations is gathered into one write of the plan."""


def reconcile(plan: MigrationPlan, world: World, now: datetime) -> Outcome:
    if plan.deleting:
        return _deleted(plan, world)
    if FINALIZER not in plan.metadata.finalizers:
        return Outcome(protect=True)
    if plan.status.phase in FINAL_PLAN_PHASES:
        return Outcome(status=conditions.acknowledged(plan, now))
    if plan.status.phase in (None, "Pending") or _dry_run_changed(plan):
        return _plan(plan, world, now)
    if plan.status.phase == "Planned":
        return Outcome()
    return work(plan, world, now)


def _dry_run_changed(plan: MigrationPlan) -> bool:
    return plan.status.phase == "Planned" and plan.status.observed_generation != plan.metadata.generation


def _plan(plan: MigrationPlan, world: World, now: datetime) -> Outcome:
    if plan.spec.host_name is not None and plan.namespace != world.operator_namespace:
        message = (
            f"spec.hostName drains VMs of every namespace, so it works in namespace {world.operator_namespace} only: "
            f"create the plan there, or name spec.virtualMachines"
        )
        return _refused(plan, now, message)
    if plan.spec.host_name is not None and world.host(plan.spec.host_name) is None:
        return _refused(plan, now, f"host {plan.spec.host_name} does not exist: see `kubectl get hosts`")
    if (wanted := len(planning.scope(plan, world))) > planning.MAX_VMS:
        message = f"{wanted} VMs match spec.selector, a plan moves at most {planning.MAX_VMS}: narrow the selector"
        return _refused(plan, now, message)
    if plan.spec.cancel:
        return finished(plan, world, now, plan.status.migrations, "Cancelled")
    planned = planning.compute(plan, world)
    told = _told(planned)
    events = (Event("PlanComputed", told), *_infeasible(planned))
    if plan.spec.mode == "DryRun":
        verdicts = (true("Ready", "DryRunComplete", told), *_planned_verdicts(planned))
        status = next_status(plan, now, "Planned", planned.migrations, verdicts, estimate=planned.estimate)
        return Outcome(status=status, events=events)
    if not any(entry.phase == "Pending" for entry in planned.migrations):
        return finished(plan, world, now, planned.migrations, None, estimate=planned.estimate)
    verdicts = (false("Ready", "InProgress", progress(planned.migrations)), *_planned_verdicts(planned))
    status = next_status(plan, now, "Queued", planned.migrations, verdicts, estimate=planned.estimate)
    return Outcome(status=status, events=events)


def _refused(plan: MigrationPlan, now: datetime, message: str) -> Outcome:
    verdicts = (false("Ready", "Failed", message), false("Planned", "NotMigratable", message))
    status = next_status(plan, now, "Failed", (), verdicts, end_timestamp=now)
    return Outcome(status=status, events=(warning("PlanFailed", message),))


def _told(planned: planning.Planned) -> str:
    estimate = planned.estimate
    duration, pause = estimate.duration_seconds, estimate.downtime_milliseconds
    moving = sum(entry.phase == "Pending" for entry in planned.migrations)
    return (
        f"{moving} of {len(planned.migrations)} VMs to move, {duration.p50 if duration else 0:.0f} s p50, "
        f"worst pause {pause.p90 if pause else 0:.0f} ms, {estimate.verdict}"
    )


def _infeasible(planned: planning.Planned) -> tuple[Event, ...]:
    wrong = [
        entry for entry in planned.migrations if entry.phase == "Failed" or entry.verdict not in (None, "Converges")
    ]
    if not wrong:
        return ()
    named = ", ".join(f"{e.namespace}/{e.virtual_machine}: {e.reason or e.verdict}" for e in wrong[:5])
    return (warning("PlanInfeasible", named + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")),)


def _planned_verdicts(planned: planning.Planned) -> tuple[Verdict, ...]:
    verdict, warnings = planned.estimate.verdict, planned.estimate.warnings
    detail = "; ".join(warnings[:3])
    feasible = verdict == "Converges"
    return (
        true("Planned", "Planned", _told(planned)),
        true("Feasible", verdict) if feasible else false("Feasible", verdict, detail or verdict),
    )


def _deleted(plan: MigrationPlan, world: World) -> Outcome:
    """A plan goes with its migrations: what runs is cancelled, and all are removed once they have ended."""
    children = world.migrations(world.migrations_of_plan[plan.key])
    mine = [child for child in children if child.metadata.labels.get(PLAN_UID_LABEL) == plan.uid]
    if not mine:
        return Outcome(protect=False)
    todo: list[Child] = []
    for child in mine:
        if is_final(child):
            todo.append(Delete(child))
        elif not child.spec.cancel:
            todo.append(PatchSpec(child, {"cancel": True}))
    return Outcome(children=tuple(todo))


CONTROLLER = Controller(
    MigrationPlan.KIND,
    reconcile,
    (
        Watch(
            VirtualMachineMigration.KIND,
            on_change(plan_of_migration, of=lambda migration: migration.status.phase),
            GATHER_SECONDS,
        ),
    ),
)
