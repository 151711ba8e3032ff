"""How a plan ends: after a failure it goes on, stops or goes home; its outcome is graded; it goes in its own time."""

from __future__ import annotations

import pytest
from checked import reconciled
from moves import DOWN
from plans import (
    MOVERS,
    THREE,
    asked_to_stop,
    begun,
    cancelled,
    child,
    current,
    edit,
    fails,
    move_of,
    moves,
    outcome_of,
    queued,
    running,
    status_of,
    step,
)
from plans import world as world_with
from worlds import NOW, condition, edited, host, later, message, migration, placed, plan, reasons, taken, told, vm

from drover.api.meta import FINALIZER, OPERATOR_NAMESPACE
from drover.api.migrationplanstatus import PlanEstimate
from drover.api.virtualmachinemigration import Quantiles, VirtualMachineMigration
from drover.control.migrationplan.controller import reconcile
from drover.control.outcome import Delete, Outcome
from drover.control.virtualmachinemigration.controller import reconcile as reconcile_move
from drover.control.world import World
from drover.control.world.claims import PLAN_UID_LABEL

NO_RETRY = {"limit": 0}


def rows(outcome: Outcome) -> list[tuple[str, str | None, str | None]]:
    return [(entry.virtual_machine, entry.phase, entry.reason) for entry in status_of(outcome).migrations]


# failurePolicy Continue and Stop


def test_with_continue_the_others_go_on() -> None:
    seen = world_with(*MOVERS)
    begun(seen, retry=NO_RETRY, limits={"maxConcurrent": 1})
    fails(seen, move_of("m1"), at=5)
    step(seen, 6)
    assert running(seen) == [move_of("m2")]


def test_with_stop_nothing_new_starts_and_what_runs_ends() -> None:
    seen = world_with(*MOVERS)
    begun(seen, retry=NO_RETRY, limits={"maxConcurrent": 2}, failure_policy="Stop")
    child(seen, move_of("m2"), "PreCopy")
    fails(seen, move_of("m1"), at=5)
    stopping = step(seen, 6)
    assert rows(stopping)[2] == ("m3", "Cancelled", "Cancelled")
    assert reasons(stopping)["Executing"] == ("True", "Stopping")
    assert message(stopping, "Ready").startswith("stopped, as default/m1 could not be moved: 0 of 3 VMs moved, 1 under")
    assert asked_to_stop(seen) == [], "what is under way ends"
    moves(seen, move_of("m2"), at=20)
    ended = reconciled(reconcile, current(seen), seen, later(21))
    assert status_of(ended).phase == "PartiallySucceeded"
    assert "(default/m1: NotConverging); mend the cause and create a new plan" in message(ended, "Ready")


def test_with_stop_what_waits_for_a_slot_is_cancelled() -> None:
    seen = world_with(*MOVERS)
    begun(seen, retry=NO_RETRY, failure_policy="Stop")
    child(seen, move_of("m2"), "PreCopy")
    fails(seen, move_of("m1"), at=5)
    step(seen, 6)
    assert asked_to_stop(seen) == [move_of("m3")]
    cancelled(seen, move_of("m3"), at=7)
    moves(seen, move_of("m2"), at=20)
    assert status_of(step(seen, 21)).phase == "PartiallySucceeded"


def test_a_migration_that_its_plan_had_given_up_before_it_was_there_does_not_begin() -> None:
    seen = world_with(*MOVERS)
    begun(seen, retry=NO_RETRY, failure_policy="Stop")
    late = seen.get(VirtualMachineMigration, "default", move_of("m3"))
    assert late is not None
    seen.gone(late.key, late.uid)
    child(seen, move_of("m2"), "PreCopy")
    fails(seen, move_of("m1"), at=5)
    step(seen, 6)
    metadata = late.metadata.model_copy(update={"uid": "created late", "finalizers": (FINALIZER,)})
    late = late.model_copy(update={"metadata": metadata})
    seen.observe(late)
    outcome = reconcile_move(late, seen, later(7))
    assert outcome.status.phase == "Cancelled"  # type: ignore[union-attr]
    assert message(outcome, "Ready") == "cancelled; its plan default/plan has given it up"


def test_a_migration_of_a_vm_that_its_plan_no_longer_lists_does_not_begin() -> None:
    """The plan was edited as it was about to begin: its write was refused, the creation beside it was not."""
    seen = world_with(*MOVERS)
    queued(seen, virtual_machines=THREE)
    late = begun(world_with(*MOVERS)).status.migrations[2]
    made = migration(str(late.migration), of="m3", plan_name="plan", labels={PLAN_UID_LABEL: current(seen).uid})
    seen.observe(made)
    assert reconcile_move(made, seen, NOW).status.phase == "PreparingTarget"  # type: ignore[union-attr]
    edit(seen, virtualMachines=THREE[:2])
    assert told(step(seen)) == ["PlanRevised"]
    assert message(reconcile_move(made, seen, NOW), "Ready") == "cancelled; its plan default/plan has given it up"


def test_a_migration_that_its_plan_does_not_name_yet_is_left_alone() -> None:
    """The plan's write was refused, the creation beside it was not: the plan will name it again."""
    seen = world_with()
    begun(seen, virtual_machines=[{"name": "a"}])
    subject, made = current(seen), seen.get(VirtualMachineMigration, "default", move_of("a"))
    assert made is not None
    unnamed = tuple(entry.model_copy(update={"migration": None, "attempts": 0}) for entry in subject.status.migrations)
    status = subject.status.model_copy(update={"migrations": unnamed})
    seen.observe(edited(subject.model_copy(update={"status": status})))
    made = taken(seen, made, Outcome(protect=True))
    assert reconcile_move(made, seen, later(1)).status.phase == "PreparingTarget"  # type: ignore[union-attr]
    assert status_of(step(seen, 1)).migrations[0].migration == made.name


def test_stop_waits_for_the_retries_to_be_spent_and_takes_no_more_of_others() -> None:
    seen = world_with(*MOVERS)
    begun(seen, retry={"limit": 1, "backoff": "20s"}, failure_policy="Stop")
    fails(seen, move_of("m1"), at=5)
    fails(seen, move_of("m2"), at=6)
    child(seen, move_of("m3"), "PreCopy")
    assert status_of(step(seen, 7)).failed == 0
    step(seen, 25)
    fails(seen, move_of("m1", 2), at=25)
    stopped = step(seen, 25)
    assert rows(stopped)[:2] == [("m1", "Failed", "NotConverging"), ("m2", "Failed", "NotConverging")]


@pytest.mark.parametrize("policy", ["Stop", "Rollback"])
def test_a_vm_that_cannot_be_moved_at_all_stops_such_a_plan_before_it_begins(policy: str) -> None:
    seen = world_with(*MOVERS)
    queued(seen, virtual_machines=[{"name": "ghost"}, {"name": "m1"}], failure_policy=policy)
    outcome = step(seen)
    assert (status_of(outcome).phase, running(seen)) == ("Failed", [])
    assert "default/ghost: VirtualMachineNotFound" in message(outcome, "Ready")


# failurePolicy Rollback


def rolled_back(seen: World) -> None:
    """m1 has moved and m2 failed, while m3 is under way and being cancelled."""
    begun(seen, retry=NO_RETRY, failure_policy="Rollback")
    moves(seen, move_of("m1"), at=10)
    child(seen, move_of("m3"), "PreCopy", at=1)
    fails(seen, move_of("m2"), at=12)
    step(seen, 13)


def test_with_rollback_what_has_moved_goes_home_and_what_runs_is_cancelled() -> None:
    seen = world_with(*MOVERS)
    rolled_back(seen)
    assert asked_to_stop(seen) == [move_of("m3")]
    home = seen.get(VirtualMachineMigration, "default", move_of("m1", home=True))
    assert home is not None
    assert (home.spec.virtual_machine_name, home.spec.target_host_name) == ("m1", "p1-0")
    status = current(seen).status
    assert (status.phase, status.succeeded, status.returned) == ("Migrating", 0, 0)
    assert status.condition("Executing").reason == "RollingBack"  # type: ignore[union-attr]


def test_a_rollback_ends_in_failure_and_says_who_is_home() -> None:
    seen = world_with(*MOVERS)
    rolled_back(seen)
    cancelled(seen, move_of("m3"), at=14)
    moves(seen, move_of("m1", home=True), at=30, to="p1-0")
    ended = reconciled(reconcile, current(seen), seen, later(31))
    status = status_of(ended)
    assert (status.phase, status.returned, status.failed, status.skipped) == ("Failed", 1, 1, 1)
    assert message(ended, "Ready") == (
        "rollback, as default/m2 could not be moved: 0 of 3 VMs moved, 1 home again, 0 under way, 1 failed "
        "(default/m2: NotConverging); mend the cause and create a new plan"
    )
    assert told(ended)[-1] == "PlanFailed"
    assert status.result is not None
    assert (status.result.total_downtime_milliseconds, status.result.duration_error_percent) == (200.0, None)


def test_a_vm_that_arrives_after_the_rollback_began_goes_home_too() -> None:
    seen = world_with(*MOVERS)
    rolled_back(seen)
    moves(seen, move_of("m3"), at=14)
    step(seen, 15)
    assert running(seen) == [move_of("m1", home=True), move_of("m3", home=True)]


def test_a_home_that_cannot_take_its_vm_back_is_told() -> None:
    seen = world_with(*MOVERS)
    begun(seen, retry=NO_RETRY, failure_policy="Rollback", limits={"maxConcurrent": 1})
    moves(seen, move_of("m1"), at=10)
    step(seen, 11)
    down = host("p1-0", fault={"type": "Crash"}, resource_version="5")
    seen.observe(down)
    fails(seen, move_of("m2"), at=12)
    ended = step(seen, 13)
    assert rows(ended)[0] == ("m1", "Failed", "HomeUnavailable")
    assert "default/m1: HomeUnavailable, on p1-1 instead of p1-0" in message(ended, "Ready")


def test_a_way_home_that_fails_is_tried_again_and_then_told() -> None:
    seen = world_with(*MOVERS)
    begun(seen, retry={"limit": 1, "backoff": "20s"}, failure_policy="Rollback", virtual_machines=THREE[:2])
    moves(seen, move_of("m1"), at=10)
    fails(seen, move_of("m2"), at=12, reason="NotMigratable")
    step(seen, 13)
    fails(seen, move_of("m1", home=True), at=20, reason="TargetUnschedulable")
    assert step(seen, 20).requeue_at == later(40)
    step(seen, 40)
    assert running(seen) == [move_of("m1", 2, home=True)]
    fails(seen, move_of("m1", 2, home=True), at=50, reason="TargetUnschedulable")
    ended = step(seen, 51)
    assert (status_of(ended).phase, status_of(ended).failed, status_of(ended).returned) == ("Failed", 2, 0)
    assert "default/m1: TargetUnschedulable, on p1-1 instead of p1-0" in message(ended, "Ready")


def test_a_rollback_goes_on_when_its_window_has_closed_and_its_budget_is_spent() -> None:
    seen = world_with(*MOVERS)
    window = {"notAfter": later(12).isoformat()}
    begun(seen, retry=NO_RETRY, failure_policy="Rollback", window=window)
    moves(seen, move_of("m1"), at=10)
    fails(seen, move_of("m2"), at=11)
    edit(seen, limits={"maxTotalDowntime": "50ms"})
    step(seen, 13)
    assert move_of("m1", home=True) in running(seen)


def test_cancelling_a_rollback_leaves_the_vms_where_they_are() -> None:
    seen = world_with(*MOVERS)
    rolled_back(seen)
    edit(seen, cancel=True)
    step(seen, 14)
    assert asked_to_stop(seen) == sorted([move_of("m1", home=True), move_of("m3")])
    cancelled(seen, move_of("m1", home=True), at=15)
    cancelled(seen, move_of("m3"), at=15)
    assert status_of(step(seen, 16)).phase == "Cancelled"


def test_a_crash_anywhere_in_a_rollback_makes_no_migration_twice() -> None:
    seen = world_with(*MOVERS)
    rolled_back(seen)
    known = {m.name for m in seen.all(VirtualMachineMigration)}
    for _ in range(3):
        step(seen, 20)
    assert {m.name for m in seen.all(VirtualMachineMigration)} == known
    again = reconcile(current(seen), seen, later(20))
    assert again.status == current(seen).status


# Cancelled by hand


def test_migrations_that_somebody_cancelled_leave_a_plan_unfinished() -> None:
    seen = world_with(*MOVERS)
    begun(seen)
    moves(seen, move_of("m1"), at=5)
    cancelled(seen, move_of("m2"), at=5)
    moves(seen, move_of("m3"), at=5)
    assert status_of(step(seen, 6)).phase == "PartiallySucceeded"


def test_a_plan_all_of_whose_migrations_were_cancelled_is_cancelled() -> None:
    seen = world_with()
    begun(seen, virtual_machines=[{"name": "a"}])
    cancelled(seen, move_of("a"), at=5)
    assert status_of(step(seen, 6)).phase == "Cancelled"


# Predicted and real


def graded(*, held: bool = False, fail: bool = False) -> Outcome:
    """Three VMs, predicted to take 100 s and pauses of 100 ms each, that take 110 s and pauses of 120 ms."""
    seen = world_with(*MOVERS)
    begun(seen, retry=NO_RETRY)
    subject = current(seen)
    band = Quantiles(p10=90, p50=100, p90=120)
    estimate = PlanEstimate(
        verdict="Converges", duration_seconds=band, total_downtime_milliseconds=300, transfer_bytes=3000
    )
    entries = tuple(e.model_copy(update={"estimated_downtime_ms": 100.0}) for e in subject.status.migrations)
    status = subject.status.model_copy(
        update={"estimate": estimate, "migrations": entries, "held": True if held else None}
    )
    seen.observe(edited(subject.model_copy(update={"status": status}), resourceVersion="90"))
    for name in ("m1", "m2", "m3"):
        child(seen, move_of(name), "PreCopy", at=0)
    step(seen, 1)
    moves(seen, move_of("m1"), at=50, pause_ms=120, sent=1100)
    moves(seen, move_of("m2"), at=110, pause_ms=120, sent=1100)
    if fail:
        fails(seen, move_of("m3"), at=60)
    else:
        moves(seen, move_of("m3"), at=60, pause_ms=120, sent=1100)
    return reconciled(reconcile, current(seen), seen, later(111))


def test_a_plan_that_succeeded_tells_the_prediction_beside_the_outcome() -> None:
    outcome = graded()
    status = status_of(outcome)
    assert message(outcome, "Ready") == (
        "3 of 3 VMs moved, 0 under way, 0 failed; "
        "took 110 s and 0.36 s of pauses, predicted 100 s (p90 120 s) and 0.30 s"
    )
    assert outcome.events[-1].message == message(outcome, "Ready")
    assert status.result is not None
    assert (status.result.duration_seconds, status.result.duration_error_percent) == (110.0, 10.0)
    efficacy = status.efficacy
    assert efficacy is not None
    assert (efficacy.graded, efficacy.within_band) == (3, True)
    assert (efficacy.downtime_error_percent, efficacy.transfer_error_percent) == (20.0, 10.0)


def test_a_plan_that_was_held_up_or_left_vms_behind_has_no_error_of_its_duration() -> None:
    held, failed = status_of(graded(held=True)), status_of(graded(fail=True))
    for status in (held, failed):
        assert status.result is not None
        assert status.efficacy is not None
        assert (status.result.duration_error_percent, status.efficacy.within_band) == (None, None)
    assert held.efficacy is not None
    assert held.efficacy.transfer_error_percent == 10.0
    assert failed.efficacy is not None
    assert (failed.efficacy.graded, failed.efficacy.transfer_error_percent) == (2, None)


# Waves


def test_waves_are_told_as_they_begin_and_end() -> None:
    seen = world_with(*MOVERS)
    begun(seen, limits={"maxConcurrent": 1})
    assert [wave.phase for wave in current(seen).status.waves] == ["Pending"] * 3
    child(seen, move_of("m1"), "PreCopy", at=3)
    first = step(seen, 4)
    assert told(first) == ["WaveStarted"]
    assert first.events[0].message == "wave 1 of 3: 1 VM"
    moves(seen, move_of("m1"), at=10)
    ended = step(seen, 11)
    assert [event.message for event in ended.events] == ["wave 1 of 3: 1 VM, 1 moved"]
    (wave, *_) = current(seen).status.waves
    assert (wave.phase, wave.start_timestamp, wave.end_timestamp) == ("Completed", later(3), later(10))


# Time to live


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Expired", "Planned"])
def test_a_plan_is_deleted_when_its_time_has_come(phase: str) -> None:
    ready = [condition("Ready", "True", "Succeeded")]
    status = {"phase": phase, "observedGeneration": 1, "conditions": ready, "endTimestamp": later(0).isoformat()}
    status |= {"plannedTimestamp": later(0).isoformat()}
    mode = "DryRun" if phase == "Planned" else "Execute"
    over = plan(ttl_seconds_after_finished=60, mode=mode, status=status)
    seen = world_with(over)
    assert reconcile(over, seen, later(59)) == Outcome(requeue_at=later(60))
    assert reconcile(over, seen, later(60)) == Outcome(children=(Delete(over),))


def test_a_plan_without_a_time_to_live_stays() -> None:
    over = plan(status={"phase": "Succeeded", "observedGeneration": 1, "endTimestamp": later(0).isoformat()})
    assert outcome_of(over, at=10**6) == Outcome()


def test_an_edit_of_a_plan_that_is_over_is_acknowledged_before_it_is_deleted() -> None:
    ready = [condition("Ready", "True", "Succeeded")]
    status = {"phase": "Succeeded", "observedGeneration": 1, "conditions": ready, "endTimestamp": later(0).isoformat()}
    edited_ = plan(ttl_seconds_after_finished=0, generation=2, status=status)
    outcome = reconcile(edited_, world_with(edited_), later(5))
    assert (status_of(outcome).observed_generation, outcome.children) == (2, ())


def test_a_vm_that_went_before_its_migration_was_made_has_failed_and_holds_up_nobody() -> None:
    """Its namespace may be gone with it: no migration could be created there, ever."""
    seen = world_with(*MOVERS)
    begun(seen)
    for name in ("m1", "m2"):
        unmade = seen.get(VirtualMachineMigration, "default", move_of(name))
        assert unmade is not None
        seen.gone(unmade.key, unmade.uid)
    gone = MOVERS[0]
    seen.gone(gone.key, gone.uid)
    outcome = step(seen, 1)
    assert rows(outcome)[0] == ("m1", "Failed", "VirtualMachineDeleted")
    assert [child.resource.name for child in outcome.children] == [move_of("m2")]


# Trying again in a world that has changed


def test_a_vm_that_got_where_it_should_be_by_itself_is_not_moved_again() -> None:
    """Its source failed amid the copy, and it was started anew on the target."""
    seen = world_with()
    begun(seen, virtual_machines=[{"name": "a"}])
    target = str(current(seen).status.migrations[0].target)
    fails(seen, move_of("a"), at=5, reason="SourceHostFailed")
    step(seen, 5)
    seen.observe(vm(status=placed(target), resource_version="2"))
    outcome = step(seen, 25)
    assert rows(outcome) == [("a", "Succeeded", "AlreadySatisfied")]
    assert (status_of(outcome).phase, outcome.children) == ("Succeeded", ())


def test_a_vm_that_has_left_the_host_that_is_drained_is_not_moved_again() -> None:
    subject = plan(host_name="p1-0", namespace=OPERATOR_NAMESPACE, limits={"maxConcurrent": 1})
    seen = world_with(subject, vm("b", status=placed()))
    for _ in range(2):
        subject = taken(seen, subject, reconcile(subject, seen, NOW))
    assert [entry.migration is not None for entry in subject.status.migrations] == [True, False]
    seen.observe(vm("b", status=placed("p1-2"), resource_version="2"))
    made = vm("a", status=placed())
    seen.gone(made.key, made.uid)
    outcome = reconcile(subject, seen, NOW)
    assert rows(outcome) == [("a", "Failed", "VirtualMachineDeleted"), ("b", "Succeeded", "AlreadySatisfied")]


def test_a_vm_that_is_home_by_itself_needs_no_way_home() -> None:
    """The host it was moved to failed, and it was started anew where it had come from."""
    seen = world_with(*MOVERS)
    begun(seen, retry=NO_RETRY, failure_policy="Rollback")
    moves(seen, move_of("m1"), at=5)
    seen.observe(vm("m1", status=placed("p1-0"), resource_version="9"))
    child(seen, move_of("m3"), "PreCopy")
    fails(seen, move_of("m2"), at=5)
    outcome = step(seen, 6)
    assert rows(outcome)[0] == ("m1", "Succeeded", None)
    assert status_of(outcome).returned == 1
    assert running(seen) == [move_of("m3")]


def test_of_several_targets_that_are_named_another_one_is_tried_when_the_first_has_failed() -> None:
    seen = world_with()
    begun(seen, virtual_machines=[{"name": "a"}], target={"hostNames": ["p1-1", "p1-2"]})
    first = str(current(seen).status.migrations[0].target)
    seen.observe(host(first, status=DOWN, resource_version="2"))
    fails(seen, move_of("a"), at=5, reason="TargetHostFailed")
    step(seen, 5)
    (again,) = step(seen, 25).children
    assert isinstance(again.resource, VirtualMachineMigration)
    (other,) = {"p1-1", "p1-2"} - {first}
    assert again.resource.spec.target_host_name == other
