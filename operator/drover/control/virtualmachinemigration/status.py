"""A migration's status: phases, conditions, progress and result, derived in one place."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from drover.api.virtualmachinemigration import MigrationProgress, MigrationResult, VirtualMachineMigration
from drover.control import conditions
from drover.control.conditions import Verdict, false, true
from drover.control.driver import POLICY
from drover.control.outcome import Event, Outcome, warning
from drover.model import migration as model


class End(NamedTuple):
    """Why a migration is over before its VM has moved."""

    phase: str
    reason: str
    message: str


def next_status(migration: VirtualMachineMigration, now: datetime, phase: str, ready: Verdict, **fields: Any) -> Any:
    reserved = phase not in ("Pending", "Failed", "Cancelled")
    target = fields.get("target_host", migration.status.target_host)
    verdicts = [
        ready,
        true("TargetReserved", "Reserved", f"on {target}") if reserved else false("TargetReserved", "NotReserved"),
    ]
    if phase in ("Failed", "Cancelled"):
        verdicts.append(true("Stalled", ready.reason, ready.message))
    elif ready.status != "True":
        verdicts.append(true("Reconciling", ready.reason, ready.message))
    return conditions.derive(
        migration, now, phase=phase, verdicts=verdicts, **fields, abort_requested=migration.spec.cancel
    )


def ended(
    migration: VirtualMachineMigration, now: datetime, end: End, progress: MigrationProgress | None = None
) -> Outcome:
    """Failed or cancelled: one PATCH ends it and gives the target back."""
    status = next_status(
        migration,
        now,
        end.phase,
        false("Ready", end.reason, end.message),
        failure_reason=end.reason,
        end_timestamp=now,
        progress=progress or migration.status.progress,
        mode=None,
        queue=None,
    )
    reason = "SuccessfulAbortMigration" if end.phase == "Cancelled" else "FailedMigration"
    event = Event(reason, end.message) if end.phase == "Cancelled" else warning(reason, f"{end.reason}: {end.message}")
    return Outcome(status=status, events=(event,))


def progress_of(migration: VirtualMachineMigration) -> MigrationProgress:
    return migration.status.progress or MigrationProgress()


def pass_state(migration: VirtualMachineMigration, *, finished: bool = False) -> model.PassState:
    """The model's state as the status tells it: while a pass is under way, ``iteration`` counts that one too."""
    progress = progress_of(migration)
    return model.PassState(
        iteration=progress.iteration if finished else progress.iteration - 1,
        remaining=progress.remaining_bytes,
        sent=progress.processed_bytes,
        elapsed=progress.elapsed_seconds,
    )


def advanced(migration: VirtualMachineMigration, after: model.PassState, link: model.Link) -> MigrationProgress:
    before, estimate = progress_of(migration), migration.status.estimate
    predicted = estimate.duration_seconds.p50 if estimate and estimate.duration_seconds else 0.0
    elapsed = POLICY.target_preparation + after.elapsed
    eta = max(predicted - elapsed, after.remaining / link.line + POLICY.activation)
    percent = min(99, max(before.percent, int(100 * elapsed / (elapsed + eta))))
    return before.model_copy(
        update={
            "percent": percent,
            "iteration": after.iteration,
            "processed_bytes": round(after.sent),
            "remaining_bytes": round(after.remaining),
            "elapsed_seconds": after.elapsed,
            "bandwidth_bytes_per_second": round(link.bandwidth),
            "eta_seconds": round(eta, 1),
        }
    )


def result_of(
    migration: VirtualMachineMigration, state: model.PassState, downtime: float, sent: int
) -> MigrationResult:
    """What was played beside what was predicted, in model time."""
    duration = POLICY.target_preparation + state.elapsed + downtime
    estimate = migration.status.estimate
    predicted = estimate.duration_seconds.p50 if estimate and estimate.duration_seconds else 0.0
    predicted_ms = estimate.downtime_milliseconds.p50 if estimate and estimate.downtime_milliseconds else 0.0
    return MigrationResult(
        downtime_milliseconds=round(downtime * 1000, 1),
        duration_seconds=round(duration, 3),
        transferred_bytes=sent,
        passes=state.iteration,
        duration_error_percent=_error(duration, predicted),
        downtime_error_percent=_error(downtime * 1000, predicted_ms),
    )


def _error(played: float, predicted: float) -> float | None:
    return round(100 * (played - predicted) / predicted, 1) if predicted else None
