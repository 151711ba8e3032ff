"""Host: up and down, cordon, drain, amounts, deletion."""

from __future__ import annotations

from typing import Any

import pytest
from worlds import (
    HARDWARE,
    NOW,
    assert_settled,
    edited,
    host,
    later,
    message,
    migration,
    moving,
    placed,
    pool,
    reasons,
    taken,
    told,
    vm,
    world_of,
)

from drover.api.host import Host
from drover.control.host import CONTROLLER, reconcile
from drover.control.outcome import Outcome
from drover.control.world import World

DRAIN = {"mode": "Drain"}


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


# Deletion


def among(machine: Host, *others: Any) -> World:
    return world_of(pool(), machine, *others)


def test_a_host_with_vms_is_not_removed() -> None:
    machine = host(deleting=True)
    world = among(machine, vm("a", status=placed()))
    outcome = reconcile(machine, world, NOW)
    assert outcome.status is not None
    assert outcome.status.phase == "Ready"
    assert reasons(outcome)["Terminating"] == ("True", "InUse")
    assert "default/a" in message(outcome, "Terminating")
    assert "DeletionBlocked" in told(outcome)
    assert_settled(reconcile, machine, world, NOW)


def test_a_host_that_a_migration_is_on_its_way_to_is_not_removed() -> None:
    machine = host(deleting=True)
    outcome = reconcile(machine, among(machine, migration(status=moving("p1-0", source="p1-1"))), NOW)
    assert "1 migration onto it" in message(outcome, "Terminating")


def test_an_empty_host_goes() -> None:
    machine = host(deleting=True)
    assert reconcile(machine, among(machine), NOW) == Outcome(protect=False)


@pytest.mark.parametrize("deleting", [True, False])
def test_what_a_vm_gives_up_is_free_and_told_when_the_write_is_answered(deleting: bool) -> None:
    machine, leaver = host(deleting=deleting), vm("a", status=placed())
    world = among(machine, leaver)
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
