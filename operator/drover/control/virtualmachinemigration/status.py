"""A migration's status: phases, conditions, progress and result, derived in one place."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from drover.api.virtualmachinemigration import AbortStatus, MigrationProgress, MigrationResult, VirtualMachineMigration
from drover.control import conditions
from drover.control.conditions import Verdict, false, true
from drover.control.driver import Copying, Pulling
from drover.control.outcome import Event, Outcome, warning
from drover.model import migration as model

ABORTED = ("Failed", "Cancelled")
TOO_LATE = ("PostCopy", "Commitment", "Activation", "Succeeded")
"""Phases in which a request to cancel comes too late."""


class End(NamedTuple):
    """Why a migration is over before its VM has moved."""

    phase: str
    reason: str
    message: str


def next_status(
    migration: VirtualMachineMigration,
    now: datetime,
    phase: str,
    ready: Verdict,
    converging: Verdict | None = None,
    **fields: Any,
) -> Any:
    reserved = phase not in ("Pending", "Failed", "Cancelled")
    target = fields.get("target_host", migration.status.target_host)
    verdicts = [
        ready,
        true("TargetReserved", "Reserved", f"on {target}") if reserved else false("TargetReserved", "NotReserved"),
    ]
    if converging or (converging := _as_before(migration, "Converging")):
        verdicts.append(converging)
    if phase in ("Failed", "Cancelled"):
        verdicts.append(true("Stalled", ready.reason, ready.message))
    elif ready.status != "True":
        verdicts.append(true("Reconciling", ready.reason, ready.message))
    requested = migration.spec.cancel or migration.deleting
    if requested:
        verdicts.append(true("AbortRequested", "Requested", "spec.cancel is set, or it is being deleted"))
    return conditions.derive(
        migration,
        now,
        phase=phase,
        verdicts=verdicts,
        **fields,
        abort_requested=requested,
        abort_status=_abort_status(migration, phase) if requested else None,
    )


def still(migration: VirtualMachineMigration, now: datetime) -> Any:
    """The same phase and words, with what users have asked since."""
    ready = _as_before(migration, "Ready") or false("Ready", "InProgress")
    return next_status(migration, now, migration.status.phase or "Pending", ready)


def _abort_status(migration: VirtualMachineMigration, phase: str) -> AbortStatus:
    """What becomes of a request to cancel."""
    if phase in TOO_LATE or migration.status.abort_status == "Failed":
        return "Failed"
    return "Succeeded" if phase in ABORTED else "Aborting"


def _as_before(migration: VirtualMachineMigration, name: str) -> Verdict | None:
    before = migration.status.condition(name)
    return Verdict(before.type, before.status, before.reason, before.message) if before is not None else None


def ended(
    migration: VirtualMachineMigration,
    now: datetime,
    end: End,
    progress: MigrationProgress | None = None,
    **fields: Any,
) -> Outcome:
    """Failed or cancelled: one PATCH ends it and gives the target back."""
    last = progress or migration.status.progress
    status = next_status(
        migration,
        now,
        end.phase,
        false("Ready", end.reason, end.message),
        failure_reason=end.reason,
        end_timestamp=now,
        progress=last.model_copy(update={"eta_seconds": None}) if last is not None else None,
        mode=None,
        queue=None,
        checkpoint=None,
        **fields,
    )
    reason = "SuccessfulAbortMigration" if end.phase == "Cancelled" else "FailedMigration"
    event = Event(reason, end.message) if end.phase == "Cancelled" else warning(reason, f"{end.reason}: {end.message}")
    return Outcome(status=status, events=(event,))


def progress_of(migration: VirtualMachineMigration) -> MigrationProgress:
    return migration.status.progress or MigrationProgress()


def advanced(migration: VirtualMachineMigration, report: Copying, at: datetime) -> MigrationProgress:
    """The progress as a report of the copy tells it."""
    before, state, given = progress_of(migration), report.state, report.setting
    remaining, rate = state.remaining, model.send_rate(state, given)
    elapsed = given.hypervisor.setup + state.elapsed
    shortest = remaining / given.link.line + given.hypervisor.activation
    eta = shortest if report.decision else max(_predicted_seconds(migration) - elapsed, shortest)
    limit = model.downtime_limit(state, given)
    return before.model_copy(
        update={
            "percent": min(99, max(before.percent, int(100 * elapsed / (elapsed + eta)))),
            "iteration": state.passes if report.decision else state.passes + 1,
            "processed_bytes": round(state.processed),
            "remaining_bytes": round(remaining),
            "elapsed_seconds": round(state.elapsed, 3),
            "bandwidth_bytes_per_second": round(rate),
            "dirty_rate_bytes_per_second": round(_dirty_rate(report)),
            "throttle_percent": round(100 * state.throttle.share),
            "downtime_limit_milliseconds": round(limit * 1000, 1) if limit is not None else None,
            "eta_seconds": round(eta, 1),
            "last_update_time": at,
        }
    )


def pulled(migration: VirtualMachineMigration, copied: Copying, report: Pulling, at: datetime) -> MigrationProgress:
    """The progress of post-copy: what is on the target is share of the whole way, like the passes before it."""
    before, given = progress_of(migration), copied.setting
    rest = copied.state.remaining
    elapsed = given.hypervisor.setup + copied.state.elapsed + (rest - report.remaining_bytes) / given.link.line
    eta = report.remaining_bytes / max(1, report.bytes_per_second) + given.hypervisor.activation
    return before.model_copy(
        update={
            "percent": min(99, max(before.percent, int(100 * elapsed / (elapsed + eta)))),
            "processed_bytes": round(copied.state.processed + rest) - report.remaining_bytes,
            "remaining_bytes": report.remaining_bytes,
            "bandwidth_bytes_per_second": report.bytes_per_second,
            "eta_seconds": round(eta, 1),
            "last_update_time": at,
        }
    )


def _dirty_rate(report: Copying) -> float:
    """Bytes a second that had been dirtied as the pass under way began, as a hypervisor sees it: each page once."""
    state = report.state
    if state.last is None or not state.last.seconds:
        return 0.0
    return (state.remaining + state.partial.bytes) / state.last.seconds


def result_of(migration: VirtualMachineMigration, copied: Copying, over: model.Ending) -> MigrationResult:
    """What was played beside what was predicted, in model time."""
    state, given, decision = copied.state, copied.setting, copied.decision
    assert decision is not None
    duration = given.hypervisor.setup + state.elapsed + over.downtime + over.pulling
    sent = state.processed + over.bytes
    estimate = migration.status.estimate
    predicted_ms = estimate.downtime_milliseconds.p50 if estimate and estimate.downtime_milliseconds else 0.0
    verdict, _ = model.judge(decision, state, given)
    return MigrationResult(
        downtime_milliseconds=round(over.downtime * 1000, 1),
        blackout_milliseconds=round(over.blackout * 1000, 1),
        duration_seconds=round(duration, 3),
        transferred_bytes=round(sent),
        passes=state.passes,
        verdict=verdict,
        reason=decision.reason,
        duration_error_percent=error_percent(duration, _predicted_seconds(migration)),
        downtime_error_percent=error_percent(over.downtime * 1000, predicted_ms),
        transfer_error_percent=error_percent(sent, estimate.transfer_bytes if estimate else 0),
    )


def _predicted_seconds(migration: VirtualMachineMigration) -> float:
    estimate = migration.status.estimate
    return estimate.duration_seconds.p50 if estimate and estimate.duration_seconds else 0.0


def error_percent(played: float, predicted: float) -> float | None:
    """(outcome - prediction) / prediction; None where nothing was predicted."""
    return round(100 * (played - predicted) / predicted, 1) if predicted else None
