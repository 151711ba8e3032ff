"""Planning: which VMs, where to, and what it will take, before anything moves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import HARDWARE, flavor, host, placed, plan, pool, vm, world_of

from drover.api.meta import AnyResource
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import MAX_VMS
from drover.api.scheduling import LabelSelector
from drover.control.migrationplan.planning import GATHER_SECONDS, Planned, compute
from drover.control.migrationplan.targets import scope
from drover.control.virtualmachinemigration.inputs import limits_of
from drover.control.world import World
from drover.control.world.selectors import selector_of

BASE: tuple[AnyResource, ...] = (pool(), host("p1-0"), host("p1-1"), host("p1-2"), flavor())


def world(*objects: AnyResource) -> World:
    mine = {resource.key: resource for resource in (*BASE, *objects)}
    return world_of(*mine.values())


def planned(subject: MigrationPlan, *objects: AnyResource) -> Planned:
    return compute(subject, world(*objects))


def only(found: Planned) -> Any:
    (entry,) = found.migrations
    return entry


# Scope


def test_named_vms_come_in_the_order_they_are_named() -> None:
    subject = plan(virtual_machines=[{"name": "b"}, {"name": "a", "targetHostName": "p1-2"}])
    assert [(w.namespace, w.name, w.target) for w in scope(subject, world())] == [
        ("default", "b", None),
        ("default", "a", "p1-2"),
    ]


def test_a_selector_takes_the_vms_of_the_plans_namespace_by_name() -> None:
    web = {"labels": {"app": "web"}}
    vms = [vm("b", **web), vm("a", **web), vm("c", labels={"app": "db"}), vm("d", namespace="other", **web)]
    subject = plan(selector={"matchLabels": {"app": "web"}})
    assert [wanted.name for wanted in scope(subject, world(*vms))] == ["a", "b"]


def test_a_drain_takes_the_vms_of_every_namespace_on_the_host() -> None:
    vms = [
        vm("a", status=placed("p1-0")),
        vm("b", namespace="other", status=placed("p1-0")),
        vm("c", status=placed("p1-1")),
    ]
    found = scope(plan(host_name="p1-0"), world(*vms))
    assert [(wanted.namespace, wanted.name) for wanted in found] == [("default", "a"), ("other", "b")]


@pytest.mark.parametrize(
    ("expression", "matched"),
    [
        ({"key": "tier", "operator": "Exists"}, {"front", "back"}),
        ({"key": "tier", "operator": "DoesNotExist"}, {"none"}),
        ({"key": "tier", "operator": "In", "values": ["front", "x"]}, {"front"}),
        ({"key": "tier", "operator": "NotIn", "values": ["front"]}, {"back", "none"}),
    ],
)
def test_expressions_match_as_in_kubernetes(expression: dict[str, Any], matched: set[str]) -> None:
    selector = LabelSelector.model_validate({"matchExpressions": [expression]})
    labels: dict[str, dict[str, str]] = {"front": {"tier": "front"}, "back": {"tier": "back"}, "none": {}}
    assert {name for name, own in labels.items() if selector_of(selector).matches(own)} == matched


def test_all_of_a_selector_must_match_and_an_empty_one_matches_everything() -> None:
    both = LabelSelector.model_validate(
        {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}
    )
    assert selector_of(both).matches({"a": "1", "b": ""})
    assert not selector_of(both).matches({"a": "1"})
    assert selector_of(LabelSelector()).matches({})


# Entries


def test_a_vm_that_does_not_exist_and_one_without_a_host_have_failed_before_anything_starts() -> None:
    assert (only(planned(plan())).phase, only(planned(plan())).reason) == ("Failed", "VirtualMachineNotFound")
    stopped = only(planned(plan(), vm(status={"phase": "Stopped"})))
    assert (stopped.phase, stopped.reason) == ("Failed", "NotMigratable")


@pytest.mark.parametrize(
    "fields",
    [
        {"virtual_machines": [{"name": "a", "targetHostName": "p1-0"}]},
        {"target": {"hostNames": ["p1-2", "p1-0"]}},
    ],
)
def test_a_vm_that_is_where_it_should_be_needs_no_move(fields: dict[str, Any]) -> None:
    entry = only(planned(plan(**fields), vm(status=placed("p1-0"))))
    assert (entry.phase, entry.reason, entry.target) == ("Succeeded", "AlreadySatisfied", "p1-0")


def test_a_drain_never_sends_a_vm_back_to_its_host() -> None:
    entry = only(planned(plan(host_name="p1-0"), vm(status=placed("p1-0"))))
    assert (entry.phase, entry.source, entry.target) == ("Pending", "p1-0", "p1-1")
    assert entry.verdict == "Converges"
    assert entry.estimated_seconds > 0


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"hostNames": ["p1-2"]}, "p1-2"),
        ({"excludeHosts": ["p1-1"]}, "p1-2"),
        ({"nodeSelector": {"disk": "ssd"}}, "p1-3"),
        ({"nodePoolName": "p2"}, "p2-0"),
    ],
)
def test_the_plans_target_narrows_where_a_vm_may_go(target: dict[str, Any], expected: str) -> None:
    ssd = host("p1-3", hardware=HARDWARE | {"labels": {"disk": "ssd"}})
    others = (ssd, pool("p2"), host("p2-0", pool="p2"), vm(status=placed("p1-0")))
    assert only(planned(plan(target=target), *others)).target == expected


def test_a_move_without_a_target_stays_pending_and_blocks_the_verdict() -> None:
    found = planned(plan(target={"hostNames": ["p1-9"]}), vm(status=placed("p1-0")))
    entry = only(found)
    assert (entry.phase, entry.reason, entry.verdict, entry.target) == ("Pending", "NoTarget", "Blocked", None)
    assert (found.estimate.verdict, found.estimate.limited_by) == ("Blocked", "Capacity")
    assert found.estimate.warnings[0].startswith("default/a: 0/")


def test_two_vms_are_not_sent_into_the_same_hole() -> None:
    big = placed("p1-0", memory="30Gi")
    full = vm("full", status=placed("p1-2", memory="60Gi"))
    half = vm("half", status=placed("p1-1", memory="30Gi"))
    names = [{"name": "a"}, {"name": "b"}]
    found = planned(plan(virtual_machines=names), vm("a", status=big), vm("b", status=big), full, half)
    assert [entry.target for entry in found.migrations] == ["p1-1", None]


def test_a_vm_may_be_sent_where_another_one_of_the_plan_leaves_room() -> None:
    big = {"memory": "60Gi"}
    leaving, following = vm("a", status=placed("p1-0", **big)), vm("b", status=placed("p1-1", **big))
    targets = [{"name": "a", "targetHostName": "p1-2"}, {"name": "b", "targetHostName": "p1-0"}]
    found = planned(plan(virtual_machines=targets), leaving, following)
    assert [entry.target for entry in found.migrations] == ["p1-2", "p1-0"]


def test_planning_leaves_the_worlds_own_ledger_alone() -> None:
    seen = world(vm(status=placed("p1-0")))
    before = [seen.ledger.allocated(name) for name in ("p1-0", "p1-1", "p1-2")]
    compute(plan(), seen)
    assert [seen.ledger.allocated(name) for name in ("p1-0", "p1-1", "p1-2")] == before


# The estimate


def names_of(count: int) -> list[dict[str, str]]:
    return [{"name": f"m{n}"} for n in range(count)]


def movers(count: int) -> list[AnyResource]:
    return [vm(f"m{n}", status=placed("p1-0")) for n in range(count)]


def test_an_estimate_covers_what_has_to_move_and_nothing_else() -> None:
    none = planned(plan(target={"hostNames": ["p1-0"]}), vm(status=placed("p1-0"))).estimate
    assert none.transfer_bytes == 0
    assert none.duration_seconds is not None
    assert none.duration_seconds.p50 == 0
    one = planned(plan(), vm(status=placed("p1-0"))).estimate
    assert one.transfer_bytes > 3 * 2**30
    assert one.verdict == "Converges"


def test_moves_one_at_a_time_take_longer_together_than_the_longest_of_them() -> None:
    one = planned(plan(virtual_machines=names_of(1)), *movers(1)).estimate.duration_seconds
    four = planned(
        plan(virtual_machines=names_of(4), limits={"maxConcurrent": 1}), *movers(4)
    ).estimate.duration_seconds
    assert one is not None
    assert four is not None
    assert four.p50 == pytest.approx(4 * (one.p50 + GATHER_SECONDS), rel=0.02)
    assert four.p90 >= four.p50


def test_a_guest_that_cannot_be_copied_makes_the_plan_not_converge_and_says_what_would_help() -> None:
    busy = vm(status=placed("p1-0"), model={"hotSet": "3Gi", "dirtyRate": "2G"})
    found = planned(plan(), busy)
    assert found.estimate.verdict == only(found).verdict == "DoesNotConverge"
    assert found.estimate.limited_by == "DirtyRate"
    assert "default/a: " in found.estimate.warnings[0]
    assert "; what helps: " in found.estimate.warnings[0]


@given(st.integers(1, 12), st.integers(1, 4), st.sampled_from(["1Gi", "8Gi", "20Gi", "60Gi"]))
@settings(max_examples=30)
def test_every_vm_has_one_entry_and_planned_targets_hold_all_that_is_sent_there(
    count: int, limit: int, memory: str
) -> None:
    vms = [vm(f"m{n}", status=placed("p1-0", memory=memory, vcpus=1)) for n in range(count)]
    seen = world(*vms)
    found = compute(plan(virtual_machines=names_of(count), limits={"maxConcurrent": limit}), seen)
    assert [entry.virtual_machine for entry in found.migrations] == [f"m{n}" for n in range(count)]
    size = vms[0].status.flavor
    assert size is not None
    for target in ("p1-1", "p1-2"):
        sent = sum(entry.target == target for entry in found.migrations)
        assert sent * size.memory_bytes <= seen.ledger.allocatable(target).memory
    assert found.estimate.duration_seconds is not None
    assert found.estimate.duration_seconds.p50 <= found.estimate.duration_seconds.p90


def test_limits_are_the_pools_own() -> None:
    limits = limits_of(pool(migration={"parallelMigrationsPerPool": 7}), 3)
    assert (limits.per_pool, limits.max_concurrent, limits.concurrent) == (7, 3, 3)
    assert limits_of(None).per_pool == 5


def test_a_drain_of_more_vms_than_a_plan_can_list_takes_the_first_of_them() -> None:
    many = [vm(f"m{number}", status=placed("p1-0")) for number in range(MAX_VMS + 3)]
    drain = plan("drain", namespace="drover-system", host_name="p1-0")
    assert len(scope(drain, world_of(pool(), host("p1-0"), *many))) == MAX_VMS


def test_a_quick_plan_tells_the_likely_course_alone() -> None:
    vms = [vm(name, status=placed("p1-0")) for name in "abc"]
    subject = plan(virtual_machines=[{"name": name} for name in "abc"])
    whole, quick = compute(subject, world(*vms)), compute(subject, world(*vms), quick=True)
    assert [move.target for move in quick.migrations] == [move.target for move in whole.migrations]
    band, likely = whole.estimate.duration_seconds, quick.estimate.duration_seconds
    assert band is not None
    assert likely is not None
    assert likely.p90 == pytest.approx(likely.p10, abs=0.2)  # rounded apart
    assert band.p10 is not None
    assert band.p10 < band.p90
    assert likely.p50 == pytest.approx(band.p50, rel=0.2)
