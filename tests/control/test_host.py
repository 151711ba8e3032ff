"""Host: up and down, cordon, drain, amounts, deletion."""

from __future__ import annotations

from typing import Any

import pytest
from worlds import (
    HARDWARE,
    NOW,
    assert_settled,
    condition,
    edited,
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

from drover.api.host import Host
from drover.api.migrationplan import MigrationPlan
from drover.control.host import CONTROLLER, reconcile
from drover.control.outcome import Create, Delete, Outcome, PatchSpec
from drover.control.world import DEFAULT_NAMESPACE, World

DRAIN = {"mode": "Drain"}


def drain_plan(name: str = "drain-p1-0-1", status: dict[str, Any] | None = None, **fields: Any) -> MigrationPlan:
    labels = {"drover.dev/trigger": "drain"}
    return plan(name, namespace=DEFAULT_NAMESPACE, host_name="p1-0", labels=labels, status=status, **fields)


def ended_plan(name: str = "drain-p1-0-1", at: float = 0, reason: str = "NoTarget") -> MigrationPlan:
    rows = [{"virtualMachine": "a", "namespace": "default", "phase": "Failed", "reason": reason}]
    ending = {"phase": "Failed", "endTimestamp": later(at).isoformat(), "migrations": rows}
    return drain_plan(name, {"observedGeneration": 1, "total": 1, "failed": 1, **ending})


def created(outcome: Outcome) -> list[str]:
    return [child.resource.name for child in outcome.children if isinstance(child, Create)]


# Up and down


def test_a_new_host_is_ready_at_once() -> None:
    machine = host(status={"observedGeneration": -1})
    world = world_of(pool(), machine)
    outcome = reconcile(machine, world, NOW)
    assert outcome.status is not None
    assert outcome.status.phase == "Ready"
    assert reasons(outcome) == {"Ready": ("True", "HostReady"), "Schedulable": ("True", "Schedulable")}
    assert told(outcome) == ["HostReady"]
    assert_settled(reconcile, machine, world, NOW)


@pytest.mark.parametrize(
    ("fields", "phase", "reason", "event"),
    [
        ({"fault": {"type": "Crash"}}, "Failed", "HostFailed", "HostFailed"),
        ({"power_state": "Off"}, "Off", "PoweredOff", "HostNotReady"),
        ({"pool": "gone"}, "NotReady", "PoolNotFound", "HostNotReady"),
        ({"fault": {"type": "Crash"}, "maintenance": DRAIN}, "Failed", "HostFailed", "HostFailed"),
    ],
)
def test_a_host_goes_down_at_once_and_comes_back(fields: dict[str, Any], phase: str, reason: str, event: str) -> None:
    machine = host(**fields)
    world = world_of(pool(), machine)
    outcome = reconcile(machine, world, later(5))
    down = taken(world, machine, outcome)
    assert down.status.phase == phase
    assert reasons(outcome)["Ready"] == ("False", reason)
    assert reasons(outcome)["Schedulable"] == ("False", "HostNotReady")
    assert event in told(outcome)
    ready = down.status.condition("Ready")
    assert ready is not None
    assert ready.last_transition_time == later(5)
    assert_settled(reconcile, down, world, later(9))
    mended = edited(
        down,
        spec={"fault": {"type": "None"}, "powerState": "On", "maintenance": {}, "poolRef": {"name": "p1"}},
    )
    back = reconcile(mended, world, later(60))
    assert reasons(back)["Ready"] == ("True", "HostReady")
    assert "HostReady" in told(back)


def test_the_moment_of_loss_does_not_move_when_the_reason_does() -> None:
    machine = host(power_state="Off")
    world = world_of(pool(), machine)
    down = taken(world, machine, reconcile(machine, world, later(5)))
    crashed = edited(down, spec={"fault": {"type": "Crash"}})
    status = reconcile(crashed, world, later(50)).status
    assert status is not None
    ready = status.condition("Ready")
    assert ready is not None
    assert ready.last_transition_time == later(5)


def test_a_cordon_is_told_once_and_leaves_the_host_ready() -> None:
    machine = host(unschedulable=True)
    world = world_of(pool(), machine)
    outcome = reconcile(machine, world, NOW)
    assert reasons(outcome) == {"Ready": ("True", "HostReady"), "Schedulable": ("False", "Cordoned")}
    assert told(outcome).count("HostCordoned") == 1
    assert_settled(reconcile, machine, world, NOW)


# Amounts


def test_amounts_follow_from_the_claims() -> None:
    machine = host()
    coming = migration("m", of="z", status=moving("p1-0", source="p1-1", of="default-z"))
    leaving = migration("n", of="a", status=moving("p1-1", source="p1-0", of="default-a"))
    world = world_of(pool(), machine, vm("a", status=placed()), vm("z", status=placed("p1-1")), coming, leaving)
    status = reconcile(machine, world, NOW).status
    assert status is not None
    assert (status.capacity.cpu, status.capacity.memory) == ("16", "64Gi")
    assert (status.allocatable.cpu, status.allocatable.memory) == ("64", "65024Mi")
    assert (status.allocated.cpu, status.allocated.memory, status.allocated.disk) == ("4", "8Gi", "40Gi")
    assert (status.virtual_machines, status.migrations_in, status.migrations_out) == (1, 1, 1)


def test_whole_threads_count_as_the_vcpus_they_could_have_been_and_gpus_by_their_name() -> None:
    gpus = {"gpus": [{"deviceName": "nvidia.com/H100", "count": 4}, {"deviceName": "nvidia.com/L40S", "count": 2}]}
    machine = host(hardware=HARDWARE | gpus)
    pinned = placed(vcpus=4)
    pinned["flavor"] |= {"milliThreads": 4000, "gpus": {"nvidia.com/H100": 3}}
    world = world_of(pool(), machine, vm("a", status=pinned), vm("b", status=placed(vcpus=2)))
    status = reconcile(machine, world, NOW).status
    assert status is not None
    assert status.capacity.gpus == status.allocatable.gpus == {"nvidia.com/H100": 4, "nvidia.com/L40S": 2}
    assert status.allocated.gpus == {"nvidia.com/H100": 3}
    assert (status.allocatable.cpu, status.allocated.cpu) == ("64", "18")  # 4 threads of 4 vCPUs each, and 2 vCPUs


def test_a_host_that_lost_gpus_its_vms_have_says_which() -> None:
    machine = host(hardware=HARDWARE | {"gpus": [{"deviceName": "nvidia.com/H100", "count": 1}]})
    held = placed()
    held["flavor"] |= {"gpus": {"nvidia.com/H100": 2}}
    outcome = reconcile(machine, world_of(pool(), machine, vm("a", status=held)), NOW)
    assert "nvidia.com/H100 2 of 1" in message(outcome, "Overcommitted")


def test_a_host_that_shrank_under_its_vms_says_by_how_much() -> None:
    machine = host(hardware=HARDWARE | {"memory": "8Gi"})
    world = world_of(pool(), machine, vm("a", status=placed(memory="6Gi")), vm("b", status=placed(memory="6Gi")))
    outcome = reconcile(machine, world, NOW)
    assert reasons(outcome)["Overcommitted"] == ("True", "CapacityShrank")
    assert "memory 12Gi of 7.5Gi" in message(outcome, "Overcommitted")


# Drain


def draining(machine: Host, *others: Any) -> World:
    return world_of(pool(), machine, *others)


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


def test_a_drain_makes_one_plan_for_the_host() -> None:
    machine = host(maintenance={"mode": "Drain", "priority": "UserTriggered"}, generation=4)
    world = draining(machine, vm("a", status=placed()), vm("b", status=placed(memory="2Gi")))
    outcome = reconcile(machine, world, NOW)
    (child,) = outcome.children
    assert isinstance(child, Create)
    made = child.resource
    assert isinstance(made, MigrationPlan)
    assert (made.namespace, made.name) == (DEFAULT_NAMESPACE, "drain-p1-0-4")
    assert made.metadata.labels == {"drover.dev/trigger": "drain"}
    assert (made.spec.host_name, made.spec.priority, made.spec.mode) == ("p1-0", "UserTriggered", "Execute")
    assert outcome.status is not None
    assert outcome.status.phase == "Draining"
    assert outcome.status.drain.plan_ref.name == "drain-p1-0-4"
    assert outcome.status.drain.remaining_virtual_machines == 2
    assert outcome.status.drain.remaining_bytes == 6 * 2**30
    assert reasons(outcome)["Drained"] == ("False", "InProgress")
    assert reasons(outcome)["Reconciling"] == ("True", "Draining")
    assert "DrainStarted" in told(outcome)


def test_the_plan_keeps_its_name_when_the_host_is_edited_meanwhile() -> None:
    machine = host(maintenance=DRAIN, generation=4)
    world = draining(machine, vm("a", status=placed()))
    machine = taken(world, machine, reconcile(machine, world, NOW))
    again = reconcile(edited(machine, spec={"unschedulable": True}), world, NOW)
    assert created(again) == ["drain-p1-0-4"]


def test_a_plan_that_a_crash_left_behind_is_taken_up() -> None:
    machine = host(maintenance=DRAIN, generation=9)
    outcome = reconcile(machine, draining(machine, vm("a", status=placed()), drain_plan("drain-p1-0-4")), NOW)
    assert outcome.children == ()
    assert outcome.status is not None
    assert outcome.status.drain.plan_ref.name == "drain-p1-0-4"


def test_somebody_elses_plan_for_the_host_is_not_the_drains() -> None:
    machine = host(maintenance=DRAIN)
    other = plan("by-hand", namespace=DEFAULT_NAMESPACE, host_name="p1-0")
    assert created(reconcile(machine, draining(machine, vm("a", status=placed()), other), NOW)) == ["drain-p1-0-1"]


def test_progress_and_the_expected_end_come_from_the_plan() -> None:
    machine = host(maintenance=DRAIN)
    estimate = {"verdict": "Converges", "durationSeconds": {"p50": 90, "p90": 120}}
    running = {"phase": "Migrating", "total": 3, "succeeded": 2, "estimate": estimate}
    moves = drain_plan(status={**running, "startTimestamp": NOW.isoformat()})
    world = world_of(pool(driver={"time_scale": "3"}), machine, vm("a", status=placed()), moves)
    outcome = reconcile(machine, world, NOW)
    assert "2 of 3 VMs moved" in message(outcome, "Drained")
    assert outcome.status is not None
    assert outcome.status.drain.estimated_completion_time == "2026-11-02T09:00:30Z"
    assert_settled(reconcile, machine, world, NOW)


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


def test_a_plan_that_ended_with_vms_left_blocks_the_drain_and_names_them() -> None:
    machine = host(maintenance=DRAIN, status=_drain_by("drain-p1-0-1"))
    stuck, unlisted = vm("a", status=placed()), vm("b", status=placed())
    world = draining(machine, stuck, unlisted, ended_plan(at=0))
    outcome = reconcile(machine, world, later(1))
    assert outcome.children == ()
    assert reasons(outcome)["Drained"] == ("False", "Blocked")
    assert outcome.status is not None
    assert outcome.status.drain.blocked_by == ("default/a: NoTarget", "default/b: NotMoved")
    assert "tried again at 2026-11-02T09:01:00Z" in message(outcome, "Drained")
    assert outcome.requeue_at == later(60)
    assert "DrainBlocked" in told(outcome)
    assert_settled(reconcile, machine, world, later(2))


def _drain_by(name: str) -> dict[str, Any]:
    ref = {"name": name, "namespace": DEFAULT_NAMESPACE}
    conditions = [condition("Ready", "True", "HostReady")]
    return {"phase": "Draining", "drain": {"planRef": ref}, "conditions": conditions}


def test_a_blocked_drain_is_tried_again_a_minute_later_under_the_next_number() -> None:
    machine = host(maintenance=DRAIN, status=_drain_by("drain-p1-0-1"))
    stuck = vm("a", status=placed())
    assert created(reconcile(machine, draining(machine, stuck, ended_plan(at=0)), later(59))) == []
    assert created(reconcile(machine, draining(machine, stuck, ended_plan(at=0)), later(60))) == ["drain-p1-0-1-2"]
    both = draining(machine, stuck, ended_plan(at=0), ended_plan("drain-p1-0-1-2", at=70))
    assert created(reconcile(machine, both, later(100))) == []
    assert created(reconcile(machine, both, later(130))) == ["drain-p1-0-1-3"]


def test_a_drain_that_never_ends_keeps_the_newest_three_of_its_plans() -> None:
    machine, stuck = host(maintenance=DRAIN), vm(status=placed("p1-0"))
    plans = [
        ended_plan(f"drain-p1-0-1-{number}" if number > 1 else "drain-p1-0-1", at=number) for number in range(1, 6)
    ]
    outcome = reconcile(machine, draining(machine, stuck, *plans), later(600))
    assert created(outcome) == ["drain-p1-0-1-6"]
    removed = [child.resource.name for child in outcome.children if isinstance(child, Delete)]
    assert removed == ["drain-p1-0-1", "drain-p1-0-1-2"]


def test_a_drain_that_is_called_off_cancels_its_plan() -> None:
    machine = host(status=_drain_by("drain-p1-0-1"))
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
    done = _drain_by("drain-p1-0-1")
    done["conditions"].append(condition("Drained", "True", "Drained"))
    machine = host(status=done)
    outcome = reconcile(machine, draining(machine, ended_plan()), NOW)
    assert told(outcome) == []
    assert outcome.children == ()


def test_a_cancelled_plan_is_not_taken_up_by_the_next_drain() -> None:
    machine = host(maintenance=DRAIN, generation=6)
    old = drain_plan("drain-p1-0-4", status={"phase": "Cancelling"}, cancel=True)
    assert created(reconcile(machine, draining(machine, vm("a", status=placed()), old), NOW)) == ["drain-p1-0-6"]


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
        (name,) = created(reconcile(machine, draining(machine, here), NOW))
        names.add(name)
        assert len(name) <= 63
    assert len(names) == 2


# Deletion


def test_a_host_with_vms_is_not_removed() -> None:
    machine = host(deleting=True)
    world = draining(machine, vm("a", status=placed()))
    outcome = reconcile(machine, world, NOW)
    assert outcome.status is not None
    assert outcome.status.phase == "Ready"
    assert reasons(outcome)["Terminating"] == ("True", "InUse")
    assert "default/a" in message(outcome, "Terminating")
    assert "DeletionBlocked" in told(outcome)
    assert_settled(reconcile, machine, world, NOW)


def test_a_host_that_a_migration_is_on_its_way_to_is_not_removed() -> None:
    machine = host(deleting=True)
    outcome = reconcile(machine, draining(machine, migration(status=moving("p1-0", source="p1-1"))), NOW)
    assert "1 migration onto it" in message(outcome, "Terminating")


def test_an_empty_host_goes() -> None:
    machine = host(deleting=True)
    assert reconcile(machine, draining(machine), NOW) == Outcome(protect=False)


@pytest.mark.parametrize("deleting", [True, False])
def test_what_a_vm_gives_up_is_free_and_told_when_the_write_is_answered(deleting: bool) -> None:
    machine, leaver = host(deleting=deleting), vm("a", status=placed())
    world = draining(machine, leaver)
    woken: list[str] = []
    watch = next(watch for watch in CONTROLLER.watches if watch.kind == "VirtualMachine")
    world.subscribe(lambda before, after: woken.extend(key.name for key in watch.affected(before, after, world)))
    gone = leaver.model_copy(update={"status": leaver.status.model_copy(update={"host_name": None})})
    world.assume(gone)
    assert woken == ["p1-0"]
    outcome = reconcile(machine, world, NOW)
    assert outcome == Outcome() if deleting else outcome.status.allocated.cpu == "2"  # type: ignore[union-attr]
    world.observe(edited(gone))
    world.settle(leaver.key)
    assert woken == ["p1-0", "p1-0"]
    outcome = reconcile(machine, world, NOW)
    assert outcome.protect is False if deleting else outcome.status.allocated.cpu == "0"  # type: ignore[union-attr]


# What wakes it


def test_a_vm_that_moves_wakes_both_hosts_and_one_that_boots_wakes_none() -> None:
    watch = next(watch for watch in CONTROLLER.watches if watch.kind == "VirtualMachine")
    here, there = vm("a", status=placed("p1-0")), vm("a", status=placed("p1-1"))
    assert [key.name for key in watch.affected(here, there, world_of())] == ["p1-0", "p1-1"]
    starting = vm("a", status=placed("p1-0", phase="Starting"))
    assert watch.affected(starting, here, world_of()) == []
