"""A plan's events: what a write of its status changes, in words."""

from __future__ import annotations

from collections.abc import Iterator

from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import MigrationPlanStatus, PlanWave
from drover.control.outcome import Event
from drover.control.stage import counted
from drover.control.world.claims import FINAL_PLAN_PHASES


def events_of(plan: MigrationPlan, after: MigrationPlanStatus) -> tuple[Event, ...]:
    """What happened between the plan's present status and the next one, its plan and its end apart."""
    before = plan.status
    return (
        *_approval(before, after),
        *_queue(before, after),
        *_pause(before, after),
        *_waves(before, after),
    )


def _approval(before: MigrationPlanStatus, after: MigrationPlanStatus) -> Iterator[Event]:
    if after.phase == "AwaitingApproval" and before.phase != "AwaitingApproval":
        yield Event("AwaitingApproval", _message(after, "Ready"))
    known = before.condition("Approved")
    if known is not None and known.status == "False" and after.is_true("Approved"):
        yield Event("Approved", "spec.approved is true")


def _queue(before: MigrationPlanStatus, after: MigrationPlanStatus) -> Iterator[Event]:
    if after.phase == "Queued" and before.phase != "Queued":
        yield Event("PlanQueued", _message(after, "Executing"))


def _pause(before: MigrationPlanStatus, after: MigrationPlanStatus) -> Iterator[Event]:
    was, is_ = _is_paused(before), _is_paused(after)
    if is_ and not was:
        yield Event("PlanPaused", _message(after, "Executing"))
    elif was and not is_ and after.phase not in FINAL_PLAN_PHASES:
        yield Event("PlanResumed", _message(after, "Executing"))


def _is_paused(status: MigrationPlanStatus) -> bool:
    executing = status.condition("Executing")
    return executing is not None and executing.reason == "Paused"


def _waves(before: MigrationPlanStatus, after: MigrationPlanStatus) -> Iterator[Event]:
    known = {wave.number: wave.phase for wave in before.waves}
    for wave in after.waves:
        told = f"wave {wave.number} of {len(after.waves)}: {counted(wave.virtual_machines, 'VM')}"
        if wave.start_timestamp is not None and known.get(wave.number) == "Pending":
            yield Event("WaveStarted", told + _predicted(wave))
        if wave.phase == "Completed" and known.get(wave.number) != "Completed" and wave.start_timestamp is not None:
            members = [entry for entry in after.migrations if entry.wave == wave.number]
            moved = sum(entry.phase == "Succeeded" or bool(entry.returning) for entry in members)
            yield Event("WaveCompleted", f"{told}, {moved} moved")


def _predicted(wave: PlanWave) -> str:
    start = wave.estimated_start_seconds
    return f", predicted {start:.0f} s after the first" if start is not None and wave.number > 1 else ""


def _message(status: MigrationPlanStatus, type_: str) -> str:
    condition = status.condition(type_)
    return condition.message if condition is not None else ""
