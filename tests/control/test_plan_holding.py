"""What keeps a plan from starting: approval, pause, window, budget; and planning anew, before its work begins."""

from __future__ import annotations

from typing import Any

import pytest
from checked import reconciled
from plans import (
    MOVERS,
    THREE,
    begun,
    child,
    current,
    edit,
    move_of,
    moves,
    outcome_of,
    queued,
    running,
    status_of,
    step,
)
from plans import world as world_with
from worlds import NOW, edited, host, later, message, migration, placed, plan, policy, pool, reasons, taken, told, vm

from drover.api.meta import FINALIZER
from drover.api.migrationplanstatus import PlanEstimate
from drover.api.migrationpolicy import MigrationPolicy
from drover.api.virtualmachinemigration import Quantiles, VirtualMachineMigration
from drover.control.migrationplan.controller import CONTROLLER, reconcile
from drover.control.migrationplan.holding import hold_on
from drover.control.outcome import Outcome
from drover.control.virtualmachinemigration.controller import CONTROLLER as MOVES
from drover.control.virtualmachinemigration.controller import reconcile as reconcile_move
from drover.control.world import World

HOUR = 3600.0


def opened(at: float | None = None, until: float | None = None) -> dict[str, str]:
    edges = {"notBefore": at, "notAfter": until}
    return {name: later(edge).isoformat() for name, edge in edges.items() if edge is not None}


def phases(seen: World, count: int = 4, at: float = 0) -> list[str | None]:
    """The phases of the plan over some steps."""
    told: list[str | None] = []
    for _ in range(count):
        step(seen, at)
        told.append(current(seen).status.phase)
    return told


def predicted(seen: World, pause_ms: float, seconds: float) -> None:
    """The plan's prediction is what the test says it is."""
    subject = current(seen)
    band = Quantiles(p50=seconds, p90=seconds)
    estimate = PlanEstimate(verdict="Converges", duration_seconds=band, total_downtime_milliseconds=pause_ms)
    status = subject.status.model_copy(update={"estimate": estimate})
    seen.observe(edited(subject.model_copy(update={"status": status})))


# Approval


def test_a_plan_with_manual_approval_is_planned_and_waits_and_says_how_to_approve_it() -> None:
    outcome = outcome_of(plan(approval="Manual"))
    status = status_of(outcome)
    assert (status.phase, status.migrations[0].target) == ("AwaitingApproval", "p1-1")
    assert reasons(outcome)["Ready"] == ("False", "AwaitingApproval")
    assert reasons(outcome)["Approved"] == ("False", "AwaitingApproval")
    assert reasons(outcome)["Executing"] == ("False", "AwaitingApproval")
    assert message(outcome, "Ready").startswith("1 of 1 VM to move, 1 wave, ")
    approve = """kubectl patch mplan plan -n default --type=merge -p '{"spec":{"approved":true}}'"""
    assert message(outcome, "Ready").endswith(approve)
    assert told(outcome) == ["PlanComputed", "AwaitingApproval"]


def test_an_approved_plan_goes_on_at_once() -> None:
    seen = world_with()
    queued(seen, approval="Manual")
    edit(seen, approved=True)
    approved = step(seen)
    assert told(approved) == ["Approved", "PlanQueued"]
    assert reasons(approved)["Approved"] == ("True", "Approved")
    assert phases(seen, 1) == ["Migrating"]
    assert running(seen) == [move_of("a")]


def test_approval_taken_back_before_work_began_is_waited_for_again() -> None:
    seen = world_with()
    queued(seen, approval="Manual", approved=True, paused=True)
    edit(seen, approval="Manual", approved=False, paused=False)
    assert phases(seen, 2) == ["AwaitingApproval"] * 2


def test_a_dry_run_needs_no_approval() -> None:
    outcome = outcome_of(plan(approval="Manual", mode="DryRun"))
    assert status_of(outcome).phase == "Planned"
    assert reasons(outcome).keys() == {"Ready", "Planned", "Feasible", "Executing"}


# Pause


def test_a_pause_and_its_end_are_told_once_each() -> None:
    seen = world_with(*MOVERS)
    begun(seen, limits={"maxConcurrent": 1})
    child(seen, move_of("m1"), "PreCopy")
    step(seen)
    edit(seen, paused=True)
    paused = step(seen)
    assert told(paused) == ["PlanPaused"]
    assert reasons(paused)["Ready"] == ("False", "Blocked")
    assert reasons(paused)["Executing"] == ("True", "Paused"), "one is under way still"
    assert message(paused, "Executing") == (
        "1 under way, 2 to begin; nothing starts: spec.paused is true: set it to false to go on"
    )
    edit(seen, paused=False)
    assert told(step(seen)) == ["PlanResumed"]
    assert status_of(step(seen)).held, "its duration is no measure of the prediction any more"


# Window


def test_before_its_window_opens_a_plan_waits_until_then() -> None:
    seen = world_with()
    queued(seen, window=opened(600, 1200))
    waiting = reconciled(reconcile, current(seen), seen, later(1))
    assert (status_of(waiting).phase, waiting.requeue_at) == ("Queued", later(600))
    assert reasons(waiting)["WithinWindow"] == ("False", "NotYetOpen")
    assert "the window opens at 2026-11-02T09:10:00Z (spec.window.notBefore)" in message(waiting, "Ready")
    begins = step(seen, 600)
    assert reasons(begins)["WithinWindow"] == ("True", "Open")
    assert message(begins, "WithinWindow") == "migrations may start until 2026-11-02T09:20:00Z"
    assert begins.requeue_at == later(1200)
    assert running(seen) == [move_of("a")]


def test_the_estimate_begins_when_the_window_opens() -> None:
    seen = world_with()
    estimate = queued(seen, window=opened(600)).status.estimate
    assert estimate is not None
    assert estimate.duration_seconds is not None
    assert estimate.start_after == "2026-11-02T09:10:00Z"
    assert estimate.finish_by is not None
    assert estimate.finish_by > estimate.start_after


def test_a_window_that_closes_lets_what_runs_end_and_the_plan_expires() -> None:
    seen = world_with(*MOVERS)
    begun(seen, limits={"maxConcurrent": 1}, window=opened(None, 600))
    child(seen, move_of("m1"), "PreCopy", at=590)
    ending = step(seen, 600)
    assert (status_of(ending).phase, status_of(ending).skipped) == ("Migrating", 2)
    assert reasons(ending)["WithinWindow"] == ("False", "Closed")
    moves(seen, move_of("m1"), at=620)
    expired = reconciled(reconcile, current(seen), seen, later(620))
    assert (status_of(expired).phase, status_of(expired).succeeded) == ("Expired", 1)
    assert message(expired, "Ready") == "the window has closed: 1 of 3 VMs moved, 0 under way, 0 failed"
    assert reasons(expired)["Stalled"] == ("True", "Expired")
    assert told(expired)[-1] == "PlanExpired"


def test_what_waits_for_a_slot_when_the_window_closes_is_cancelled() -> None:
    seen = world_with(*MOVERS)
    begun(seen, window=opened(None, 600))
    child(seen, move_of("m1"), "PreCopy", at=10)
    outcome = step(seen, 600)
    assert [patch.resource.name for patch in outcome.children] == [move_of("m2"), move_of("m3")]


def test_a_window_that_closes_when_all_have_moved_is_no_matter() -> None:
    seen = world_with()
    queued(seen, window=opened(None, 600))
    step(seen)
    moves(seen, move_of("a"), at=601)
    assert status_of(step(seen, 602)).phase == "Succeeded"


def test_a_window_that_closed_before_anything_began_expires_the_plan() -> None:
    seen = world_with()
    queued(seen, window=opened(None, 600), paused=True)
    outcome = step(seen, 601)
    assert (status_of(outcome).phase, status_of(outcome).skipped) == ("Expired", 1)
    assert running(seen) == []


def test_a_window_made_longer_goes_on() -> None:
    seen = world_with()
    queued(seen, window=opened(600))
    edit(seen, window=opened(None, 600))
    assert phases(seen, 2, at=10)[-1] == "Migrating"


# Budget


@pytest.mark.parametrize(
    ("limits", "told_of"),
    [
        (
            {"maxTotalDowntime": "1s"},
            "its VMs should pause for 1.500 s together, limits.maxTotalDowntime is 1s: raise it to 1.501s or more",
        ),
        ({"maxDuration": "1m"}, "it should take 90 s (p90), limits.maxDuration is 1m: raise it to 91s or more"),
    ],
)
def test_a_plan_above_its_budget_does_not_begin_and_names_what_to_raise(limits: dict[str, Any], told_of: str) -> None:
    seen = world_with()
    queued(seen, limits=limits, paused=True)
    predicted(seen, 1500.0, 90.0)
    edit(seen, paused=False)
    outcome = reconcile(current(seen), seen, NOW)
    assert (status_of(outcome).phase, outcome.children) == ("Queued", ())
    assert reasons(outcome)["WithinBudget"] == ("False", "TooSmall")
    assert reasons(outcome)["Ready"] == ("False", "Blocked")
    assert told_of in message(outcome, "Ready")


def test_a_plan_within_its_budget_says_so_and_begins() -> None:
    seen = world_with()
    queued(seen, limits={"maxTotalDowntime": "1m", "maxDuration": "1h"})
    outcome = step(seen)
    assert reasons(outcome)["WithinBudget"] == ("True", "Within")
    assert message(outcome, "WithinBudget").startswith("0.0 s of limits.maxTotalDowntime 1m spent, ")
    assert running(seen) == [move_of("a")]


def test_a_pause_budget_that_is_spent_stops_new_starts_until_it_is_raised() -> None:
    seen = world_with(*MOVERS)
    begun(seen, limits={"maxConcurrent": 1, "maxTotalDowntime": "30s"})
    moves(seen, move_of("m1"), at=20, pause_ms=31_000)
    spent = step(seen, 21)
    assert reasons(spent)["WithinBudget"] == ("False", "Spent")
    assert "have paused for 31.000 s together, limits.maxTotalDowntime is 30s: raise it for the 2 not begun" in message(
        spent, "Ready"
    )
    assert running(seen) == []
    edit(seen, limits={"maxConcurrent": 1, "maxTotalDowntime": "60s"})
    step(seen, 30)
    assert running(seen) == [move_of("m2")]


def test_a_time_budget_is_spent_by_the_clock_in_model_time() -> None:
    fast = pool(driver={"timeScale": "10"})
    seen = world_with(fast, *MOVERS)
    begun(seen, limits={"maxConcurrent": 1, "maxDuration": "1h"})
    child(seen, move_of("m1"), "PreCopy", at=0)
    step(seen, 1)
    assert step(seen, 1).requeue_at == later(360)
    moves(seen, move_of("m1"), at=350)
    spent = step(seen, 360)
    assert reasons(spent)["WithinBudget"] == ("False", "Spent")
    assert "limits.maxDuration 1h was used up at 2026-11-02T09:06:00Z" in message(spent, "WithinBudget")


# What a migration that waits asks


@pytest.mark.parametrize(
    ("fields", "at", "reason"),
    [
        ({}, 0, None),
        ({"paused": True}, 0, "Paused"),
        ({"window": opened(600)}, 599, "WindowNotOpen"),
        ({"window": opened(600)}, 600, None),
        ({"window": opened(None, 600)}, 600, "WindowClosed"),
    ],
)
def test_a_waiting_migration_is_held_with_its_plan(fields: dict[str, Any], at: float, reason: str | None) -> None:
    seen = world_with(plan(status={"phase": "Migrating"}, **fields))
    hold = hold_on(migration(plan_name="plan"), seen, later(at))
    assert (hold.reason if hold else None) == reason


def test_on_the_way_home_only_a_pause_holds() -> None:
    returning = {
        "phase": "Migrating",
        "migrations": [{"virtualMachine": "a", "namespace": "default", "phase": "Pending", "returning": True}],
    }
    closed = plan(status=returning, window=opened(None, 600))
    mine = migration(plan_name="plan")
    assert hold_on(mine, world_with(closed), later(700)) is None
    assert hold_on(mine, world_with(edited(closed, spec={"paused": True})), later(700)) is not None


def test_a_migration_that_waits_is_held_and_let_go_with_its_plan() -> None:
    seen = world_with()
    begun(seen, virtual_machines=[{"name": "a"}])
    edit(seen, paused=True)
    waiting = current_move(seen)
    outcome = reconcile_move(waiting, seen, later(1))
    queue = outcome.status.queue  # type: ignore[union-attr]
    assert queue.blocked_by == "Plan"
    assert queue.message == "its plan holds it: spec.paused is true: set it to false to go on"
    waiting = taken(seen, waiting, outcome)
    before = current(seen)
    edit(seen, paused=False)
    (watch,) = (watch for watch in MOVES.watches if watch.kind == before.KIND)
    assert watch.affected(before, current(seen), seen) == [waiting.key]
    assert reconcile_move(waiting, seen, later(2)).status.phase == "PreparingTarget"  # type: ignore[union-attr]


def test_a_migration_of_a_plan_outside_its_window_looks_again_when_it_opens() -> None:
    seen = world_with()
    begun(seen, virtual_machines=[{"name": "a"}])
    edit(seen, window=opened(600))
    outcome = reconcile_move(current_move(seen), seen, later(1))
    assert (outcome.status.queue.blocked_by, outcome.requeue_at) == ("Window", later(600))  # type: ignore[union-attr]


def current_move(seen: World) -> VirtualMachineMigration:
    found = seen.get(VirtualMachineMigration, "default", move_of("a"))
    assert found is not None
    return found if FINALIZER in found.metadata.finalizers else taken(seen, found, Outcome(protect=True))


# Planned anew


def test_an_edit_before_work_begins_plans_anew() -> None:
    seen = world_with()
    queued(seen, approval="Manual")
    edit(seen, target={"hostNames": ["p1-2"]})
    revised = step(seen)
    assert told(revised) == ["PlanRevised"]
    assert (status_of(revised).phase, status_of(revised).migrations[0].target) == ("AwaitingApproval", "p1-2")


def test_an_edit_that_changes_nothing_of_the_plan_keeps_it() -> None:
    seen = world_with()
    known = queued(seen, approval="Manual").status
    edit(seen, failurePolicy="Stop")
    outcome = reconciled(reconcile, current(seen), seen, later(60))
    assert (status_of(outcome).plan_hash, status_of(outcome).planned_timestamp) == (known.plan_hash, NOW)
    assert told(outcome) == []


def cordon(seen: World) -> None:
    target = seen.host("p1-1")
    assert target is not None
    seen.observe(edited(target, spec={"unschedulable": True}))


def test_a_waiting_plan_is_looked_over_once_an_hour() -> None:
    seen = world_with()
    queued(seen, approval="Manual")
    cordon(seen)
    early = reconcile(current(seen), seen, later(HOUR - 1))
    assert (told(early), early.requeue_at) == ([], later(HOUR))
    revised = step(seen, HOUR)
    assert told(revised) == ["PlanRevised"]
    assert status_of(revised).migrations[0].target == "p1-2"
    unchanged = reconciled(reconcile, current(seen), seen, later(2 * HOUR))
    assert (told(unchanged), unchanged.requeue_at) == ([], later(3 * HOUR))


def test_a_plan_about_to_begin_is_planned_anew_if_its_target_cannot_be_used_any_more() -> None:
    seen = world_with()
    queued(seen, approval="Manual")
    cordon(seen)
    edit(seen, approved=True)
    assert told(step(seen, 60)) == ["PlanRevised", "Approved", "PlanQueued"]
    assert status_of(step(seen, 60)).migrations[0].target == "p1-2"
    assert running(seen) == [move_of("a")]


def test_a_plan_whose_vms_have_moved_meanwhile_is_satisfied_when_it_is_approved() -> None:
    seen = world_with()
    queued(seen, approval="Manual", target={"hostNames": ["p1-1"]})
    moved = vm(status=placed("p1-1"), resource_version="9")
    seen.observe(moved)
    edit(seen, approved=True)
    assert reasons(step(seen, 60))["Ready"] == ("True", "AlreadySatisfied")


@pytest.mark.parametrize("known", [(), (policy("gentle", deleting=True),)], ids=["missing", "being deleted"])
def test_a_plan_of_a_policy_that_does_not_exist_names_it(known: tuple[MigrationPolicy, ...]) -> None:
    outcome = outcome_of(plan(policy_name="gentle"), *known)
    assert status_of(outcome).phase == "Failed"
    assert message(outcome, "Ready") == ("MigrationPolicy gentle does not exist: create it or remove spec.policyName")


# Superseded


def rival(seen: World, name: str, *names: str, phase: str = "Migrating", made: float = 10, **fields: Any) -> None:
    rows = [{"virtualMachine": vm, "namespace": "default", "phase": "PreCopy"} for vm in names]
    subject = plan(name, creation_timestamp=later(made), status={"phase": phase, "migrations": rows}, **fields)
    seen.observe(subject)


def superseded(seen: World) -> Outcome:
    return reconcile(current(seen), seen, later(20))


def test_a_plan_that_waits_is_superseded_by_a_newer_one_that_moves_its_vms() -> None:
    seen = world_with(*MOVERS)
    queued(seen, virtual_machines=THREE, approval="Manual")
    rival(seen, "newer", "m1", "m2", "m3")
    outcome = superseded(seen)
    assert (status_of(outcome).phase, told(outcome)) == ("Superseded", ["PlanSuperseded"])
    assert message(outcome, "Ready").startswith("superseded before it began: default/newer moves its VMs")


@pytest.mark.parametrize(
    ("names", "fields"),
    [
        (("m1", "m2"), {}),
        (("m1", "m2", "m3"), {"made": -10}),
        (("m1", "m2", "m3"), {"phase": "Queued"}),
        (("m1", "m2", "m3"), {"phase": "Succeeded"}),
    ],
    ids=["moves some only", "is older", "has not begun", "is over"],
)
def test_a_plan_is_not_superseded_by_one_that(names: tuple[str, ...], fields: dict[str, Any]) -> None:
    seen = world_with(*MOVERS)
    queued(seen, virtual_machines=THREE, approval="Manual")
    rival(seen, "other", *names, **fields)
    assert status_of(superseded(seen)).phase == "AwaitingApproval"


def test_a_plan_that_waits_looks_again_when_another_begins_to_move_its_vms() -> None:
    seen = world_with(*MOVERS)
    waiting = queued(seen, virtual_machines=THREE, approval="Manual")
    _, watch = CONTROLLER.watches
    rows = [{"virtualMachine": "m2", "namespace": "default", "phase": "Pending"}]
    before, after = (plan("newer", status={"phase": phase, "migrations": rows}) for phase in ("Queued", "Migrating"))
    assert watch.affected(before, after, seen) == [waiting.key]
    assert watch.affected(after, after, seen) == []
    elsewhere = plan("newer", status={"phase": "Migrating", "migrations": [rows[0] | {"virtualMachine": "x"}]})
    assert watch.affected(before, elsewhere, seen) == []


def test_the_ends_of_a_host_are_part_of_what_a_plan_rests_on() -> None:
    seen = world_with()
    known = queued(seen, paused=True).status.plan_hash
    seen.observe(host("p1-2", unschedulable=True, resource_version="7"))
    edit(seen, paused=True, priority="UserTriggered")
    assert taken(seen, current(seen), reconcile(current(seen), seen, later(5))).status.plan_hash == known
