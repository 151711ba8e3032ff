"""A plan's status: counts, waves, conditions and phase, derived from its entries in one place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import MigrationPlanStatus, PlanMigration
from drover.control import conditions
from drover.control.conditions import Verdict, false, true
from drover.control.migrationplan.entries import has_ended, has_failed, has_moved, is_active, is_home, is_pending
from drover.control.migrationplan.holding import Hold, budget_verdicts, window_verdicts
from drover.control.migrationplan.waves import waves_of
from drover.control.world import World
from drover.control.world.claims import FINAL_PLAN_PHASES

STALLED = FINAL_PLAN_PHASES - {"Succeeded"}


def progress(entries: Sequence[PlanMigration]) -> str:
    moved = sum(map(has_moved, entries))
    satisfied = sum(entry.reason == "AlreadySatisfied" for entry in entries)
    told = f"{moved + satisfied} of {len(entries)} VMs moved"
    if any(entry.returning for entry in entries):
        told += f", {sum(map(is_home, entries))} home again"
    return f"{told}, {sum(map(is_active, entries))} under way, {sum(map(has_failed, entries))} failed"


def kept(plan: MigrationPlan) -> tuple[Verdict, ...]:
    """Conditions decided when the plan was made."""
    kept = (plan.status.condition(name) for name in ("Planned", "Feasible"))
    return tuple(Verdict(c.type, c.status, c.reason, c.message) for c in kept if c is not None)


def executing(entries: Sequence[PlanMigration], hold: Hold | None, reason: str = "Executing") -> Verdict:
    """Whether migrations are under way or may start."""
    running = sum(not has_ended(entry) and not is_pending(entry) for entry in entries)
    told = f"{running} under way, {sum(map(is_pending, entries))} to begin"
    if hold is None:
        return true("Executing", reason, told)
    verdict = true if running else false
    return verdict("Executing", hold.reason, f"{told}; nothing starts: {hold.message}")


def next_status(
    plan: MigrationPlan,
    world: World,
    now: datetime,
    phase: str,
    entries: tuple[PlanMigration, ...],
    ready: Verdict,
    about: tuple[Verdict, ...],
    **fields: Any,
) -> MigrationPlanStatus:
    """``ready`` and ``about`` (planned, feasible, executing), and what the plan's own fields add to them."""
    then = plan.model_copy(update={"status": plan.status.model_copy(update={"phase": phase, **fields})})
    verdicts = [ready, *about, *_approved(plan)]
    verdicts += [*window_verdicts(plan, now), *budget_verdicts(then, entries, world, now)]
    if phase in STALLED:
        verdicts.append(true("Stalled", ready.reason, ready.message))
    elif ready.status != "True":
        verdicts.append(true("Reconciling", ready.reason, ready.message))
    derived = conditions.derive(plan, now, phase=phase, verdicts=verdicts, **_counts(entries), **fields)
    assert isinstance(derived, MigrationPlanStatus)
    return derived


def _approved(plan: MigrationPlan) -> tuple[Verdict, ...]:
    """Approved, for a plan that asks for it."""
    if plan.spec.approval != "Manual" or plan.spec.mode == "DryRun":
        return ()
    if plan.spec.approved:
        return (true("Approved", "Approved", "spec.approved is true"),)
    return (false("Approved", "AwaitingApproval", "spec.approved is false: nothing starts until it is true"),)


def _counts(entries: tuple[PlanMigration, ...]) -> dict[str, Any]:
    done = sum(map(has_ended, entries))
    satisfied = sum(entry.reason == "AlreadySatisfied" for entry in entries)
    return {
        "total": len(entries),
        "pending": sum(is_pending(entry) and not is_active(entry) for entry in entries),
        "active": sum(map(is_active, entries)),
        "succeeded": sum(map(has_moved, entries)),
        "failed": sum(entry.phase == "Failed" for entry in entries),
        "skipped": satisfied + sum(entry.phase == "Cancelled" and not entry.returning for entry in entries),
        "returned": sum(map(is_home, entries)),
        "percent": 100 * done // len(entries) if entries else 100,
        "waves": waves_of(entries),
        "migrations": entries,
    }
