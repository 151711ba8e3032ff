"""One live move, phase by phase: what each phase waits for, writes and wants done."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from checked import reconciled
from moves import BASE, DOWN, PENDING, PROGRESS, failed, migrating, outcome_of, running, status_of, under_way, world
from worlds import (
    HARDWARE,
    NOW,
    finished,
    host,
    later,
    message,
    migration,
    placed,
    plan,
    policy,
    pool,
    reasons,
    taken,
    told,
    vm,
    world_of,
)

from drover.api.meta import AnyResource
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.driver import Activate, CopyMemory, PrepareTarget
from drover.control.outcome import Outcome
from drover.control.virtualmachine import controller as virtualmachine
from drover.control.virtualmachinemigration.controller import CONTROLLER, reconcile
from drover.control.virtualmachinemigration.pending import UNSCHEDULABLE_SECONDS
from drover.control.world import World
from drover.control.world.claims import is_final
from drover.model.placement import NO_RESOURCES

BUSY = {"hotSet": "3Gi", "dirtyRate": "2G"}
"""A guest that dirties its memory faster than the link carries it."""

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


def test_a_planned_migration_is_estimated_as_its_plan_foresaw_it() -> None:
    alone = status_of(reconciled(reconcile, PENDING, world(PENDING))).estimate
    entry = {"virtualMachine": "a", "namespace": "default", "migration": PENDING.name, "target": "p1-1"}
    foreseen = {"attempts": 1, "verdict": "Converges", "estimatedSeconds": 60.0, "estimatedDowntimeMs": 500.0}
    owner = plan(status={"phase": "Migrating", "migrations": [entry | foreseen]})
    subject = migration(plan_name="plan")
    planned = status_of(reconciled(reconcile, subject, world(subject, owner))).estimate
    assert alone is not None
    assert planned is not None
    assert planned.duration_seconds is not None
    assert planned.downtime_milliseconds is not None
    assert alone.downtime_milliseconds is not None
    assert planned.blackout_milliseconds is not None
    assert (planned.duration_seconds.p50, planned.downtime_milliseconds.p50) == (60.0, 500.0)
    assert alone.downtime_milliseconds.p50 < planned.downtime_milliseconds.p50 < planned.blackout_milliseconds.p50


@pytest.mark.parametrize("phase", [None, "Pending", "Provisioning", "Unschedulable", "Starting"])
def test_a_vm_that_may_soon_run_is_waited_for_but_not_for_ever(phase: str | None) -> None:
    subject = vm(status={"phase": phase} if phase else None)
    seen = world(PENDING, subject)
    outcome = reconciled(reconcile, PENDING, seen)
    status = status_of(outcome)
    assert status.phase == "Pending"
    assert status.queue is not None
    assert status.queue.message == (
        f"a is {phase or 'Pending'}, not Running yet: only a running guest can be migrated live"
    )
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


def test_no_copy_begins_before_the_vm_knows_of_the_move_for_it_must_know_where_its_guest_may_be() -> None:
    subject = migration(status=under_way("PreparingTarget"))
    assert outcome_of(subject, running()) == Outcome()
    seen = world_of(*BASE, running(), subject)
    seen.assume(migrating())
    assert reconcile(subject, seen, NOW) == Outcome()


def test_all_passes_are_one_piece_of_work_and_the_guest_is_paused_when_a_rule_has_ended_them() -> None:
    predicted = {"verdict": "Converges", "durationSeconds": {"p50": 600, "p90": 700}}
    subject = migration(status=under_way("PreCopy", estimate=predicted))
    seen = world(subject)
    waiting = reconciled(reconcile, subject, seen)
    (work,) = waiting.work
    assert isinstance(work, CopyMemory)
    ended = finished(seen, waiting)
    status = status_of(reconciled(reconcile, subject, seen, ended))
    assert (status.phase, status.transition_started_at, status.mode) == ("StopAndCopy", ended, "Paused")
    assert status.progress is not None
    assert status.progress.iteration >= 1
    assert status.progress.eta_seconds is not None
    assert status.progress.eta_seconds < 1, "the prediction no longer counts: what remains is known"


def test_a_guest_that_dirties_more_than_the_link_carries_is_given_up_and_runs_on() -> None:
    busy = migrating(model=BUSY)
    subject = migration(status=under_way("PreCopy"))
    seen = world(subject, busy)
    ended = finished(seen, reconciled(reconcile, subject, seen))
    outcome = reconciled(reconcile, subject, seen, ended)
    assert failed(outcome) in ("NotConverging", "CompletionTimeout")
    assert seen.ledger.allocated("p1-1") == NO_RESOURCES


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
    assert move.status.result.duration_error_percent == pytest.approx(0, abs=1)
    assert move.status.result.downtime_error_percent == pytest.approx(0, abs=1)


def test_in_post_copy_the_vm_keeps_its_source_until_the_guest_has_all_its_memory() -> None:
    seen = world(PENDING, vm(status=placed(), model=BUSY), policy(allow_post_copy=True))
    hosts: list[tuple[str | None, str | None]] = []

    def note(_before: AnyResource | None, _after: AnyResource | None) -> None:
        move, guest = seen.find(PENDING.key), seen.find(vm().key)
        assert isinstance(move, VirtualMachineMigration)
        assert isinstance(guest, VirtualMachine)
        charged = [name for name in ("p1-0", "p1-1") if seen.ledger.allocated(name) != NO_RESOURCES]
        hosts.append((move.status.phase, f"{guest.status.host_name} of {' and '.join(charged)}"))

    seen.subscribe(note)
    phases, _ = played(seen)
    whole = ["PreparingTarget", "PreCopy", "StopAndCopy", "PostCopy", "Commitment", "Activation", "Succeeded"]
    assert phases == whole
    assert [where for phase, where in hosts if phase == "PostCopy"] == ["p1-0 of p1-0 and p1-1"] * 2
    assert hosts[-1] == ("Succeeded", "p1-1 of p1-1")


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


def test_no_target_is_claimed_for_a_vm_that_is_only_assumed_to_run() -> None:
    starting = vm(status=placed(phase="Starting"))
    seen = world_of(*BASE, starting, PENDING)
    seen.assume(running())
    assert reconcile(PENDING, seen, NOW) == Outcome()
