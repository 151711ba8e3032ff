"""PlacementGroup: members, violations, deletion, and what wakes it and its VMs."""

from __future__ import annotations

from typing import Any

import pytest
from checked import reconciled
from worlds import NOW, edited, group, host, message, placed, pool, reasons, taken, told, vm, world_of

from drover.api.placementgroup import PlacementGroup
from drover.api.virtualmachine import VirtualMachine
from drover.control.outcome import Outcome
from drover.control.placementgroup import CONTROLLER, reconcile
from drover.control.virtualmachine.watches import WATCHES
from drover.control.world import World

RACKS = {
    "p1-1": ("a", "r1"),
    "p1-2": ("a", "r1"),
    "p1-3": ("a", "r2"),
    "p1-4": ("b", "r1"),
    "p1-10": ("b", "r2"),
}


def member(name: str, on: str | None = None, of: str = "db", **fields: Any) -> VirtualMachine:
    status = placed(on) if on is not None else None
    return vm(name, placement={"placementGroupName": of}, status=status, **fields)


def standing(item: PlacementGroup, **members: str | None) -> World:
    """The group's members, each on a host or on none."""
    machines = [host(name, failure_domain=zone, rack=rack) for name, (zone, rack) in RACKS.items()]
    vms = [member(name.replace("_", "-"), on) for name, on in members.items()]
    return world_of(pool(), item, *machines, *vms)


def violations(outcome: Outcome) -> tuple[str, ...]:
    assert outcome.status is not None
    found: tuple[str, ...] = getattr(outcome.status, "violations", ())
    return found


@pytest.mark.parametrize(
    ("spec", "members", "expected"),
    [
        ({}, {"db_0": "p1-1", "db_1": "p1-2"}, []),
        ({}, {"db_0": "p1-3", "db_1": "p1-3"}, ["db-0 and db-1 on p1-3"]),
        ({}, {f"db_{n}": "p1-3" for n in (10, 2, 1, 0)}, ["db-0, db-1 and 2 more on p1-3"]),
        (
            {},
            {"a": "p1-10", "b": "p1-10", "c": "p1-2", "d": "p1-2"},
            ["c and d on p1-2", "a and b on p1-10"],
        ),
        ({"maxPerDomain": 2}, {"db_0": "p1-3", "db_1": "p1-3"}, []),
        (
            {"maxPerDomain": 2},
            {"db_0": "p1-3", "db_1": "p1-3", "db_2": "p1-3"},
            ["db-0, db-1 and 1 more on p1-3, 2 allowed"],
        ),
        ({"topologyKey": "Rack"}, {"db_0": "p1-1", "db_1": "p1-2"}, ["db-0 and db-1 in rack a/r1"]),
        ({"topologyKey": "Rack"}, {"db_0": "p1-1", "db_1": "p1-4"}, []),
        ({"topologyKey": "FailureDomain"}, {"db_0": "p1-1", "db_1": "p1-3"}, ["db-0 and db-1 in a"]),
        ({"policy": "Affinity"}, {"db_0": "p1-1", "db_1": "p1-1", "db_2": None}, []),
        (
            {"policy": "Affinity"},
            {"a": "p1-2", "b": "p1-10", "c": "p1-10"},
            ["a on p1-2, b and c on p1-10"],
        ),
        ({"policy": "Affinity", "topologyKey": "FailureDomain"}, {"a": "p1-1", "b": "p1-3"}, []),
        ({"policy": "Affinity", "topologyKey": "FailureDomain"}, {"a": "p1-1", "b": "p1-4"}, ["b in b, a in a"]),
        ({"policy": "SoftAntiAffinity"}, {"db_0": "p1-3", "db_1": "p1-3"}, ["db-0 and db-1 on p1-3"]),
        ({"policy": "Affinity"}, {}, []),
        ({}, {"db_0": None, "db_1": None}, []),
        ({}, {"db_0": "gone-1", "db_1": "gone-1"}, []),
    ],
)
def test_violations_name_who_is_where(
    spec: dict[str, Any], members: dict[str, str | None], expected: list[str]
) -> None:
    item = group(**spec)
    outcome = reconciled(reconcile, item, standing(item, **members))
    assert list(violations(outcome)) == expected
    assert outcome.status is not None
    assert outcome.status.phase == ("Violated" if expected else "Satisfied")
    assert getattr(outcome.status, "members", None) == len(members)
    assert told(outcome) == (["GroupViolated"] if expected else [])


def test_only_a_hard_policy_that_is_violated_is_not_ready() -> None:
    together = {"db_0": "p1-3", "db_1": "p1-3", "db_2": "p1-1", "db_3": "p1-1"}
    hard, soft = group(), group(policy="SoftAntiAffinity")
    for item, ready in ((hard, "False"), (soft, "True")):
        outcome = reconcile(item, standing(item, **together), NOW)
        assert reasons(outcome) == {"Ready": (ready, "Violated")}
        policy = f"{item.spec.policy} by Host is not kept: db-2 and db-3 on p1-1 and 1 more"
        assert policy in message(outcome, "Ready")
    kept = reconcile(hard, standing(hard, db_0="p1-3", db_1=None), NOW)
    assert reasons(kept) == {"Ready": ("True", "Satisfied")}
    assert "2 VMs" in message(kept, "Ready")


def test_violation_and_satisfaction_are_told_once_each() -> None:
    item = group()
    world = standing(item, db_0="p1-3", db_1="p1-3")
    outcome = reconcile(item, world, NOW)
    assert [(event.reason, event.type) for event in outcome.events] == [("GroupViolated", "Warning")]
    item = taken(world, item, outcome)
    assert reconcile(item, world, NOW).events == ()
    world.observe(member("db-1", "p1-1", resource_version="2"))
    outcome = reconcile(item, world, NOW)
    assert [(event.reason, event.type) for event in outcome.events] == [("GroupSatisfied", "Normal")]
    assert reconcile(taken(world, item, outcome), world, NOW).events == ()


def test_violations_are_at_most_so_many_and_so_long_as_the_schema_allows() -> None:
    item = group(name="g" * 63)
    names = [f"{'h' * 60}-{n}" for n in range(40)]
    machines = [host(name) for name in names]
    vms = [member(f"{'v' * 58}-{n}-{half}", name, "g" * 63) for n, name in enumerate(names) for half in (0, 1, 2)]
    outcome = reconciled(reconcile, item, world_of(pool(), item, *machines, *vms))
    assert len(violations(outcome)) == 32
    assert max(map(len, violations(outcome))) <= 256
    assert "and 39 more" in message(outcome, "Ready")


def test_members_are_those_of_the_same_namespace_that_name_it() -> None:
    item = group()
    others = [member("a", "p1-1", namespace="other"), member("b", "p1-1", "web"), vm("c", status=placed("p1-1"))]
    world = world_of(pool(), item, host("p1-1"), member("d", "p1-1"), *others)
    outcome = reconcile(item, world, NOW)
    assert getattr(outcome.status, "members", None) == 1
    assert violations(outcome) == ()


# Life


def test_a_new_group_is_protected_before_anything_else() -> None:
    item = group(finalizer=False)
    assert reconcile(item, world_of(item), NOW) == Outcome(protect=True)


def test_a_group_stays_while_vms_name_it_and_goes_with_the_last() -> None:
    item = group(deleting=True)
    user = member("db-0")
    world = world_of(item, user)
    outcome = reconcile(item, world, NOW)
    assert outcome.status is not None
    assert outcome.status.phase == "Terminating"
    assert reasons(outcome) == {"Ready": ("True", "Satisfied"), "Terminating": ("True", "InUse")}
    assert "1 VM of this group: default/db-0" in message(outcome, "Terminating")
    assert "spec.placement.placementGroupName" in message(outcome, "Terminating")
    assert told(outcome) == ["DeletionBlocked"]
    assert told(reconcile(taken(world, item, outcome), world, NOW)) == []
    world.gone(user.key, user.uid)
    assert reconcile(item, world, NOW) == Outcome(protect=False)


# What wakes it, and whom it wakes


def test_a_member_wakes_its_group_when_it_joins_leaves_or_moves() -> None:
    watch = next(watch for watch in CONTROLLER.watches if watch.kind == "VirtualMachine")
    world, before = world_of(), member("a", "p1-1")

    def woken(after: VirtualMachine | None) -> list[str]:
        return [key.name for key in watch.affected(before, after, world)]

    assert woken(member("a", "p1-2")) == ["db"]
    assert woken(member("a", "p1-1", "web")) == ["db", "web"]
    assert woken(None) == ["db"]
    assert woken(member("a", "p1-1", paused=True)) == []
    assert watch.affected(vm("b"), vm("b", status=placed("p1-1")), world) == []


def test_a_host_wakes_the_groups_on_it_when_it_stands_somewhere_else() -> None:
    watch = next(watch for watch in CONTROLLER.watches if watch.kind == "Host")
    machine = host("p1-1", failure_domain="a", rack="r1")
    world = world_of(machine, member("a", "p1-1"), member("b", "p1-1", "web"), member("c", "p1-2", "other"))
    moved = edited(machine, spec={"rack": "r2"})
    assert [key.name for key in watch.affected(machine, moved, world)] == ["db", "web"]
    assert [key.name for key in watch.affected(None, machine, world)] == ["db", "web"]
    assert watch.affected(machine, edited(machine, spec={"unschedulable": True}), world) == []


def test_vms_that_wait_for_their_group_are_woken_when_it_appears() -> None:
    world = world_of(group(), member("a"), member("b", of="web"))
    keys = [key for watch in WATCHES if watch.kind == "PlacementGroup" for key in watch.affected(None, group(), world)]
    assert [key.name for key in keys] == ["a"]
