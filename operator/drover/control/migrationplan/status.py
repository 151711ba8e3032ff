"""A plan's status: counts, conditions and phase, derived from its entries in one place."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drover.api.migrationplan import MigrationPlan, PlanMigration
from drover.control import conditions
from drover.control.conditions import Verdict, true
from drover.control.world.claims import FINAL_MIGRATION_PHASES


def is_active(entry: PlanMigration) -> bool:
    return entry.migration is not None and entry.phase not in FINAL_MIGRATION_PHASES


def progress(entries: tuple[PlanMigration, ...]) -> str:
    moved = sum(entry.phase == "Succeeded" for entry in entries)
    failed = sum(entry.phase == "Failed" for entry in entries)
    active = sum(is_active(entry) for entry in entries)
    return f"{moved} of {len(entries)} VMs moved, {active} under way, {failed} failed"


def kept(plan: MigrationPlan) -> tuple[Verdict, ...]:
    """Conditions decided when the plan was made."""
    kept = (plan.status.condition(name) for name in ("Planned", "Feasible"))
    return tuple(Verdict(c.type, c.status, c.reason, c.message) for c in kept if c is not None)


def next_status(
    plan: MigrationPlan,
    now: datetime,
    phase: str,
    entries: tuple[PlanMigration, ...],
    verdicts: tuple[Verdict, ...],
    **fields: Any,
) -> Any:
    ready = verdicts[0]
    if phase in ("Failed", "PartiallySucceeded", "Cancelled"):
        verdicts += (true("Stalled", ready.reason, ready.message),)
    elif ready.status != "True":
        verdicts += (true("Reconciling", ready.reason, ready.message),)
    skipped = sum(entry.reason == "AlreadySatisfied" or entry.phase == "Cancelled" for entry in entries)
    done = sum(entry.phase in FINAL_MIGRATION_PHASES for entry in entries)
    counts = {
        "total": len(entries),
        "pending": sum(entry.phase == "Pending" and not is_active(entry) for entry in entries),
        "active": sum(is_active(entry) for entry in entries),
        "succeeded": sum(entry.phase == "Succeeded" and entry.reason != "AlreadySatisfied" for entry in entries),
        "failed": sum(entry.phase == "Failed" for entry in entries),
        "skipped": skipped,
        "percent": 100 * done // len(entries) if entries else 100,
        "migrations": entries,
    }
    return conditions.derive(plan, now, phase=phase, verdicts=verdicts, **counts, **fields)
