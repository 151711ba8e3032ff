"""From the prepared target to the running guest: passes, stop-and-copy, commitment, activation."""

from __future__ import annotations

from datetime import datetime

from drover.api.quantity import human
from drover.api.virtualmachine import MigrationSummary, VirtualMachine
from drover.api.virtualmachinemigration import MigrationProgress, MigrationResult, VirtualMachineMigration
from drover.control.conditions import Verdict, false, true
from drover.control.driver import POLICY, Activate, Copied, PassSent, PrepareTarget, SendPass, StopAndCopy
from drover.control.outcome import Event, Outcome
from drover.control.virtualmachinemigration.inputs import guest_of
from drover.control.virtualmachinemigration.links import began, hosts_of, pace_of, present_link, stored_link
from drover.control.virtualmachinemigration.status import (
    End,
    advanced,
    ended,
    next_status,
    pass_state,
    progress_of,
    result_of,
)
from drover.control.world import World
from drover.model import migration as model


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
        _copying(migration, 1),
        transition_started_at=done.at,
        progress=progress.model_copy(update={"iteration": 1}),
    )
    message = f"{human(progress.total_bytes)} at {human(progress.bandwidth_bytes_per_second)}/s"
    return Outcome(status=status, events=(Event("PreCopyStarted", message),))


def pre_copy(migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    """One pass; the next one takes the share of the links it meets then."""
    guest, link = guest_of(vm, world), stored_link(migration, world)
    work = SendPass(
        migration.uid,
        migration.status.attempts,
        began(migration, now),
        pace_of(migration, world),
        guest,
        link,
        pass_state(migration),
    )
    done = world.completion(work)
    if done is None:
        return Outcome(work=frozenset({work}))
    assert isinstance(done.result, PassSent)
    source, target = hosts_of(migration, world)
    after, link = done.result.state, present_link(migration, source, target, world)
    progress = advanced(migration, after, link)
    match model.next_step(after, guest, link, POLICY):
        case model.GiveUp(reason, message):
            return ended(migration, now, End("Failed", reason, message), progress)
        case model.SwitchOver():
            return _switch_over(migration, now, done.at, progress)
    progress = progress.model_copy(update={"iteration": after.iteration + 1})
    status = next_status(
        migration,
        now,
        "PreCopy",
        _copying(migration, progress.iteration),
        transition_started_at=done.at,
        progress=progress,
    )
    return Outcome(status=status)


def _switch_over(
    migration: VirtualMachineMigration, now: datetime, at: datetime, progress: MigrationProgress
) -> Outcome:
    status = next_status(
        migration,
        now,
        "StopAndCopy",
        false("Ready", "InProgress", f"guest is paused, {human(progress.remaining_bytes)} to send"),
        transition_started_at=at,
        mode="Paused",
        progress=progress,
    )
    told = f"after {progress.iteration} passes, {human(progress.remaining_bytes)} left"
    return Outcome(status=status, events=(Event("SwitchOver", told),))


def stop_and_copy(migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    state = pass_state(migration, finished=True)
    work = StopAndCopy(
        migration.uid,
        migration.status.attempts,
        began(migration, now),
        pace_of(migration, world),
        guest_of(vm, world),
        stored_link(migration, world),
        state,
    )
    done = world.completion(work)
    if done is None:
        return Outcome(work=frozenset({work}))
    assert isinstance(done.result, Copied)
    progress = progress_of(migration)
    sent = progress.processed_bytes + done.result.sent_bytes
    status = next_status(
        migration,
        now,
        "Commitment",
        false("Ready", "InProgress", f"{migration.status.target_host} has the whole guest; moving the claim"),
        transition_started_at=done.at,
        progress=progress.model_copy(
            update={"processed_bytes": sent, "remaining_bytes": 0, "percent": 99, "eta_seconds": POLICY.activation}
        ),
        result=result_of(migration, state, done.result.downtime_seconds, sent),
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


def _copying(migration: VirtualMachineMigration, iteration: int) -> Verdict:
    route = f"{migration.status.source_host} to {migration.status.target_host}"
    return false("Ready", "InProgress", f"pass {iteration} from {route}")


def committed(migration: VirtualMachineMigration, vm: VirtualMachine) -> bool:
    """Whether the VM's PATCH has moved it; its summary says so even where it has been restarted elsewhere since."""
    summary = vm.status.migration or MigrationSummary()
    # An earlier migration may have had the same name: while this one is under way the summary names it as current.
    recorded = summary.current is None and (summary.last, summary.last_result) == (migration.name, "Succeeded")
    return recorded or vm.status.host_name == migration.status.target_host
