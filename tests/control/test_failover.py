"""What a pool can lose, told by trying, against what its admission control wants."""

from __future__ import annotations

from typing import Any

import pytest
from checked import reconciled
from worlds import NOW, host, later, message, placed, pool, reasons, taken, told, vm, world_of

from drover.api.meta import AnyResource
from drover.api.nodepool import Failover, NodePool
from drover.control.nodepool import reconcile
from drover.control.outcome import Outcome

ONE: dict[str, Any] = {"policy": "HostFailures"}
CONDITION = "FailoverCapacityAvailable"


def holding(control: dict[str, Any], replicas: int = 3) -> NodePool:
    return pool(replicas=replicas, admission_control=control)


def hosts(number: int, **fields: Any) -> list[AnyResource]:
    return [host(f"p1-{n}", **fields) for n in range(number)]


def load(host: str, *gib: int, **fields: Any) -> list[AnyResource]:
    return [vm(f"{host}-{n}", status=placed(host, memory=f"{size}Gi"), **fields) for n, size in enumerate(gib)]


def failover(outcome: Outcome) -> Failover | None:
    found = getattr(outcome.status, "failover", None)
    assert found is None or isinstance(found, Failover)
    return found


def test_nothing_is_said_while_admission_control_is_disabled() -> None:
    item = pool(replicas=3)
    outcome = reconciled(reconcile, item, world_of(item, *hosts(3)))
    assert failover(outcome) is None
    assert CONDITION not in reasons(outcome)


@pytest.mark.parametrize(
    ("failures", "loads", "tolerated", "reason"),
    [
        (1, [], 2, "Tolerates"),
        (2, [], 3, "Tolerates"),
        (1, [("p1-0", 20), ("p1-1", 20), ("p1-2", 20)], 2, "Tolerates"),  # 20 + 20 + 20 fit on one of 63.5
        (1, [("p1-0", 40), ("p1-1", 20), ("p1-2", 20)], 1, "Tolerates"),
        (2, [("p1-0", 40), ("p1-1", 20), ("p1-2", 20)], 1, "Insufficient"),
        (1, [("p1-0", 40), ("p1-1", 40), ("p1-2", 1)], 1, "Tolerates"),
        (2, [("p1-0", 40), ("p1-1", 40), ("p1-2", 1)], 1, "Insufficient"),
        (1, [("p1-0", 40), ("p1-1", 23), ("p1-2", 23)], 1, "Tolerates"),
        (1, [("p1-0", 40), ("p1-1", 24), ("p1-2", 24)], 0, "Insufficient"),  # room for 40 in all, but in two parts
    ],
)
def test_as_many_failures_are_tolerated_as_the_others_have_room_for(
    failures: int, loads: list[tuple[Any, ...]], tolerated: int, reason: str
) -> None:
    item = holding(ONE | {"hostFailuresToTolerate": failures})
    vms = [one for name, *gib in loads for one in load(name, *gib)]
    outcome = reconciled(reconcile, item, world_of(item, *hosts(3), *vms))
    assert failover(outcome) == Failover(tolerated=tolerated, required=failures)
    assert reasons(outcome)[CONDITION] == ("True" if reason == "Tolerates" else "False", reason)
    assert message(outcome, CONDITION).startswith(f"{tolerated} of {failures} required")
    mend = "spec.admissionControl.hostFailuresToTolerate"
    assert (mend in message(outcome, CONDITION)) == (reason == "Insufficient")


def test_vms_that_are_not_restarted_need_no_failover() -> None:
    item, off = holding(ONE), {"high_availability": {"enabled": False}}
    full = [load(f"p1-{n}", 60, **off) for n in range(3)]
    outcome = reconcile(item, world_of(item, *hosts(3), *(one for vms in full for one in vms)), NOW)
    assert failover(outcome) == Failover(tolerated=2, required=1)


def test_hosts_that_are_down_neither_fail_nor_help() -> None:
    item = holding(ONE)
    broken = host("p1-2", fault={"type": "Crash"})
    outcome = reconcile(item, world_of(item, *hosts(2), broken, *load("p1-0", 40), *load("p1-1", 40)), NOW)
    assert failover(outcome) == Failover(tolerated=0, required=1)
    outcome = reconcile(item, world_of(item, *hosts(2), broken, *load("p1-0", 20), *load("p1-1", 40)), NOW)
    assert failover(outcome) == Failover(tolerated=1, required=1)


def test_vms_of_any_pool_may_go_to_another_pool() -> None:
    item = holding(ONE, replicas=1)
    world = world_of(item, pool("p2"), host("p1-0"), host("p2-0", pool="p2"), *load("p1-0", 40))
    assert failover(reconcile(item, world, NOW)) == Failover(tolerated=1, required=1)
    pinned = load("p1-0", 40, placement={"nodePoolName": "p1"})
    world = world_of(item, pool("p2"), host("p1-0"), host("p2-0", pool="p2"), *pinned)
    assert failover(reconcile(item, world, NOW)) == Failover(tolerated=0, required=1)


@pytest.mark.parametrize(
    ("vcpus", "gib", "reason", "told_"),
    [
        (2, 63, "Tolerates", "33 % required, 98 % of cpu and 66 % of memory free"),
        (96, 1, "Tolerates", "33 % required, 50 % of cpu and 99 % of memory free"),
        (129, 1, "Insufficient", "33 % required, 32 % of cpu and 99 % of memory free"),
        (2, 128, "Insufficient", "33 % required, 98 % of cpu and 32 % of memory free"),
    ],
)
def test_a_percentage_is_told_by_what_is_free_of_cpu_and_memory(vcpus: int, gib: int, reason: str, told_: str) -> None:
    item = holding({"policy": "Percentage", "percent": 33})
    parts = [
        vm(f"{n}", status=placed(f"p1-{n}", vcpus=vcpus * (n + 1) // 3 - vcpus * n // 3, memory=f"{gib * 1024 // 3}Mi"))
        for n in range(3)
    ]
    outcome = reconciled(reconcile, item, world_of(item, *hosts(3), *parts))
    found = failover(outcome)
    assert found is not None
    assert found.required == 0  # 33 % of 3 hosts is less than one
    assert reasons(outcome)[CONDITION] == ("True" if reason == "Tolerates" else "False", reason)
    assert message(outcome, CONDITION).startswith(told_)
    assert ("spec.admissionControl.percent" in message(outcome, CONDITION)) == (reason == "Insufficient")


def test_a_percentage_is_worth_so_many_hosts() -> None:
    item = holding({"policy": "Percentage", "percent": 50}, replicas=4)
    assert failover(reconcile(item, world_of(item, *hosts(4)), NOW)) == Failover(tolerated=3, required=2)


def test_a_pool_without_hosts_tolerates_nothing_and_loses_nothing() -> None:
    for control in (ONE, {"policy": "Percentage", "percent": 25}):
        item = holding(control, replicas=0)
        outcome = reconciled(reconcile, item, world_of(item))
        found = failover(outcome)
        assert found is not None
        assert found.tolerated == 0
        assert reasons(outcome)[CONDITION] == ("False", "Insufficient")
        assert "FailoverCapacityLost" not in told(outcome)


def test_failover_capacity_that_is_lost_is_told_once() -> None:
    item = holding(ONE)
    world = world_of(item, *hosts(3))
    item = taken(world, item, reconcile(item, world, NOW))
    for one in (*load("p1-0", 40), *load("p1-1", 40), *load("p1-2", 40)):
        world.observe(one)
    outcome = reconcile(item, world, later(5.0))
    assert [(event.reason, event.type) for event in outcome.events] == [("FailoverCapacityLost", "Warning")]
    assert told(reconcile(taken(world, item, outcome), world, later(6.0))) == []
