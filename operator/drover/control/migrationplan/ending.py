"""How a plan ends: its final phase, what it took beside what was predicted, and what to do about what is left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import PlanEfficacy, PlanMigration, PlanPhase, PlanResult
from drover.control.conditions import Verdict, false, true
from drover.control.migrationplan.entries import has_moved
from drover.control.migrationplan.holding import MILLISECOND, pace_of
from drover.control.migrationplan.status import kept, next_status, progress
from drover.control.migrationplan.telling import events_of
from drover.control.outcome import Event, Outcome, warning
from drover.control.world import World

QUIET = frozenset({"Succeeded", "Cancelled", "Superseded"})
"""Final phases that are no cause for alarm."""
NAMED = 5


def finished(
    plan: MigrationPlan,
    world: World,
    now: datetime,
    entries: tuple[PlanMigration, ...],
    outcome: PlanPhase | None = None,
    why: str = "",
    *,
    about: tuple[Verdict, ...] | None = None,
    **fields: Any,
) -> Outcome:
    """``outcome`` is the final phase where it is not for the entries to say, ``about`` Planned and Feasible if new."""
    phase = outcome or _phase(entries)
    starts = (entry.start_timestamp for entry in entries if entry.start_timestamp is not None)
    since = plan.status.start_timestamp or min(starts, default=None)
    result = _result(plan, world, entries, since)
    message = _message(plan, entries, phase, why, result)
    status = next_status(
        plan,
        world,
        now,
        phase,
        entries,
        _ready(entries, phase, message),
        (*(kept(plan) if about is None else about), false("Executing", "Finished", message)),
        start_timestamp=since,
        end_timestamp=now,
        result=result,
        efficacy=_efficacy(plan, entries, result),
        **fields,
    )
    event = Event(f"Plan{phase}", message) if phase in QUIET else warning(f"Plan{phase}", message)
    return Outcome(status=status, events=(*events_of(plan, status), event))


def _phase(entries: Sequence[PlanMigration]) -> PlanPhase:
    left = [entry for entry in entries if entry.phase != "Succeeded"]
    if not left:
        return "Succeeded"
    if len(left) < len(entries):
        return "PartiallySucceeded"
    return "Failed" if any(entry.phase == "Failed" for entry in left) else "Cancelled"


def _ready(entries: Sequence[PlanMigration], phase: PlanPhase, message: str) -> Verdict:
    if phase != "Succeeded":
        return false("Ready", "Failed" if phase == "PartiallySucceeded" else phase, message)
    satisfied = bool(entries) and all(entry.reason == "AlreadySatisfied" for entry in entries)
    return true("Ready", "AlreadySatisfied" if satisfied else "Succeeded", message)


def _message(
    plan: MigrationPlan, entries: Sequence[PlanMigration], phase: PlanPhase, why: str, result: PlanResult | None
) -> str:
    if not entries:
        return why or _nothing(plan)
    told = f"{why}: {progress(entries)}" if why else progress(entries)
    return told + _failures(entries) + (_beside(plan, result) if phase == "Succeeded" and result is not None else "")


def _beside(plan: MigrationPlan, result: PlanResult) -> str:
    """What was played beside what was predicted."""
    estimate, pauses = plan.status.estimate, result.total_downtime_milliseconds * MILLISECOND
    told = f"; took {result.duration_seconds:.0f} s and {pauses:.2f} s of pauses"
    if estimate is None or estimate.duration_seconds is None:
        return told
    span, predicted = estimate.duration_seconds, estimate.total_downtime_milliseconds * MILLISECOND
    return f"{told}, predicted {span.p50:.0f} s (p90 {span.p90:.0f} s) and {predicted:.2f} s"


def _nothing(plan: MigrationPlan) -> str:
    if plan.spec.host_name:
        return f"no VM is on host {plan.spec.host_name}: there is nothing to move"
    return f"spec.selector matches no VM in {plan.namespace}: see `kubectl get vm -n {plan.namespace} --show-labels`"


def _failures(entries: Sequence[PlanMigration]) -> str:
    failed = [entry for entry in entries if entry.phase == "Failed"]
    if not failed:
        return ""
    told = ", ".join(f"{entry.namespace}/{entry.virtual_machine}: {_reason(entry)}" for entry in failed[:NAMED])
    more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
    return f" ({told}{more}); mend the cause and create a new plan"


def _reason(entry: PlanMigration) -> str:
    """A VM that could not go home says where it is and where it should be."""
    return f"{entry.reason}, on {entry.target} instead of {entry.source}" if entry.returning else str(entry.reason)


# What it took


def _result(
    plan: MigrationPlan, world: World, entries: Sequence[PlanMigration], since: datetime | None
) -> PlanResult | None:
    ends = [entry.end_timestamp for entry in entries if entry.end_timestamp is not None]
    if since is None or not ends:
        return None
    seconds = pace_of(entries, world).model(max(ends) - since)
    estimate = plan.status.estimate
    as_planned = not plan.status.held and all(entry.phase == "Succeeded" for entry in entries)
    predicted = estimate.duration_seconds if estimate is not None and as_planned else None
    return PlanResult(
        duration_seconds=round(seconds, 3),
        total_downtime_milliseconds=round(sum(entry.downtime_ms or 0.0 for entry in entries), 1),
        transferred_bytes=sum(entry.transferred_bytes or 0 for entry in entries),
        duration_error_percent=_error(seconds, predicted.p50) if predicted is not None else None,
    )


def _efficacy(plan: MigrationPlan, entries: Sequence[PlanMigration], result: PlanResult | None) -> PlanEfficacy | None:
    graded = [entry for entry in entries if has_moved(entry) and entry.estimated_downtime_ms is not None]
    estimate = plan.status.estimate
    if result is None or estimate is None or not graded:
        return None
    band = estimate.duration_seconds if result.duration_error_percent is not None else None
    complete = len(graded) == sum(entry.reason != "AlreadySatisfied" for entry in entries)
    return PlanEfficacy(
        graded=len(graded),
        downtime_error_percent=_error(
            sum(entry.downtime_ms or 0.0 for entry in graded),
            sum(entry.estimated_downtime_ms or 0.0 for entry in graded),
        ),
        transfer_error_percent=_error(result.transferred_bytes, estimate.transfer_bytes) if complete else None,
        within_band=(band.p10 or 0.0) <= result.duration_seconds <= band.p90 if band is not None else None,
    )


def _error(outcome: float, predicted: float) -> float | None:
    return round(100 * (outcome - predicted) / predicted, 1) if predicted else None
