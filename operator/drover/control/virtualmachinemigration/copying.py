"""From the prepared target to the pause: the passes of pre-copy."""

from __future__ import annotations

from datetime import datetime

from drover.api.quantity import human
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import MigrationProgress, VirtualMachineMigration
from drover.control.conditions import Verdict, false
from drover.control.driver import (
    Completion,
    Copying,
    CopyMemory,
    PrepareTarget,
)
from drover.control.outcome import Event, Outcome
from drover.control.virtualmachinemigration import checkpoint
from drover.control.virtualmachinemigration.convergence import converging, noteworthy
from drover.control.virtualmachinemigration.links import began, given_route, given_setting, pace_of
from drover.control.virtualmachinemigration.status import (
    End,
    advanced,
    ended,
    next_status,
    progress_of,
    result_of,
)
from drover.control.world import World
from drover.model import migration as model

TIMEOUTS = ("CompletionTimeout", "ProgressTimeout")
"""Rules of the policy whose name is the failure's, too."""


def preparing(migration: VirtualMachineMigration, world: World, now: datetime) -> Outcome:
    work = PrepareTarget(migration.uid, migration.status.attempts, began(migration, now), pace_of(migration, world))
    done = world.completion(work)
    if done is None:
        return Outcome(work=frozenset({work}))
    progress = progress_of(migration)
    status = next_status(
        migration,
        now,
        "PreCopy",
        _under_way(migration, 1),
        transition_started_at=done.at,
        progress=progress.model_copy(update={"iteration": 1}),
    )
    message = f"{human(progress.total_bytes)} at {human(progress.bandwidth_bytes_per_second)}/s"
    return Outcome(status=status, events=(Event("PreCopyStarted", message),))


def pre_copy(migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    """All passes are one piece of work; its reports are written down as progress, for the next leader to go on from."""
    saved = checkpoint.read(migration)
    work = CopyMemory(
        migration.uid,
        migration.status.attempts,
        began(migration, now),
        pace_of(migration, world),
        given_setting(migration, vm, world),
        given_route(migration, world),
        saved.checkpoint if saved else None,
    )
    done = checkpoint.news(migration, work, world)
    if done is None:
        return Outcome(work=frozenset({work}))
    assert isinstance(done.result, Copying)
    progress = advanced(migration, done.result, done.at)
    if done.result.decision is None:
        return _reported(migration, now, done, progress, work)
    if done.result.decision.then == "abort":
        return _given_up(migration, now, done.result, progress)
    return _switch_over(migration, now, done, progress)


def _reported(
    migration: VirtualMachineMigration, now: datetime, done: Completion, progress: MigrationProgress, work: CopyMemory
) -> Outcome:
    assert isinstance(done.result, Copying)
    status = next_status(
        migration,
        now,
        "PreCopy",
        _under_way(migration, progress.iteration),
        converging(done.result),
        progress=progress,
        checkpoint=checkpoint.written(done.result, done.at),
    )
    events = noteworthy(progress_of(migration), progress, done.result, migration.status.condition("Converging"))
    return Outcome(status=status, events=events, work=frozenset({work}))


def _given_up(
    migration: VirtualMachineMigration, now: datetime, copied: Copying, progress: MigrationProgress
) -> Outcome:
    assert copied.decision is not None
    _, message = model.judge(copied.decision, copied.state, copied.setting)
    reason = copied.decision.reason if copied.decision.reason in TIMEOUTS else "NotConverging"
    return ended(
        migration,
        now,
        End("Failed", reason, message),
        progress,
        converging=false("Converging", "NotConverging", message),
        result=result_of(migration, copied, model.Ending()),
    )


def _switch_over(
    migration: VirtualMachineMigration, now: datetime, done: Completion, progress: MigrationProgress
) -> Outcome:
    assert isinstance(done.result, Copying)
    decision = done.result.decision
    assert decision is not None
    left = f"{human(progress.remaining_bytes)} {'to be pulled later' if decision.then == 'postCopy' else 'to send'}"
    status = next_status(
        migration,
        now,
        "StopAndCopy",
        false("Ready", "InProgress", f"guest is paused, {left}"),
        converging(done.result),
        transition_started_at=done.at,
        mode="Paused",
        progress=progress,
        checkpoint=checkpoint.written(done.result, done.at),
    )
    told = f"after {progress.iteration} passes, {human(progress.remaining_bytes)} left: {decision.reason}"
    return Outcome(status=status, events=(Event("SwitchOver", told),))


def _under_way(migration: VirtualMachineMigration, iteration: int) -> Verdict:
    route = f"{migration.status.source_host} to {migration.status.target_host}"
    return false("Ready", "InProgress", f"pass {iteration} from {route}")
