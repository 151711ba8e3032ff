"""From the pause to the guest that runs on its target: stop-and-copy, post-copy, commitment, activation."""

from __future__ import annotations

from datetime import datetime

from drover.api.quantity import human
from drover.api.virtualmachine import MigrationSummary, VirtualMachine
from drover.api.virtualmachinemigration import MigrationProgress, MigrationResult, VirtualMachineMigration
from drover.control.conditions import Verdict, false, true
from drover.control.driver import (
    Activate,
    Copied,
    Copying,
    Pulling,
    PullPages,
    StopAndCopy,
)
from drover.control.outcome import Event, Outcome, warning
from drover.control.virtualmachinemigration import checkpoint
from drover.control.virtualmachinemigration.links import began, given_route, given_setting, pace_of
from drover.control.virtualmachinemigration.status import (
    next_status,
    progress_of,
    pulled,
    result_of,
)
from drover.control.world import World
from drover.model import migration as model


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
    done = checkpoint.news(migration, work, world)
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


def committed(migration: VirtualMachineMigration, vm: VirtualMachine) -> bool:
    """Whether the VM's PATCH has moved it; its summary says so even where it has been restarted elsewhere since."""
    summary = vm.status.migration or MigrationSummary()
    # An earlier migration may have had the same name: while this one is under way the summary names it as current.
    recorded = summary.current is None and (summary.last, summary.last_result) == (migration.name, "Succeeded")
    return recorded or vm.status.host_name == migration.status.target_host
