"""From the prepared target to the running guest: passes, stop-and-copy, post-copy, commitment, activation."""

from __future__ import annotations

from datetime import datetime

from drover.api.quantity import human
from drover.api.virtualmachine import MigrationSummary, VirtualMachine
from drover.api.virtualmachinemigration import MigrationProgress, MigrationResult, VirtualMachineMigration
from drover.control.conditions import Verdict, false, true
from drover.control.driver import (
    Activate,
    Command,
    Completion,
    Copied,
    Copying,
    CopyMemory,
    PrepareTarget,
    Pulling,
    PullPages,
    StopAndCopy,
)
from drover.control.outcome import Event, Outcome, warning
from drover.control.virtualmachinemigration import checkpoint
from drover.control.virtualmachinemigration.convergence import converging, noteworthy
from drover.control.virtualmachinemigration.links import began, given_route, given_setting, pace_of
from drover.control.virtualmachinemigration.status import (
    End,
    advanced,
    ended,
    next_status,
    progress_of,
    pulled,
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
    done = _news(migration, work, world)
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


def _news(migration: VirtualMachineMigration, work: Command, world: World) -> Completion | None:
    """How the work ended, or a report of it that is not written down yet."""
    done = world.completion(work)
    if done is None or (not done.is_last and done.at == progress_of(migration).last_update_time):
        return None
    return done


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


def stop_and_copy(migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    copied = _copied(migration, vm, world)
    work = _handing_over(StopAndCopy, migration, copied, world, now)
    done = world.completion(work)
    if done is None:
        return Outcome(work=frozenset({work}))
    assert isinstance(done.result, Copied)
    assert copied.decision is not None
    if copied.decision.then == "postCopy":
        return _pulling(migration, now, done.at)
    return _whole(migration, now, done.at, copied, done.result.ending)


def _pulling(migration: VirtualMachineMigration, now: datetime, at: datetime) -> Outcome:
    ready = _runs_there(migration, progress_of(migration))
    status = next_status(migration, now, "PostCopy", ready, transition_started_at=at, mode="PostCopy")
    return Outcome(status=status, events=(warning("SwitchedToPostCopy", ready.message),))


def _runs_there(migration: VirtualMachineMigration, progress: MigrationProgress) -> Verdict:
    target, rest = migration.status.target_host, human(progress.remaining_bytes)
    told = f"guest runs on {target} and pulls {rest} from {migration.status.source_host}: it cannot be cancelled now"
    return false("Ready", "InProgress", told)


def post_copy(migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    copied = _copied(migration, vm, world)
    work = _handing_over(PullPages, migration, copied, world, now)
    done = _news(migration, work, world)
    if done is None:
        return Outcome(work=frozenset({work}))
    if isinstance(done.result, Pulling):
        progress = pulled(migration, copied, done.result, done.at)
        status = next_status(migration, now, "PostCopy", _runs_there(migration, progress), progress=progress)
        return Outcome(status=status, work=frozenset({work}))
    assert isinstance(done.result, Copied)
    return _whole(migration, now, done.at, copied, done.result.ending)


def _copied(migration: VirtualMachineMigration, vm: VirtualMachine, world: World) -> Copying:
    """The passes as they ended."""
    saved, given = checkpoint.read(migration), given_setting(migration, vm, world)
    if saved is None or saved.decision is None:
        # Another version wrote it: that everything is sent once more with the guest paused is safe, if slow.
        return Copying(model.begin(given), given, model.Decision("DowntimeLimit", "stopAndCopy"))
    return Copying(saved.state, given, saved.decision)


def _handing_over(
    sort: type[StopAndCopy] | type[PullPages],
    migration: VirtualMachineMigration,
    copied: Copying,
    world: World,
    now: datetime,
) -> StopAndCopy | PullPages:
    assert copied.decision is not None
    return sort(
        migration.uid,
        migration.status.attempts,
        began(migration, now),
        pace_of(migration, world),
        copied.setting,
        given_route(migration, world),
        copied.state,
        copied.decision,
    )


def _whole(
    migration: VirtualMachineMigration, now: datetime, at: datetime, copied: Copying, over: model.Ending
) -> Outcome:
    """Everything is on the target."""
    progress = progress_of(migration)
    sent = round(copied.state.processed + over.bytes)
    activation = copied.setting.hypervisor.activation
    status = next_status(
        migration,
        now,
        "Commitment",
        false("Ready", "InProgress", f"{migration.status.target_host} has the whole guest; moving the claim"),
        transition_started_at=at,
        progress=progress.model_copy(
            update={"processed_bytes": sent, "remaining_bytes": 0, "percent": 99, "eta_seconds": activation}
        ),
        result=result_of(migration, copied, over),
        checkpoint=None,
    )
    return Outcome(status=status)


def commitment(migration: VirtualMachineMigration, vm: VirtualMachine | None, world: World, now: datetime) -> Outcome:
    """Wait for the VM's PATCH; only one the API server has confirmed counts."""
    confirmed = world.confirmed(vm.key) if vm is not None else None
    if not isinstance(confirmed, VirtualMachine) or not committed(migration, confirmed):
        return Outcome()
    message = f"guest runs on {migration.status.target_host}; announcing its addresses"
    status = next_status(
        migration, now, "Activation", false("Ready", "InProgress", message), transition_started_at=now, mode=None
    )
    return Outcome(status=status)


def activation(migration: VirtualMachineMigration, world: World, now: datetime) -> Outcome:
    work = Activate(migration.uid, migration.status.attempts, began(migration, now), pace_of(migration, world))
    done = world.completion(work)
    if done is None:
        return Outcome(work=frozenset({work}))
    result = migration.status.result or MigrationResult()
    message = (
        f"{migration.spec.virtual_machine_name} moved from {migration.status.source_host} to "
        f"{migration.status.target_host} in {result.duration_seconds:.1f} s, {result.passes} passes, "
        f"{human(result.transferred_bytes)}, downtime {result.downtime_milliseconds:.0f} ms"
    )
    progress = progress_of(migration).model_copy(update={"percent": 100, "eta_seconds": 0.0})
    status = next_status(
        migration, now, "Succeeded", true("Ready", "Succeeded", message), end_timestamp=now, progress=progress
    )
    return Outcome(status=status, events=(Event("SuccessfulMigration", message),))


def _under_way(migration: VirtualMachineMigration, iteration: int) -> Verdict:
    route = f"{migration.status.source_host} to {migration.status.target_host}"
    return false("Ready", "InProgress", f"pass {iteration} from {route}")


def committed(migration: VirtualMachineMigration, vm: VirtualMachine) -> bool:
    """Whether the VM's PATCH has moved it; its summary says so even where it has been restarted elsewhere since."""
    summary = vm.status.migration or MigrationSummary()
    # An earlier migration may have had the same name: while this one is under way the summary names it as current.
    recorded = summary.current is None and (summary.last, summary.last_result) == (migration.name, "Succeeded")
    return recorded or vm.status.host_name == migration.status.target_host
