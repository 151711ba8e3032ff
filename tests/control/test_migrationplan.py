"""Many moves as one intention: planned, worked through by creating migrations, ended, cancelled, retried."""

from __future__ import annotations

from typing import Any

import pytest
from checked import reconciled
from plans import (
    MOVERS,
    THREE,
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
    world,
)
from worlds import NOW, condition, later, message, migration, placed, plan, reasons, taken, told, vm

from drover.api.migrationplanstatus import PlanMigration
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.migrationplan.children import child_name
from drover.control.migrationplan.controller import CONTROLLER, reconcile
from drover.control.outcome import Create, Delete, Outcome, PatchSpec
from drover.control.world.claims import PLAN_UID_LABEL

# Planning


def test_a_new_plan_is_given_its_finalizer_first() -> None:
    assert reconcile(plan(finalizer=False), world(), NOW) == Outcome(protect=True)


def test_a_plan_is_queued_with_targets_and_an_estimate_before_anything_is_created() -> None:
    outcome = reconcile(plan(), world(plan()), NOW)
    status = status_of(outcome)
    assert (status.phase, status.total, status.pending, status.active) == ("Queued", 1, 1, 0)
    assert status.migrations[0].target == "p1-1"
    assert status.estimate is not None
    assert outcome.children == ()
    assert reasons(outcome) == {
        "Ready": ("False", "InProgress"),
        "Planned": ("True", "Planned"),
        "Feasible": ("True", "Converges"),
        "Executing": ("False", "Queued"),
        "Reconciling": ("True", "InProgress"),
    }
    assert told(outcome) == ["PlanComputed", "PlanQueued"]


def test_a_dry_run_says_what_would_happen_and_creates_nothing() -> None:
    outcome = outcome_of(plan(mode="DryRun"))
    status = status_of(outcome)
    assert (status.phase, status.migrations[0].migration) == ("Planned", None)
    assert reasons(outcome)["Ready"] == ("True", "DryRunComplete")
    assert message(outcome, "Ready").startswith("1 of 1 VM to move, ")
    assert outcome.children == ()


def test_a_dry_run_is_computed_anew_only_for_a_changed_spec() -> None:
    seen = world()
    done = queued(seen, mode="DryRun")
    assert reconcile(done, seen, later(60)) == Outcome()
    seen.observe(plan(mode="DryRun", target={"hostNames": ["p1-2"]}, generation=2, resource_version="9", status={}))
    assert status_of(reconciled(reconcile, current(seen), seen)).migrations[0].target == "p1-2"


def test_a_dry_run_that_is_made_an_execution_goes_on() -> None:
    seen = world()
    queued(seen, mode="DryRun")
    edit(seen, mode="Execute")
    assert status_of(step(seen)).phase == "Queued"
    step(seen)
    assert running(seen) == [move_of("a")]


def test_a_plan_for_a_vm_that_does_not_exist_fails_and_names_it() -> None:
    outcome = outcome_of(plan(virtual_machines=[{"name": "ghost"}]))
    status = status_of(outcome)
    assert (status.phase, status.failed) == ("Failed", 1)
    assert "default/ghost: VirtualMachineNotFound" in message(outcome, "Ready")
    assert reasons(outcome)["Stalled"] == ("True", "Failed")
    assert told(outcome) == ["PlanFailed"]


def test_of_several_vms_those_that_exist_are_moved() -> None:
    outcome = outcome_of(plan(virtual_machines=[{"name": "ghost"}, {"name": "a"}], paused=True))
    assert (status_of(outcome).phase, status_of(outcome).failed, status_of(outcome).pending) == ("Queued", 1, 1)
    assert told(outcome) == ["PlanComputed", "PlanInfeasible", "PlanQueued", "PlanPaused"]


def test_a_drain_works_in_the_operators_namespace_only() -> None:
    outcome = outcome_of(plan(host_name="p1-0"))
    assert status_of(outcome).phase == "Failed"
    assert "works in namespace drover-system only: create the plan there" in message(outcome, "Ready")
    assert status_of(outcome).migrations == ()
    there = outcome_of(plan(host_name="p1-0", namespace="drover-system", paused=True))
    assert (status_of(there).phase, status_of(there).total) == ("Queued", 1)


def test_a_drain_of_a_host_that_does_not_exist_says_so() -> None:
    outcome = outcome_of(plan(host_name="p1-9", namespace="drover-system"))
    assert message(outcome, "Ready") == "host p1-9 does not exist: see `kubectl get hosts`"


def test_a_plan_whose_vms_are_where_they_should_be_has_succeeded_already() -> None:
    outcome = outcome_of(plan(target={"hostNames": ["p1-0"]}))
    status = status_of(outcome)
    assert (status.phase, status.skipped, status.percent) == ("Succeeded", 1, 100)
    assert reasons(outcome)["Ready"] == ("True", "AlreadySatisfied")
    assert told(outcome) == ["PlanSucceeded"]


def test_a_plan_for_nothing_has_succeeded() -> None:
    outcome = outcome_of(plan(selector={"matchLabels": {"app": "none"}}))
    assert (status_of(outcome).phase, status_of(outcome).percent) == ("Succeeded", 100)


def test_a_plan_cancelled_before_it_began_is_cancelled() -> None:
    outcome = outcome_of(plan(cancel=True))
    assert status_of(outcome).phase == "Cancelled"
    assert reasons(outcome)["Ready"] == ("False", "Cancelled")


# Work


def test_migrations_are_named_after_plan_vm_and_attempt_and_labelled_with_the_plan() -> None:
    seen = world()
    subject = queued(seen, priority="SystemCritical")
    outcome = reconciled(reconcile, subject, seen, later(1))
    (create,) = outcome.children
    assert isinstance(create, Create)
    made = create.resource
    assert isinstance(made, VirtualMachineMigration)
    assert (made.name, made.namespace, made.metadata.labels[PLAN_UID_LABEL]) == (move_of("a"), "default", subject.uid)
    assert (made.spec.virtual_machine_name, made.spec.plan_name, made.spec.priority) == ("a", "plan", "SystemCritical")
    assert made.spec.target_host_name is None, "the planned target is advice"
    status = status_of(outcome)
    assert (status.phase, status.active, status.start_timestamp) == ("Migrating", 1, None)
    assert status.migrations[0].attempts == 1


@pytest.mark.parametrize(
    ("fields", "target", "selector"),
    [
        ({"virtual_machines": [{"name": "a", "targetHostName": "p1-2"}]}, "p1-2", None),
        ({"target": {"hostNames": ["p1-2"]}}, "p1-2", None),
        ({"target": {"excludeHosts": ["p1-1"]}}, "p1-2", None),
        ({"target": {"nodeSelector": {"disk": "ssd"}}}, None, {"disk": "ssd"}),
    ],
)
def test_what_the_user_narrowed_the_target_to_binds_the_migration(
    fields: dict[str, Any], target: str | None, selector: dict[str, str] | None
) -> None:
    seen = world()
    (create,) = reconcile(queued(seen, **fields), seen, NOW).children
    made = create.resource
    assert isinstance(made, VirtualMachineMigration)
    assert (made.spec.target_host_name, made.spec.added_node_selector) == (target, selector)


def test_a_migration_lost_in_a_crash_is_created_under_the_same_name() -> None:
    seen = world()
    first = reconcile(queued(seen), seen, NOW)
    taken(seen, current(seen), first)
    again = reconcile(current(seen), seen, later(5))
    assert [c.resource.key for c in again.children] == [c.resource.key for c in first.children]
    assert again.status == current(seen).status


def test_no_more_than_max_concurrent_run_at_a_time() -> None:
    seen = world(*MOVERS)
    queued(seen, virtual_machines=THREE, limits={"maxConcurrent": 2})
    step(seen)
    assert running(seen) == [move_of("m1"), move_of("m2")]
    moves(seen, move_of("m1"), at=5)
    step(seen)
    assert running(seen) == [move_of("m2"), move_of("m3")]


def test_a_paused_plan_starts_nothing_new_and_lets_what_runs_end() -> None:
    seen = world(*MOVERS)
    queued(seen, virtual_machines=THREE, limits={"maxConcurrent": 1})
    step(seen)
    moves(seen, move_of("m1"), at=5)
    subject = current(seen)
    paused = subject.spec.model_copy(update={"paused": True})
    outcome = reconcile(subject.model_copy(update={"spec": paused}), seen, NOW)
    assert outcome.children == ()
    assert (status_of(outcome).succeeded, status_of(outcome).pending) == (1, 2)


@pytest.mark.parametrize("phase", ["PreCopy", "StopAndCopy", "PostCopy", "Commitment", "Activation"])
def test_a_plan_of_one_shows_its_migrations_phase_and_a_plan_of_many_that_it_migrates(phase: str) -> None:
    seen = world(*MOVERS)
    queued(seen)
    step(seen)
    child(seen, move_of("a"), phase)
    assert status_of(reconciled(reconcile, current(seen), seen)).phase == phase
    many = world(*MOVERS)
    queued(many, virtual_machines=THREE)
    step(many)
    child(many, move_of("m1"), phase)
    assert status_of(reconciled(reconcile, current(many), many)).phase == "Migrating"


def test_a_plan_ends_with_what_was_played_beside_what_was_predicted() -> None:
    seen = world()
    queued(seen)
    step(seen)
    child(seen, move_of("a"), "PreCopy", at=2)
    assert status_of(step(seen, 3)).start_timestamp == later(2), "when the first target was claimed"
    moves(seen, move_of("a"), at=14, pause_ms=80.0, sent=5_000_000)
    outcome = reconciled(reconcile, current(seen), seen, later(15))
    status = status_of(outcome)
    assert (status.phase, status.succeeded, status.percent, status.end_timestamp) == ("Succeeded", 1, 100, later(15))
    assert status.result is not None
    assert (status.result.total_downtime_milliseconds, status.result.transferred_bytes) == (80.0, 5_000_000)
    assert status.result.duration_seconds == 12
    assert message(outcome, "Ready").startswith(
        "1 of 1 VMs moved, 0 under way, 0 failed; took 12 s and 0.08 s of pauses, predicted "
    )
    assert reasons(outcome)["Ready"] == ("True", "Succeeded")
    assert told(outcome)[-1] == "PlanSucceeded"


@pytest.mark.parametrize("phase", ["Succeeded", "PartiallySucceeded", "Failed", "Cancelled", "Superseded", "Expired"])
def test_what_is_over_is_not_done_again_and_an_edit_that_comes_too_late_is_acknowledged(phase: str) -> None:
    ready = "True" if phase == "Succeeded" else "False"
    over = {"phase": phase, "observedGeneration": 1, "conditions": [condition("Ready", ready, phase)]}
    outcome = outcome_of(plan(generation=2, paused=True, status=over))
    assert (status_of(outcome).phase, status_of(outcome).observed_generation) == (phase, 2)
    assert outcome.children == ()


# Retry


def test_a_failed_migration_is_tried_again_after_a_back_off_that_doubles_until_the_limit() -> None:
    seen = world()
    queued(seen, retry={"limit": 2, "backoff": "20s"})
    step(seen)
    for attempt, (ended, backoff) in enumerate([(10, 20), (40, 40)], start=1):
        fails(seen, move_of("a", attempt), ended)
        waiting = step(seen, ended)
        assert waiting.requeue_at == later(ended + backoff)
        assert running(seen) == []
        step(seen, ended + backoff)
        assert running(seen) == [move_of("a", attempt + 1)]
    fails(seen, move_of("a", 3), 100)
    outcome = step(seen, 100)
    assert (status_of(outcome).phase, status_of(outcome).failed) == ("Failed", 1)
    assert "default/a: NotConverging); mend the cause and create a new plan" in message(outcome, "Ready")


@pytest.mark.parametrize("reason", ["VirtualMachineDeleted", "VirtualMachineStopped", "NotMigratable"])
def test_what_trying_again_does_not_mend_is_not_tried_again(reason: str) -> None:
    seen = world()
    queued(seen)
    step(seen)
    fails(seen, move_of("a"), reason=reason)
    assert status_of(step(seen)).phase == "Failed"


def test_a_paused_plan_whose_retry_is_due_waits_without_a_timer() -> None:
    seen = world()
    queued(seen)
    step(seen)
    fails(seen, move_of("a"))
    step(seen)
    subject = current(seen)
    paused = subject.model_copy(update={"spec": subject.spec.model_copy(update={"paused": True})})
    assert reconcile(paused, seen, later(10)).requeue_at == later(20)
    assert reconcile(paused, seen, later(30)).requeue_at is None


def test_some_moved_and_some_failed_is_a_partial_success() -> None:
    seen = world(*MOVERS)
    queued(seen, virtual_machines=THREE, retry={"limit": 0})
    step(seen)
    moves(seen, move_of("m1"), at=5)
    fails(seen, move_of("m2"))
    moves(seen, move_of("m3"), at=5)
    outcome = step(seen)
    assert (status_of(outcome).phase, status_of(outcome).succeeded) == ("PartiallySucceeded", 2)
    assert reasons(outcome)["Ready"] == ("False", "Failed")
    assert told(outcome)[-1] == "PlanPartiallySucceeded"


def test_a_migration_somebody_deleted_counts_as_cancelled() -> None:
    seen = world(*MOVERS)
    queued(seen, virtual_machines=THREE)
    step(seen)
    move = child(seen, move_of("m1"), "PreCopy")
    step(seen)
    seen.gone(move.key, move.uid)
    status = status_of(step(seen))
    assert (status.migrations[0].phase, status.skipped) == ("Cancelled", 1)


# Cancel


def test_a_cancel_stops_what_runs_starts_nothing_and_waits_for_the_end() -> None:
    seen = world(*MOVERS)
    queued(seen, virtual_machines=THREE, limits={"maxConcurrent": 1})
    step(seen)
    child(seen, move_of("m1"), "PreCopy")
    edit(seen, cancel=True)
    outcome = reconciled(reconcile, current(seen), seen)
    assert status_of(outcome).phase == "Cancelling"
    (patch,) = outcome.children
    assert isinstance(patch, PatchSpec)
    assert (patch.resource.name, patch.spec) == (move_of("m1"), {"cancel": True})
    assert [entry.phase for entry in status_of(outcome).migrations] == ["PreCopy", "Cancelled", "Cancelled"]
    cancelled(seen, move_of("m1"))
    end = reconciled(reconcile, current(seen), seen)
    assert (status_of(end).phase, status_of(end).skipped) == ("Cancelled", 3)
    assert told(end)[-1] == "PlanCancelled"


def test_a_cancel_that_came_too_late_for_a_migration_lets_it_end_as_it_can() -> None:
    seen = world()
    queued(seen)
    step(seen)
    subject = current(seen)
    cancelled = subject.model_copy(update={"spec": subject.spec.model_copy(update={"cancel": True})})
    moves(seen, move_of("a"), at=5)
    status = status_of(reconcile(cancelled, seen, NOW))
    assert (status.phase, status.succeeded) == ("Cancelled", 1)


# Deletion


def test_a_deleted_plan_cancels_what_runs_removes_what_has_ended_and_then_goes() -> None:
    subject = plan(deleting=True)
    mine = {"labels": {PLAN_UID_LABEL: subject.uid}, "plan_name": "plan"}
    copying = migration(move_of("a"), status={"phase": "PreCopy"}, **mine)
    over = migration("plan-b-1", status={"phase": "Succeeded"}, **mine)
    foreign = migration("plan-c-1", status={"phase": "PreCopy"}, labels={PLAN_UID_LABEL: "another"}, plan_name="plan")
    outcome = reconcile(subject, world(subject, copying, over, foreign), NOW)
    assert outcome.children == (PatchSpec(copying, {"cancel": True}), Delete(over))
    assert outcome.protect is None
    assert reconcile(subject, world(subject, foreign), NOW) == Outcome(protect=False)


# Names


def test_children_of_other_namespaces_do_not_meet_those_of_a_namesake_and_long_names_are_cut() -> None:
    subject = plan(host_name="p1-0", namespace="drover-system", paused=True)
    (entry,) = status_of(outcome_of(subject)).migrations
    name = child_name(subject, entry, 1)
    assert name.startswith("plan-a-1-")
    assert name == child_name(subject, entry, 1)
    assert name != child_name(plan(host_name="p1-0", namespace="drover-system", uid="other"), entry, 1)
    long = child_name(plan("p" * 250), entry, 1)
    assert len(long) <= 253
    assert long != child_name(plan("p" * 250), entry, 2)


def test_no_two_plans_make_migrations_of_the_same_name() -> None:
    hyphened = PlanMigration(virtual_machine="b-c", namespace="default")
    other = PlanMigration(virtual_machine="c", namespace="default")
    assert child_name(plan("a"), hyphened, 1) != child_name(plan("a-b"), other, 1)


# What wakes a plan


def test_a_plan_looks_again_at_each_phase_of_its_migrations() -> None:
    watch, _ = CONTROLLER.watches
    pending, copying = migration(plan_name="plan"), migration(plan_name="plan", status={"phase": "PreCopy"})
    assert watch.affected(pending, copying, world()) == [plan().key]
    assert watch.affected(copying, copying, world()) == []
    assert watch.affected(copying, None, world()) == [plan().key]
    assert watch.affected(migration(), None, world()) == []


def test_a_selector_that_matches_more_vms_than_a_plan_can_list_is_refused_with_the_numbers() -> None:
    many = [vm(f"m{number}", status=placed("p1-0"), labels={"app": "web"}) for number in range(501)]
    outcome = outcome_of(plan(selector={"matchLabels": {"app": "web"}}), *many)
    assert status_of(outcome).phase == "Failed"
    assert "501 VMs match spec.selector, a plan moves at most 500" in message(outcome, "Ready")


def test_a_selector_that_matches_nothing_says_so() -> None:
    outcome = outcome_of(plan(selector={"matchLabels": {"app": "typo"}}))
    assert message(outcome, "Ready").startswith("spec.selector matches no VM in default")
