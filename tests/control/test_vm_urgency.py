"""The order of VMs in the queue: what needs no host, what lost its host, and the rest by priority and age."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import NOW, condition, host, placed, priority_class, vm, world_of

from drover.api.virtualmachine import VirtualMachine
from drover.control.virtualmachine.urgency import RESTART_ORDER, urgency

DOWN = {"observedGeneration": 1, "phase": "Failed", "conditions": [condition("Ready", "False", "HostFailed")]}
WORLD = world_of(host("p1-0"), host("down", status=DOWN), priority_class("high", 100), priority_class("low", -100))
REFUSED = {"phase": "Unschedulable"}


def lost(name: str, restart_priority: str = "Medium", **fields: Any) -> VirtualMachine:
    return vm(name, status=placed("down"), highAvailability={"restartPriority": restart_priority}, **fields)


def waiting(name: str, priority: str | None = None, *, age: int = 0, **fields: Any) -> VirtualMachine:
    """``age`` in seconds."""
    made = NOW - timedelta(seconds=age)
    return vm(name, status=REFUSED, priority_class_name=priority, creation_timestamp=made, **fields)


IN_ORDER = [
    lost("z", "Highest"),
    lost("y", "High"),
    lost("b"),
    lost("c", priority_class_name="high"),
    lost("a", "Low"),
    lost("x", "Lowest"),
    waiting("q", "high", age=5),
    waiting("r", "high"),
    waiting("o", age=60),
    waiting("p", "missing", age=30),
    waiting("m"),
    waiting("n"),
    waiting("n", namespace="other"),
    waiting("l", "low", age=3600),
]


@given(st.permutations(IN_ORDER))
def test_lost_vms_go_by_restart_priority_and_name_then_the_others_by_priority_age_and_name(
    vms: list[VirtualMachine],
) -> None:
    assert [vm.key for vm in sorted(vms, key=lambda vm: urgency(vm, WORLD))] == [vm.key for vm in IN_ORDER]


@pytest.mark.parametrize(
    "other",
    [
        vm(status=placed("p1-0")),
        vm(status=placed("p1-0", phase="Stopping")),
        vm(status=placed("p1-0"), priority_class_name="low"),
        vm(status=REFUSED, deleting=True),
        vm(status=placed("down"), deleting=True),
        vm(status={"phase": "Stopped"}, run_strategy="Halted"),
        vm(status=placed("down"), run_strategy="Halted"),
        vm(finalizer=False),
    ],
    ids=["running", "restarting", "low", "deleted", "deleted on a lost host", "halted", "halted on a lost host", "new"],
)
def test_a_vm_that_looks_for_no_host_goes_before_all_that_do(other: VirtualMachine) -> None:
    assert urgency(other, WORLD) == ()
    assert all(urgency(other, WORLD) < urgency(vm, WORLD) for vm in IN_ORDER)


@pytest.mark.parametrize(
    "vm",
    [vm(), vm(status={"phase": "Stopped"}), vm(status=REFUSED, run_strategy="Manual")],
    ids=["new", "started again", "manual"],
)
def test_a_vm_that_is_to_be_placed_waits_whatever_it_has_been_through(vm: VirtualMachine) -> None:
    assert len(urgency(vm, WORLD)) > 0


def test_a_host_that_is_not_there_is_lost() -> None:
    assert urgency(vm("a", status=placed("gone")), WORLD) < urgency(waiting("q", "high"), WORLD)


def test_every_restart_priority_has_its_place_in_the_order() -> None:
    assert sorted(RESTART_ORDER, key=RESTART_ORDER.__getitem__) == ["Highest", "High", "Medium", "Low", "Lowest"]
