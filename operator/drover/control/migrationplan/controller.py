"""MigrationPlan: many moves as one intention, planned first, then carried out through migrations.

::

    Pending --> Planned                                   (mode DryRun ends here)
       |
       +--> AwaitingApproval --approved--> Queued --> Migrating --> Succeeded | PartiallySucceeded | Failed
       |    (approval Manual)                 |           |
       +--------------------------------------+           +--window closed, VMs left--> Expired
                                              |           +--failurePolicy Rollback: VMs home again--> Failed
       a newer plan moves its VMs: Superseded <           |
       its window has closed: Expired        <            |
                              cancel: --------+-----------+--> Cancelling --> Cancelled

While it works, a plan of one VM shows that migration's own phase (PreCopy, StopAndCopy, PostCopy, Commitment,
Activation). A plan that waits is planned anew (PlanRevised) when what it was planned on has changed: as it is about to
begin, when its spec is edited, and once an hour. Nothing starts while it is paused, outside its window, or above its
budget; what is under way ends.

A plan writes its own status and creates migrations; it never touches a VM. Whatever it decides next follows from its
status, its migrations and the time, so it can be interrupted anywhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from drover.api.meta import FINALIZER
from drover.api.migrationplan import MigrationPlan
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control import conditions
from drover.control.migrationplan.holding import has_begun
from drover.control.migrationplan.planning import GATHER_SECONDS
from drover.control.migrationplan.preparing import prepare
from drover.control.migrationplan.rivals import waiting_plans
from drover.control.migrationplan.working import work
from drover.control.outcome import Child, Controller, Delete, Outcome, PatchSpec, Watch
from drover.control.watching import on_change
from drover.control.world import World
from drover.control.world.claims import FINAL_PLAN_PHASES, PLAN_UID_LABEL, is_final, plan_of_migration


def reconcile(plan: MigrationPlan, world: World, now: datetime) -> Outcome:
    if plan.deleting:
        return _deleted(plan, world)
    if FINALIZER not in plan.metadata.finalizers:
        return Outcome(protect=True)
    known = plan.status.observed_generation == plan.metadata.generation
    if known and (over := _over_since(plan)) is not None:
        return _outdated(plan, over, now)
    if plan.status.phase in FINAL_PLAN_PHASES:
        return Outcome(status=conditions.acknowledged(plan, now))
    return work(plan, world, now) if has_begun(plan) else prepare(plan, world, now)


def _over_since(plan: MigrationPlan) -> datetime | None:
    """When a plan came to its end; a dry run ends as it is planned."""
    status = plan.status
    if status.phase in FINAL_PLAN_PHASES:
        return status.end_timestamp
    return status.planned_timestamp if status.phase == "Planned" else None


def _outdated(plan: MigrationPlan, over: datetime, now: datetime) -> Outcome:
    """A plan that is over is deleted in its own time, if it has one."""
    ttl = plan.spec.ttl_seconds_after_finished
    if ttl is None:
        return Outcome()
    due = over + timedelta(seconds=ttl)
    return Outcome(children=(Delete(plan),)) if now >= due else Outcome(requeue_at=due)


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
        Watch(MigrationPlan.KIND, waiting_plans),
    ),
)
