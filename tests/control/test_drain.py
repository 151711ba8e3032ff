"""Draining a host: looked over first, then emptied by one plan after the other."""

from __future__ import annotations

from typing import Any

import pytest
from worlds import (
    HARDWARE,
    NOW,
    assert_settled,
    condition,
    edited,
    flavor,
    host,
    later,
    message,
    placed,
    plan,
    pool,
    reasons,
    taken,
    told,
    vm,
    world_of,
)

from drover.api.host import Drain, Host, HostStatus
from drover.api.meta import OPERATOR_NAMESPACE
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import PlanMigration
from drover.control.host import CONTROLLER, reconcile
from drover.control.outcome import Create, Delete, Outcome, PatchSpec
from drover.control.world import World

DRAIN = {"mode": "Drain"}


def drain_plan(name: str = "drain-p1-0-1", status: dict[str, Any] | None = None, **fields: Any) -> MigrationPlan:
    labels = {"drover.dev/trigger": "drain"}
    return plan(name, namespace=OPERATOR_NAMESPACE, host_name="p1-0", labels=labels, status=status, **fields)


def ended_plan(name: str = "drain-p1-0-1", at: float = 0, reason: str = "NoTarget") -> MigrationPlan:
    rows = [{"virtualMachine": "a", "namespace": "default", "phase": "Failed", "reason": reason}]
    ending = {"phase": "Failed", "endTimestamp": later(at).isoformat(), "migrations": rows}
    return drain_plan(name, {"observedGeneration": 1, "total": 1, "failed": 1, **ending})


def created(outcome: Outcome) -> list[str]:
    return [child.resource.name for child in outcome.children if isinstance(child, Create)]


def draining(machine: Host, *others: Any) -> World:
    """A pool of this host and another one that has room."""
    return world_of(pool(), flavor(), machine, host("p1-1"), *others)


def drain_of(outcome: Outcome) -> Drain:
    status = outcome.status
    assert isinstance(status, HostStatus)
    assert status.drain is not None
    return status.drain


def announced(machine: Host, world: World, at: float = 0) -> tuple[Host, Outcome]:
    """The host once its drain has been looked over, and what comes of it then."""
    first = reconcile(machine, world, later(at))
    assert first.children == (), "nothing moves before it is said who cannot"
    machine = taken(world, machine, first)
    second = reconcile(machine, world, later(at))
    assert second.status == machine.status, "one write says it"
    return machine, second


def test_an_empty_host_goes_straight_into_maintenance() -> None:
    machine = host(maintenance=DRAIN)
    world = draining(machine)
    outcome = reconcile(machine, world, NOW)
    assert outcome.status is not None
    assert outcome.status.phase == "Maintenance"
    assert reasons(outcome) == {
        "Ready": ("True", "HostReady"),
        "Schedulable": ("False", "InMaintenance"),
        "Drained": ("True", "Drained"),
    }
    assert outcome.children == ()
    assert "DrainCompleted" in told(outcome)
    assert_settled(reconcile, machine, world, NOW)


def test_a_drain_is_looked_over_and_then_makes_one_plan_for_the_host() -> None:
    machine = host(maintenance={"mode": "Drain", "priority": "UserTriggered"}, generation=4)
    world = draining(machine, vm("a", status=placed()), vm("b", status=placed(memory="2Gi")))
    ahead = reconcile(machine, world, NOW)
    assert ahead.status is not None
    assert ahead.status.phase == "Draining"
    drain = drain_of(ahead)
    assert drain.plan_ref is not None
    assert (drain.plan_ref.name, drain.remaining_virtual_machines) == ("drain-p1-0-4", 2)
    assert (drain.remaining_bytes, drain.blocked_by) == (6 * 2**30, ())
    assert drain.estimated_completion_time is not None
    assert drain.estimated_completion_time > "2026-11-02T09:00:00Z"
    assert reasons(ahead)["Drained"] == ("False", "InProgress")
    assert reasons(ahead)["Reconciling"] == ("True", "Draining")
    assert message(ahead, "Drained").startswith("2 VMs (6Gi) still here; 2 of 2 VMs to move, 1 wave, ")
    assert [event.message for event in ahead.events if event.reason == "DrainStarted"] == [message(ahead, "Drained")]
    _, outcome = announced(machine, world)
    (child,) = outcome.children
    assert isinstance(child, Create)
    made = child.resource
    assert isinstance(made, MigrationPlan)
    assert (made.namespace, made.name) == (OPERATOR_NAMESPACE, "drain-p1-0-4")
    assert made.metadata.labels == {"drover.dev/trigger": "drain"}
    assert (made.spec.host_name, made.spec.priority, made.spec.mode) == ("p1-0", "UserTriggered", "Execute")


def test_who_cannot_leave_is_known_before_anything_moves() -> None:
    machine = host(maintenance=DRAIN)
    gpus = placed()
    gpus["flavor"]["gpus"] = {"nvidia.com/A100": 1}
    stay = {
        "gpu": vm("gpu", status=gpus),
        "large": vm("large", status=placed(memory="62Gi")),
        "pinned": vm("pinned", status=placed(), placement={"nodeSelector": {"disk": "ssd"}}),
        "busy": vm("busy", status=placed(), model={"hotSet": "3Gi", "dirtyRate": "2G"}),
    }
    full = vm("full", status=placed("p1-1", memory="20Gi"))
    world = draining(machine, *stay.values(), full, vm("a", status=placed()))
    outcome = reconcile(machine, world, NOW)
    assert drain_of(outcome).blocked_by == (
        "default/busy: DoesNotConverge",
        "default/gpu: NotMigratable",
        "default/large: NoTarget",
        "default/pinned: NoTarget",
    )
    assert drain_of(outcome).estimated_completion_time is None
    assert message(outcome, "Drained").endswith(
        "; 4 VMs cannot leave: default/busy: DoesNotConverge, default/gpu: NotMigratable, default/large: NoTarget"
    )
    assert [reason for reason in told(outcome) if reason.startswith("Drain")] == ["DrainStarted", "DrainBlocked"]
    machine, second = announced(machine, world)
    assert drain_of(second).blocked_by == drain_of(outcome).blocked_by


def test_a_vm_that_is_stopped_instead_of_moved_is_no_part_of_the_plan_and_does_not_block() -> None:
    machine = host(maintenance=DRAIN)
    stopped = vm("b", status=placed(), eviction_strategy="None")
    world = draining(machine, vm("a", status=placed()), stopped)
    ahead = reconcile(machine, world, NOW)
    assert message(ahead, "Drained").startswith("2 VMs (8Gi) still here; 1 of 1 VM to move, ")
    alone = draining(machine, stopped)
    outcome = reconcile(machine, alone, NOW)
    assert message(outcome, "Drained") == (
        "1 VM (4Gi) still here, with evictionStrategy None: being stopped, to start elsewhere"
    )
    assert (outcome.children, drain_of(outcome).blocked_by) == ((), ())
    assert_settled(reconcile, machine, alone, NOW)


def test_the_list_stays_while_the_plan_works_on_the_others() -> None:
    machine = host(maintenance=DRAIN)
    entry = {"virtualMachine": "a", "namespace": "default", "phase": "Pending", "verdict": "Blocked", "migration": "m"}
    world = draining(
        machine, vm("a", status=placed()), drain_plan(status={"phase": "Migrating", "migrations": [entry]})
    )
    assert drain_of(reconcile(machine, world, NOW)).blocked_by == ("default/a: NoTarget",)


def test_the_plan_keeps_its_name_when_the_host_is_edited_meanwhile() -> None:
    machine = host(maintenance=DRAIN, generation=4)
    world = draining(machine, vm("a", status=placed()))
    machine, _ = announced(machine, world)
    again = reconcile(edited(machine, spec={"unschedulable": True}), world, NOW)
    assert created(again) == ["drain-p1-0-4"]


def test_a_plan_that_a_crash_left_behind_is_taken_up() -> None:
    machine = host(maintenance=DRAIN, generation=9)
    outcome = reconcile(machine, draining(machine, vm("a", status=placed()), drain_plan("drain-p1-0-4")), NOW)
    assert outcome.children == ()
    assert drain_of(outcome).plan_ref.name == "drain-p1-0-4"  # type: ignore[union-attr]


def test_somebody_elses_plan_for_the_host_is_not_the_drains() -> None:
    machine = host(maintenance=DRAIN)
    other = plan("by-hand", namespace=OPERATOR_NAMESPACE, host_name="p1-0")
    _, outcome = announced(machine, draining(machine, vm("a", status=placed()), other))
    assert created(outcome) == ["drain-p1-0-1"]


def test_progress_and_the_expected_end_come_from_the_plan() -> None:
    machine = host(maintenance=DRAIN)
    estimate = {"verdict": "Converges", "durationSeconds": {"p50": 90, "p90": 120}}
    running = {"phase": "Migrating", "total": 3, "succeeded": 2, "estimate": estimate}
    moves = drain_plan(status={**running, "startTimestamp": NOW.isoformat()})
    world = draining(machine, vm("a", status=placed()), moves, pool(driver={"time_scale": "3"}, resource_version="2"))
    outcome = reconcile(machine, world, NOW)
    assert "2 of 3 VMs moved" in message(outcome, "Drained")
    assert outcome.status is not None
    assert outcome.status.drain.estimated_completion_time == "2026-11-02T09:00:30Z"
    assert_settled(reconcile, machine, world, NOW)


def test_a_drain_that_runs_late_is_expected_to_end_late() -> None:
    machine = host(maintenance=DRAIN)
    estimate = {"verdict": "Converges", "durationSeconds": {"p50": 100, "p90": 120}}
    fields = {
        "virtualMachine": "b",
        "namespace": "default",
        "phase": "Succeeded",
        "endTimestamp": later(30).isoformat(),
    }
    rows = [fields | {"estimatedStartSeconds": 0, "estimatedSeconds": 20}]
    status = {"phase": "Migrating", "migrations": rows, "estimate": estimate, "startTimestamp": NOW.isoformat()}
    world = draining(machine, vm("a", status=placed()), drain_plan(status=status))
    eta = drain_of(reconcile(machine, world, later(31))).estimated_completion_time
    assert eta == "2026-11-02T09:02:30Z", "half as long again"


def test_a_drain_ends_with_the_real_time_beside_the_predicted_one() -> None:
    machine = host(maintenance=DRAIN, status=drained_by("drain-p1-0-1"))
    estimate = {"verdict": "Converges", "durationSeconds": {"p50": 100, "p90": 120}}
    plan = drain_plan(status={"phase": "Migrating", "estimate": estimate, "startTimestamp": NOW.isoformat()})
    completed = [
        e.message for e in reconcile(machine, draining(machine, plan), later(110)).events if "Drain" in e.reason
    ]
    assert completed == ["no VM is left on it since 2026-11-02T09:01:50Z, predicted for 2026-11-02T09:01:40Z"]


def test_the_last_vm_gone_completes_the_drain() -> None:
    machine = host(maintenance=DRAIN)
    leaver = vm("a", status=placed())
    world = draining(machine, leaver, drain_plan(status={"phase": "Migrating"}))
    machine = taken(world, machine, reconcile(machine, world, NOW))
    world.gone(leaver.key, leaver.uid)
    outcome = reconcile(machine, world, later(30))
    assert outcome.status is not None
    assert outcome.status.phase == "Maintenance"
    assert outcome.status.drain.plan_ref.name == "drain-p1-0-1"
    assert told(outcome) == ["DrainCompleted"]
    assert_settled(reconcile, machine, world, later(30))


FULL = vm("full", status=placed("p1-1", memory="63Gi"))
"""It takes the other host's memory."""


def drained_by(name: str) -> dict[str, Any]:
    ref = {"name": name, "namespace": OPERATOR_NAMESPACE}
    conditions = [condition("Ready", "True", "HostReady")]
    return {"phase": "Draining", "drain": {"planRef": ref}, "conditions": conditions}


def test_a_plan_that_ended_with_vms_left_blocks_the_drain_and_names_them() -> None:
    machine = host(maintenance=DRAIN, status=drained_by("drain-p1-0-1"))
    stuck, returned = vm("a", status=placed()), vm("b", status=placed())
    ended = ended_plan(at=0)
    came_back = PlanMigration(virtual_machine="b", namespace="default", phase="Succeeded", target="p1-1")
    rows = (*ended.status.migrations, came_back)
    ended = ended.model_copy(update={"status": ended.status.model_copy(update={"migrations": rows})})
    world = draining(machine, stuck, returned, FULL, ended)
    outcome = reconcile(machine, world, later(1))
    assert outcome.children == ()
    assert reasons(outcome)["Drained"] == ("False", "Blocked")
    assert drain_of(outcome).blocked_by == ("default/a: NoTarget", "default/b: NotMoved")
    assert "tried again when that helps, and at 2026-11-02T09:01:00Z" in message(outcome, "Drained")
    assert outcome.requeue_at == later(60)
    assert "DrainBlocked" in told(outcome)
    assert_settled(reconcile, machine, world, later(2))


def test_a_blocked_drain_is_tried_again_a_minute_later_under_the_next_number() -> None:
    machine = host(maintenance=DRAIN, status=drained_by("drain-p1-0-1"))
    stuck = vm("a", status=placed())
    assert created(reconcile(machine, draining(machine, stuck, FULL, ended_plan(at=0)), later(59))) == []
    world = draining(machine, stuck, FULL, ended_plan(at=0))
    machine, outcome = announced(machine, world, at=60)
    assert created(outcome) == ["drain-p1-0-1-2"]
    world.observe(ended_plan("drain-p1-0-1-2", at=70))
    assert created(reconcile(machine, world, later(100))) == []
    assert created(announced(machine, world, at=130)[1]) == ["drain-p1-0-1-3"]


def test_a_blocked_drain_is_tried_again_at_once_when_there_is_room() -> None:
    machine = host(maintenance=DRAIN, status=drained_by("drain-p1-0-1"))
    world = draining(machine, vm("a", status=placed()), FULL, ended_plan(at=0))
    machine = taken(world, machine, reconcile(machine, world, later(1)))
    world.gone(FULL.key, FULL.uid)
    woken = [watch.affected(FULL, None, world) for watch in CONTROLLER.watches if watch.kind == FULL.KIND]
    assert machine.key in [key for keys in woken for key in keys]
    soon = reconcile(machine, world, later(2))
    assert (created(soon), soon.requeue_at) == ([], later(5))
    assert created(announced(machine, world, at=5)[1]) == ["drain-p1-0-1-2"]


@pytest.mark.parametrize(
    "changed",
    [
        lambda: host("p1-2", resource_version="8"),
        lambda: host("p1-1", hardware=HARDWARE | {"memory": "128Gi"}, resource_version="8"),
        lambda: vm("a", status=placed(), generation=2, resource_version="8"),
    ],
    ids=["a new host", "a larger host", "an edit of the VM"],
)
def test_what_may_free_a_blocked_drain_wakes_it(changed: Any) -> None:
    machine = host(maintenance=DRAIN, status=drained_by("drain-p1-0-1"))
    world = draining(machine, vm("a", status=placed()), FULL, ended_plan(at=0))
    taken(world, machine, reconcile(machine, world, later(1)))
    after = changed()
    before = world.find(after.key)
    world.observe(after)
    woken = [w.affected(before, after, world) for w in CONTROLLER.watches if w.kind == after.KIND]
    assert machine.key in [key for keys in woken for key in keys]
    idle = [w.affected(after, after, world) for w in CONTROLLER.watches if w.kind == after.KIND]
    assert not any(idle), "and nothing does that changes nothing"


def test_a_drain_that_never_ends_keeps_the_newest_three_of_its_plans() -> None:
    machine, stuck = host(maintenance=DRAIN), vm(status=placed("p1-0"))
    plans = [
        ended_plan(f"drain-p1-0-1-{number}" if number > 1 else "drain-p1-0-1", at=number) for number in range(1, 6)
    ]
    _, outcome = announced(machine, draining(machine, stuck, FULL, *plans), at=600)
    assert created(outcome) == ["drain-p1-0-1-6"]
    removed = [child.resource.name for child in outcome.children if isinstance(child, Delete)]
    assert removed == ["drain-p1-0-1", "drain-p1-0-1-2"]


def test_a_drain_that_is_called_off_cancels_its_plan() -> None:
    machine = host(status=drained_by("drain-p1-0-1"))
    world = draining(machine, vm("a", status=placed()), drain_plan(status={"phase": "Migrating"}))
    outcome = reconcile(machine, world, NOW)
    (child,) = outcome.children
    assert isinstance(child, PatchSpec)
    assert (child.resource.name, child.spec) == ("drain-p1-0-1", {"cancel": True})
    assert outcome.status is not None
    assert outcome.status.phase == "Ready"
    assert outcome.status.drain is None
    assert told(outcome) == ["DrainCancelled"]


def test_leaving_maintenance_is_no_cancellation() -> None:
    done = drained_by("drain-p1-0-1")
    done["conditions"].append(condition("Drained", "True", "Drained"))
    machine = host(status=done)
    outcome = reconcile(machine, draining(machine, ended_plan()), NOW)
    assert told(outcome) == []
    assert outcome.children == ()


def test_a_cancelled_plan_is_not_taken_up_by_the_next_drain() -> None:
    machine = host(maintenance=DRAIN, generation=6)
    old = drain_plan("drain-p1-0-4", status={"phase": "Cancelling"}, cancel=True)
    _, outcome = announced(machine, draining(machine, vm("a", status=placed()), old))
    assert created(outcome) == ["drain-p1-0-6"]


def test_a_host_that_is_down_is_not_drained_by_migration() -> None:
    machine = host(maintenance=DRAIN, fault={"type": "Crash"})
    outcome = reconcile(machine, draining(machine, vm("a", status=placed())), NOW)
    assert outcome.children == ()
    assert reasons(outcome)["Drained"] == ("False", "Blocked")
    assert "Reconciling" not in reasons(outcome)


def test_the_name_of_a_drain_fits_a_label_however_long_the_hosts_is() -> None:
    names = set()
    for number in (1, 2):
        machine = host("h" * 61 + f"-{number}", maintenance=DRAIN, generation=10**9)
        here = vm("a", status=placed(machine.name))
        (name,) = created(announced(machine, draining(machine, here))[1])
        names.add(name)
        assert len(name) <= 63
    assert len(names) == 2


def test_vms_beyond_what_one_plan_takes_are_next_and_not_blocked() -> None:
    """A plan takes the first 500 VMs of its host; the others have not been tried yet."""
    moved = [{"virtualMachine": "b", "namespace": "default", "phase": "Succeeded", "target": "p1-1"}]
    ended = {"phase": "Succeeded", "endTimestamp": NOW.isoformat(), "migrations": moved}
    machine = host(maintenance=DRAIN, status=drained_by("drain-p1-0-1"))
    world = draining(machine, vm("a", status=placed()), drain_plan(status={"observedGeneration": 1, **ended}))
    waiting = reconcile(machine, world, later(1))
    assert reasons(waiting)["Drained"] == ("False", "InProgress")
    assert "the next plan takes the 1 that drover-system/drain-p1-0-1 did not" in message(waiting, "Drained")
    assert drain_of(waiting).blocked_by == ()
    assert waiting.requeue_at == later(5)
    assert created(announced(machine, world, at=5)[1]) == ["drain-p1-0-1-2"]
