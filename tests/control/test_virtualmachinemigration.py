"""One live move, phase by phase: what each phase waits for, writes and wants done, and every way it can end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from checked import reconciled
from worlds import (
    HARDWARE,
    NOW,
    condition,
    finished,
    flavor,
    host,
    later,
    message,
    migration,
    moving,
    placed,
    plan,
    pool,
    reasons,
    taken,
    told,
    vm,
    world_of,
)

from drover.api.meta import AnyResource
from drover.api.migrationplan import MigrationPlan
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration, VirtualMachineMigrationStatus
from drover.control.driver import Activate, PrepareTarget, SendPass, StopAndCopy
from drover.control.outcome import Outcome
from drover.control.virtualmachine import controller as virtualmachine
from drover.control.virtualmachinemigration.controller import CONTROLLER, reconcile
from drover.control.virtualmachinemigration.pending import UNSCHEDULABLE_SECONDS
from drover.control.world import World
from drover.control.world.claims import is_final
from drover.model.placement import NO_RESOURCES

DOWN = {"conditions": [condition("Ready", "False", "HostFailed", since=later(-30))]}
BASE: tuple[AnyResource, ...] = (pool(), host("p1-0"), host("p1-1"), flavor())
PENDING = migration()
ESTIMATE = {
    "transferBytes": 1,
    "durationSeconds": {"p50": 10.0, "p90": 12.0},
    "downtimeMilliseconds": {"p50": 100.0, "p90": 120.0},
    "verdict": "Converges",
}
PROGRESS = {
    "iteration": 1,
    "totalBytes": 4 * 2**30,
    "remainingBytes": 4 * 2**30,
    "bandwidthBytesPerSecond": 1_000_000_000,
}
COPYING = ("PreparingTarget", "PreCopy", "StopAndCopy")
"""Phases in which the target is claimed, the guest is on its source and a cancel is heard."""


def under_way(phase: str, **fields: Any) -> dict[str, Any]:
    """The status of a migration to p1-1 whose phase began at NOW."""
    known = {"attempts": 1, "transitionStartedAt": NOW.isoformat(), "progress": PROGRESS, "estimate": ESTIMATE}
    return moving("p1-1", phase=phase, **(known | {"startTimestamp": NOW.isoformat()} | fields))


def running(**fields: Any) -> VirtualMachine:
    return vm(status=placed(**fields))


def world(*objects: AnyResource) -> World:
    mine = {resource.key: resource for resource in (*BASE, running(), *objects)}
    return world_of(*mine.values())


def outcome_of(subject: VirtualMachineMigration, *objects: AnyResource, at: float = 0) -> Outcome:
    return reconciled(reconcile, subject, world(*objects, subject), later(at))


def status_of(outcome: Outcome) -> VirtualMachineMigrationStatus:
    assert isinstance(outcome.status, VirtualMachineMigrationStatus)
    return outcome.status


def failed(outcome: Outcome) -> str:
    """Why it failed; the guest keeps its source and the target is given back in the same write."""
    status = status_of(outcome)
    assert status.phase == "Failed"
    assert reasons(outcome)["Ready"] == ("False", status.failure_reason)
    assert reasons(outcome)["Stalled"] == ("True", status.failure_reason)
    assert reasons(outcome)["TargetReserved"][0] == "False"
    assert told(outcome) == ["FailedMigration"]
    assert (status.mode, status.queue) == (None, None)
    assert status.end_timestamp is not None
    return str(status.failure_reason)


# Pending


def test_a_new_migration_is_given_its_finalizer_before_it_claims_anything() -> None:
    assert reconcile(migration(finalizer=False), world(), NOW) == Outcome(protect=True)


def test_the_target_is_claimed_in_the_write_that_leaves_pending() -> None:
    seen = world(PENDING)
    outcome = reconciled(reconcile, PENDING, seen)
    status = status_of(outcome)
    assert (status.phase, status.source_host, status.target_host) == ("PreparingTarget", "p1-0", "p1-1")
    assert (status.vm_uid, status.attempts, status.mode) == (vm().uid, 1, "PreCopy")
    assert (status.start_timestamp, status.transition_started_at) == (NOW, NOW)
    assert status.resources is not None
    assert seen.ledger.allocated("p1-1") == seen.ledger.allocated("p1-0") != NO_RESOURCES
    assert status.estimate is not None
    assert status.estimate.verdict == "Converges"
    assert status.progress is not None
    assert status.progress.remaining_bytes == status.progress.total_bytes > 0
    assert reasons(outcome) == {
        "Ready": ("False", "InProgress"),
        "TargetReserved": ("True", "Reserved"),
        "Reconciling": ("True", "InProgress"),
    }
    assert told(outcome) == ["TargetReserved"]


@pytest.mark.parametrize("phase", [None, "Pending", "Provisioning", "Unschedulable", "Starting"])
def test_a_vm_that_may_soon_run_is_waited_for_but_not_for_ever(phase: str | None) -> None:
    subject = vm(status={"phase": phase} if phase else None)
    seen = world(PENDING, subject)
    outcome = reconciled(reconcile, PENDING, seen)
    status = status_of(outcome)
    assert status.phase == "Pending"
    assert status.queue is not None
    assert status.queue.message == f"a is {phase or 'Pending'}, not Running yet"
    assert told(outcome) == ["MigrationQueued"]
    assert outcome.requeue_at == later(UNSCHEDULABLE_SECONDS)
    waiting = seen.find(PENDING.key)
    assert isinstance(waiting, VirtualMachineMigration)
    assert failed(reconciled(reconcile, waiting, seen, later(UNSCHEDULABLE_SECONDS))) == "NotMigratable"


@pytest.mark.parametrize("phase", ["Paused", "Stopped", "Stopping", "Failed", "Unknown"])
def test_a_guest_that_does_not_run_cannot_be_migrated_live(phase: str) -> None:
    assert failed(outcome_of(PENDING, running(phase=phase))) == "NotMigratable"


def test_a_vm_that_does_not_exist_or_is_being_deleted_is_named() -> None:
    outcome = outcome_of(migration(of="b"))
    assert failed(outcome) == "VirtualMachineDeleted"
    assert message(outcome, "Ready") == (
        "VirtualMachine b does not exist in default: create it, then another migration of it"
    )
    going = outcome_of(PENDING, vm(deleting=True, status=placed()))
    assert failed(going) == "VirtualMachineDeleted"
    assert "is being deleted" in message(going, "Ready")


def test_a_vm_has_one_migration_at_a_time() -> None:
    outcome = outcome_of(migration("a-2"), migration("a-1", status=under_way("PreCopy")))
    assert failed(outcome) == "OtherMigrationInProgress"
    assert "is being migrated by a-1" in message(outcome, "Ready")


def test_a_vm_that_is_where_it_should_go_is_not_moved() -> None:
    assert failed(outcome_of(migration(target_host_name="p1-0"))) == "NotMigratable"


def test_a_named_target_is_the_only_one_looked_at() -> None:
    outcome = outcome_of(migration(target_host_name="p1-2"), host("p1-2"))
    assert status_of(outcome).target_host == "p1-2"
    full = outcome_of(migration(target_host_name="p1-2"), host("p1-2", unschedulable=True))
    assert status_of(full).phase == "Pending"


def test_an_added_selector_narrows_the_targets() -> None:
    ssd = host("p1-2", hardware=HARDWARE | {"labels": {"disk": "ssd"}})
    assert status_of(outcome_of(migration(added_node_selector={"disk": "ssd"}), ssd)).target_host == "p1-2"


def test_a_migration_stays_in_its_pool() -> None:
    cordoned = host("p1-1", unschedulable=True)
    outcome = outcome_of(PENDING, cordoned, pool("p2"), host("p2-0", pool="p2"))
    assert status_of(outcome).phase == "Pending"


def test_without_a_target_it_waits_and_gives_up_after_the_timeout() -> None:
    seen = world(PENDING, host("p1-1", unschedulable=True))
    outcome = reconciled(reconcile, PENDING, seen)
    status = status_of(outcome)
    assert status.queue is not None
    assert (status.phase, status.queue.blocked_by) == ("Pending", "Capacity")
    assert status.queue.message is not None
    assert "1 cordoned" in status.queue.message
    assert outcome.requeue_at == later(UNSCHEDULABLE_SECONDS)
    waiting = seen.find(PENDING.key)
    assert isinstance(waiting, VirtualMachineMigration)
    assert reconciled(reconcile, waiting, seen, later(UNSCHEDULABLE_SECONDS - 1)).status == waiting.status
    assert failed(reconciled(reconcile, waiting, seen, later(UNSCHEDULABLE_SECONDS))) == "TargetUnschedulable"


def test_the_timeout_is_model_time() -> None:
    fast = pool(driver={"timeScale": "10"})
    outcome = outcome_of(PENDING, host("p1-1", unschedulable=True), fast)
    assert outcome.requeue_at == later(UNSCHEDULABLE_SECONDS / 10)


def test_hosts_without_a_card_for_migrations_are_not_joined() -> None:
    bare = HARDWARE | {"nics": [{"name": "eth0", "bandwidth": "1G", "role": "Tenant"}]}
    assert failed(outcome_of(PENDING, host("p1-1", hardware=bare))) == "LinkFailed"


# Slots


@pytest.mark.parametrize(
    ("limits", "blocked_by", "words"),
    [
        ({"parallelMigrationsPerPool": 1}, "ClusterLimit", "migration slots: 1/1 used; position 1"),
        ({"parallelOutboundMigrationsPerHost": 1}, "OutboundLimit", "outbound slots of p1-0: 1/1 used; position 1"),
    ],
)
def test_a_migration_waits_for_its_turn_and_says_for_what(limits: dict[str, int], blocked_by: str, words: str) -> None:
    other = migration("b-1", of="b", status=moving("p1-2", of="default-b"))
    others = (pool(migration=limits), host("p1-2"), vm("b", status=placed()), other)
    status = status_of(outcome_of(PENDING, *others))
    assert status.phase == "Pending"
    assert status.queue is not None
    assert (status.queue.blocked_by, status.queue.position, status.queue.message) == (blocked_by, 1, words)


def test_a_host_whose_inbound_slots_are_taken_is_passed_over() -> None:
    limits = pool(migration={"parallelInboundMigrationsPerHost": 1})
    other = migration("b-1", of="b", status=moving("p1-1", of="default-b"))
    outcome = outcome_of(PENDING, limits, host("p1-2"), vm("b", status=placed()), other)
    assert status_of(outcome).target_host == "p1-2"


def test_the_more_urgent_migration_starts_first_and_age_makes_up_for_it() -> None:
    limits = pool(migration={"parallelMigrationsPerPool": 1})
    urgent = migration("b-1", of="b", priority="SystemCritical")
    others = (limits, vm("b", status=placed()), urgent)
    assert status_of(outcome_of(PENDING, *others)).phase == "Pending"
    assert status_of(outcome_of(urgent, *others, PENDING)).phase == "PreparingTarget"
    old = migration(creation_timestamp=NOW - timedelta(seconds=30 * 51))
    assert status_of(outcome_of(old, *others)).phase == "PreparingTarget"


def test_no_more_than_the_pools_slots_are_ever_taken() -> None:
    vms = [vm(f"m{n}", status=placed()) for n in range(6)]
    moves = [migration(f"m{n}-1", of=f"m{n}") for n in range(6)]
    seen = world(pool(migration={"parallelMigrationsPerPool": 3}), host("p1-2"), host("p1-3"), *vms, *moves)
    started = [status_of(reconciled(reconcile, move, seen)).phase for move in moves]
    assert started.count("PreparingTarget") == 2, "two out of one host"


# The phases of a copy


def test_preparing_ends_when_the_driver_says_and_the_first_pass_begins_then() -> None:
    subject = migration(status=under_way("PreparingTarget", progress=PROGRESS | {"iteration": 0}))
    seen = world(subject)
    waiting = reconciled(reconcile, subject, seen)
    assert waiting.work == {PrepareTarget(subject.uid, 1, NOW, seen.pace("p1"))}
    ended = finished(seen, waiting)
    outcome = reconciled(reconcile, subject, seen, ended + timedelta(seconds=7))
    status = status_of(outcome)
    assert (status.phase, status.transition_started_at) == ("PreCopy", ended)
    assert status.progress is not None
    assert status.progress.iteration == 1
    assert told(outcome) == ["PreCopyStarted"]


def test_a_pass_is_followed_by_another_until_the_rest_is_small() -> None:
    subject = migration(status=under_way("PreCopy"))
    seen = world(subject)
    waiting = reconciled(reconcile, subject, seen)
    (work,) = waiting.work
    assert isinstance(work, SendPass)
    assert (work.state.iteration, work.state.remaining, work.link.bandwidth) == (0, 4 * 2**30, 1e9)
    ended = finished(seen, waiting)
    status = status_of(reconciled(reconcile, subject, seen, ended))
    assert (status.phase, status.transition_started_at) == ("StopAndCopy", ended)
    assert (status.mode, status.progress and status.progress.iteration) == ("Paused", 1)


def test_a_guest_that_dirties_more_than_the_link_carries_is_given_up_and_runs_on() -> None:
    busy = vm(status=placed(), model={"hotSet": "3Gi", "dirtyRate": "2G"})
    subject = migration(status=under_way("PreCopy", progress=PROGRESS | {"iteration": 4, "elapsedSeconds": 20}))
    seen = world(subject, busy)
    ended = finished(seen, reconciled(reconcile, subject, seen))
    outcome = reconciled(reconcile, subject, seen, ended)
    assert failed(outcome) == "NotConverging"
    assert "maxDowntime" in message(outcome, "Ready")
    assert seen.ledger.allocated("p1-1") == NO_RESOURCES


@pytest.mark.parametrize("phase", ["PreCopy", "StopAndCopy"])
@pytest.mark.parametrize("end", ["p1-0", "p1-1"])
def test_a_link_that_is_taken_away_in_mid_copy_fails_the_move(phase: str, end: str) -> None:
    bare = HARDWARE | {"nics": [{"name": "eth0", "bandwidth": "1G", "role": "Tenant"}]}
    assert failed(outcome_of(migration(status=under_way(phase)), host(end, hardware=bare))) == "LinkFailed"


def test_a_second_migration_on_the_link_halves_the_next_pass_and_not_the_present_one() -> None:
    subject = migration(status=under_way("PreCopy"))
    seen = world(subject, vm("b", status=placed()))
    (before,) = reconciled(reconcile, subject, seen).work
    seen.observe(migration("b-1", of="b", status=moving("p1-1", of="default-b")))
    (after,) = reconciled(reconcile, subject, seen).work
    assert before == after


def test_the_guest_is_paused_for_the_last_pages_and_commitment_tells_what_was_played() -> None:
    subject = migration(status=under_way("StopAndCopy", mode="Paused", progress=PROGRESS | {"remainingBytes": 10**8}))
    seen = world(subject)
    waiting = reconciled(reconcile, subject, seen)
    (work,) = waiting.work
    assert isinstance(work, StopAndCopy)
    ended = finished(seen, waiting)
    status = status_of(reconciled(reconcile, subject, seen, ended))
    assert (status.phase, status.transition_started_at) == ("Commitment", ended)
    assert status.result is not None
    assert status.result.passes == 1
    assert status.result.downtime_milliseconds == pytest.approx(1000 * (10**8 / 1.25e9 + 0.005 + 0.05), abs=1)
    assert status.result.downtime_error_percent == pytest.approx(status.result.downtime_milliseconds - 100, abs=0.2)
    assert status.progress is not None
    assert (status.progress.percent, status.progress.remaining_bytes) == (99, 0)


def test_commitment_waits_for_the_vms_own_write_to_be_confirmed() -> None:
    subject = migration(status=under_way("Commitment"))
    seen = world(subject, running(phase="Migrating", migration={"current": "a-1"}))
    assert reconciled(reconcile, subject, seen) == Outcome()
    moved = placed("p1-1", migration={"last": "a-1", "lastResult": "Succeeded"})
    seen.assume(vm(status=moved))
    assert reconciled(reconcile, subject, seen) == Outcome()
    seen.settle(vm().key)
    assert reconciled(reconcile, subject, seen) == Outcome()
    seen.observe(vm(status=moved, resource_version="2"))
    assert status_of(reconciled(reconcile, subject, seen)).phase == "Activation"


def test_a_vm_that_lost_its_new_host_before_we_looked_has_moved_all_the_same() -> None:
    subject = migration(status=under_way("Commitment"))
    elsewhere = running(host="p1-2", migration={"last": "a-1", "lastResult": "Succeeded"})
    outcome = outcome_of(subject, elsewhere, host("p1-2"), host("p1-1", status=DOWN))
    assert status_of(outcome).phase == "Activation"


def test_an_earlier_move_under_the_same_name_is_not_taken_for_this_one() -> None:
    subject = migration(status=under_way("Commitment"))
    again = running(phase="Migrating", migration={"current": "a-1", "last": "a-1", "lastResult": "Succeeded"})
    assert outcome_of(subject, again) == Outcome()


def test_activation_ends_the_move_with_a_sentence_of_numbers() -> None:
    result = {"downtimeMilliseconds": 84.2, "durationSeconds": 9.5, "passes": 3, "transferredBytes": 5 * 2**30}
    subject = migration(status=under_way("Activation", result=result))
    seen = world(subject, running(host="p1-1"))
    waiting = reconciled(reconcile, subject, seen)
    assert waiting.work == {Activate(subject.uid, 1, NOW, seen.pace("p1"))}
    outcome = reconciled(reconcile, subject, seen, finished(seen, waiting))
    status = status_of(outcome)
    assert (status.phase, status.progress and status.progress.percent) == ("Succeeded", 100)
    assert reasons(outcome)["Ready"] == ("True", "Succeeded")
    assert message(outcome, "Ready") == "a moved from p1-0 to p1-1 in 9.5 s, 3 passes, 5Gi, downtime 84 ms"
    assert told(outcome) == ["SuccessfulMigration"]


# Ends


@pytest.mark.parametrize("phase", [None, "Pending", *COPYING])
def test_a_cancel_is_heard_up_to_commitment_and_leaves_the_vm_where_it_is(phase: str | None) -> None:
    status = under_way(phase) if phase in COPYING else {"phase": phase} if phase else None
    outcome = outcome_of(migration(cancel=True, status=status))
    after = status_of(outcome)
    assert (after.phase, after.failure_reason, after.abort_requested) == ("Cancelled", "Cancelled", True)
    assert message(outcome, "Ready") == "cancelled; a stays on p1-0"
    assert told(outcome) == ["SuccessfulAbortMigration"]


def test_a_cancel_at_commitment_is_too_late() -> None:
    migrating = running(phase="Migrating", migration={"current": "a-1"})
    assert outcome_of(migration(cancel=True, status=under_way("Commitment")), migrating) == Outcome()


def test_a_cancel_while_activating_changes_nothing() -> None:
    outcome = outcome_of(migration(cancel=True, status=under_way("Activation")), running(host="p1-1"))
    assert outcome.status is None
    assert len(outcome.work) == 1


@pytest.mark.parametrize("phase", [*COPYING, "Commitment"])
@pytest.mark.parametrize(
    "target", [host("p1-1", status=DOWN), host("p1-1", fault={"type": "Crash"}), host("p1-1", power_state="Off")]
)
def test_a_target_that_crashes_before_the_commit_leaves_the_vm_on_its_source(phase: str, target: AnyResource) -> None:
    outcome = outcome_of(migration(status=under_way(phase)), target)
    assert failed(outcome) == "TargetHostFailed"
    assert message(outcome, "Ready") == "target host p1-1 is lost; a goes on running on p1-0"


def test_a_target_that_crashes_after_the_commit_is_the_vms_affair() -> None:
    down = host("p1-1", status=DOWN)
    assert outcome_of(migration(status=under_way("Activation")), running(host="p1-1"), down).work
    committed = running(host="p1-1", migration={"last": "a-1", "lastResult": "Succeeded"})
    assert status_of(outcome_of(migration(status=under_way("Commitment")), committed, down)).phase == "Activation"


@pytest.mark.parametrize("phase", [*COPYING, "Commitment"])
def test_a_source_that_crashes_before_the_commit_takes_the_vm_with_it(phase: str) -> None:
    assert failed(outcome_of(migration(status=under_way(phase)), host("p1-0", status=DOWN))) == "SourceHostFailed"


@pytest.mark.parametrize("phase", COPYING)
@pytest.mark.parametrize("seen", [placed(phase="Stopping"), placed("p1-2"), {"phase": "Stopped"}])
def test_a_guest_that_is_stopped_or_elsewhere_ends_its_migration(phase: str, seen: dict[str, Any]) -> None:
    outcome = outcome_of(migration(status=under_way(phase)), vm(status=seen), host("p1-2"))
    assert failed(outcome) == "VirtualMachineStopped"


@pytest.mark.parametrize("phase", COPYING)
def test_a_vm_made_anew_under_the_same_name_is_not_the_one_that_was_to_move(phase: str) -> None:
    outcome = outcome_of(migration(status=under_way(phase)), vm(uid="second", status=placed()))
    assert failed(outcome) == "VirtualMachineDeleted"


# Final


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
def test_what_is_over_stays_over_and_an_edit_that_comes_too_late_is_acknowledged(phase: str) -> None:
    ready = "True" if phase == "Succeeded" else "False"
    over = under_way(phase, conditions=[condition("Ready", ready, phase)])
    outcome = outcome_of(migration(cancel=True, generation=2, status=over))
    assert (status_of(outcome).phase, status_of(outcome).observed_generation) == (phase, 2)
    assert outcome.work == frozenset()
    assert reconcile(migration(deleting=True, status=over), world(), NOW) == Outcome(protect=False)


def test_a_deleted_migration_is_cancelled_first_and_then_goes() -> None:
    subject = migration(deleting=True, status=under_way("PreCopy"))
    seen = world(subject)
    assert status_of(reconciled(reconcile, subject, seen)).phase == "Cancelled"
    cancelled = seen.find(subject.key)
    assert isinstance(cancelled, VirtualMachineMigration)
    assert reconcile(cancelled, seen, NOW).protect is False
    assert reconcile(migration(deleting=True, finalizer=False), seen, NOW) == Outcome()


# A whole move, with the VM's own controller


def played(seen: World, *, late: float = 0.0) -> tuple[list[str], datetime]:
    """Both controllers in turn until the migration is over; ``late``: how long after each answer anybody looks."""
    phases: list[str] = []
    now = NOW
    for _ in range(80):
        for kind, key in ((virtualmachine, vm().key), (None, PENDING.key)):
            subject = seen.find(key)
            assert subject is not None
            controller = kind.CONTROLLER if kind is not None else CONTROLLER
            outcome = controller.reconcile(subject, seen, now)
            if outcome.status not in (None, subject.status):
                taken(seen, subject, outcome)
            elif outcome.work:
                now = max(now, finished(seen, outcome) + timedelta(seconds=late))
        move = seen.find(PENDING.key)
        assert isinstance(move, VirtualMachineMigration)
        if not phases or phases[-1] != move.status.phase:
            phases.append(str(move.status.phase))
        if is_final(move):
            return phases, now
    raise AssertionError(f"no end after {phases}")


def test_a_move_goes_through_every_phase_and_ends_with_the_vm_on_its_target() -> None:
    seen = world(PENDING)
    phases, _ = played(seen)
    assert phases == ["PreparingTarget", "PreCopy", "StopAndCopy", "Commitment", "Activation", "Succeeded"]
    moved = seen.find(vm().key)
    assert isinstance(moved, VirtualMachine)
    assert (moved.status.phase, moved.status.host_name) == ("Running", "p1-1")
    assert seen.ledger.allocated("p1-0") == NO_RESOURCES


def test_what_is_played_does_not_depend_on_when_somebody_looked() -> None:
    prompt, slow = world(PENDING), world(PENDING)
    _, ended = played(prompt)
    _, ended_late = played(slow, late=100.0)
    first, second = prompt.find(PENDING.key), slow.find(PENDING.key)
    assert isinstance(first, VirtualMachineMigration)
    assert isinstance(second, VirtualMachineMigration)
    assert first.status.result == second.status.result
    assert ended < ended_late


def test_a_quiet_guests_move_is_as_predicted() -> None:
    seen = world(PENDING, vm(status=placed(), model={"dirtyNoise": "0"}))
    played(seen)
    move = seen.find(PENDING.key)
    assert isinstance(move, VirtualMachineMigration)
    assert move.status.result is not None
    assert move.status.result.duration_error_percent == pytest.approx(0, abs=0.5)
    assert move.status.result.downtime_error_percent == pytest.approx(0, abs=0.5)


def test_progress_never_falls() -> None:
    busy = vm(status=placed(), model={"hotSet": "150Mi", "dirtyRate": "200M"})
    seen = world(PENDING, busy)
    percents: list[int] = []

    def note(_before: AnyResource | None, after: AnyResource | None) -> None:
        if isinstance(after, VirtualMachineMigration) and after.status.progress is not None:
            percents.append(after.status.progress.percent)

    seen.subscribe(note)
    played(seen)
    assert percents == sorted(percents)
    assert len(set(percents)) > 3
    assert percents[-1] == 100


# What wakes a migration


def woken(before: AnyResource | None, after: AnyResource | None, *others: AnyResource) -> set[str]:
    changed = after if after is not None else before
    assert changed is not None
    seen = world_of(*others, *([after] if after is not None else []))
    watches = [watch for watch in CONTROLLER.watches if watch.kind == changed.KIND]
    return {key.name for watch in watches for key in watch.affected(before, after, seen)}


def test_a_migration_looks_again_when_its_vm_changes() -> None:
    assert woken(vm(), running(), PENDING, migration("b-1", of="b")) == {"a-1"}


def test_waiting_migrations_look_again_when_slots_or_room_come_free() -> None:
    other = migration("b-1", of="b", status=moving("p1-1", of="default-b"))
    ended = migration("b-1", of="b", status=moving("p1-1", of="default-b", phase="Failed"))
    assert woken(other, ended, PENDING) == {"a-1"}
    assert woken(vm("c", status=placed()), vm("c", status={"phase": "Stopped"}), PENDING) == {"a-1"}
    assert woken(host(unschedulable=True), host(), PENDING) == {"a-1"}


def test_migrations_under_way_look_again_when_a_host_goes_down_but_not_for_its_counters() -> None:
    move = migration(status=under_way("PreCopy"))
    assert woken(host("p1-1"), host("p1-1", status=DOWN), move) == {"a-1"}
    counted = {"virtualMachines": 3, "conditions": [condition("Ready", "True", "HostReady")]}
    assert woken(host("p1-1"), host("p1-1", status=counted), move) == set()


# History


def ended(number: int, **fields: Any) -> VirtualMachineMigration:
    status = {"phase": "Succeeded", "observedGeneration": 1, "endTimestamp": later(number).isoformat()}
    return migration(f"m-{number}", status=status, **fields)


def test_the_newest_five_finished_migrations_of_a_vm_that_plans_made_are_kept() -> None:
    planned = [ended(number, plan_name="plan") for number in range(7)]
    outcome = reconcile(planned[6], world(*planned), NOW)
    assert [child.resource.name for child in outcome.children] == ["m-0", "m-1"]


def test_finished_migrations_that_users_made_are_theirs_to_delete() -> None:
    own = [ended(number) for number in range(7)]
    assert reconcile(own[6], world(*own), NOW).children == ()


# A plan that is over


PLANNED = {"plan_name": "plan", "labels": {"drover.dev/plan-uid": "migrationplan-default-plan"}}


@pytest.mark.parametrize(
    "over",
    [
        None,
        plan(cancel=True),
        plan(deleting=True),
        plan(status={"phase": "Cancelled"}),
        plan(uid="made-anew-under-the-same-name"),
    ],
)
def test_a_plans_migration_that_has_not_begun_ends_with_its_plan(over: MigrationPlan | None) -> None:
    outcome = outcome_of(migration(**PLANNED), *([over] if over is not None else []))
    assert status_of(outcome).phase == "Cancelled"
    assert "its plan default/plan is" in message(outcome, "Ready")


def test_a_plans_migration_begins_while_its_plan_goes_on() -> None:
    assert status_of(outcome_of(migration(**PLANNED), plan(status={"phase": "Migrating"}))).phase == "PreparingTarget"


def test_no_target_is_claimed_for_a_vm_that_is_only_assumed_to_run() -> None:
    starting = vm(status=placed(phase="Starting"))
    seen = world_of(*BASE, starting, PENDING)
    seen.assume(running())
    assert reconcile(PENDING, seen, NOW) == Outcome()
