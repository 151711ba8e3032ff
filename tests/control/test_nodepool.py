"""NodePool: hosts made, spread, taken away and counted; readiness, room, deletion."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import (
    HARDWARE,
    NOW,
    assert_settled,
    edited,
    host,
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
from drover.control.nodepool import CONTROLLER, reconcile
from drover.control.outcome import Create, Delete, Outcome, PatchSpec
from drover.control.scaling import SCALED_DOWN

LEAVING = {"mode": "Drain", "reason": SCALED_DOWN}
DOWN = {"observedGeneration": 1, "phase": "Failed", "conditions": []}


def hosts(number: int, **fields: Any) -> list[Host]:
    return [host(f"p1-{index}", **fields) for index in range(number)]


def created(outcome: Outcome) -> list[Host]:
    return [c.resource for c in outcome.children if isinstance(c, Create) and isinstance(c.resource, Host)]


def deleted(outcome: Outcome) -> list[str]:
    return [child.resource.name for child in outcome.children if isinstance(child, Delete)]


def patched(outcome: Outcome) -> dict[str, Any]:
    return {c.resource.name: c.spec["maintenance"] for c in outcome.children if isinstance(c, PatchSpec)}


def down(name: str) -> Host:
    failed = {"type": "Ready", "status": "False", "reason": "HostFailed", "message": ""}
    return host(name, status={"phase": "Failed", "conditions": [failed | {"lastTransitionTime": NOW.isoformat()}]})


# Growing


def test_hosts_are_made_from_the_template_and_owned_by_the_pool() -> None:
    item = pool(replicas=2)
    outcome = reconcile(item, world_of(item), NOW)
    first, second = created(outcome)
    assert (first.name, second.name) == ("p1-0", "p1-1")
    assert first.metadata.labels == {"drover.dev/pool": "p1"}
    assert first.metadata.finalizers == ("drover.dev/protect",)
    (owner,) = first.metadata.owner_references
    assert (owner.kind, owner.uid, owner.controller) == ("NodePool", item.uid, True)
    assert first.spec.hardware == item.spec.template
    assert first.spec.pool_ref.name == "p1"
    assert told(outcome) == ["HostAdded", "HostAdded"]
    assert reasons(outcome)["Ready"] == ("False", "ScalingUp")
    assert reasons(outcome)["Reconciling"] == ("True", "ScalingUp")
    assert outcome.status is not None
    assert outcome.status.phase == "Pending"


def test_a_pool_makes_no_host_before_it_is_protected() -> None:
    item = pool(replicas=2, finalizer=False)
    assert reconcile(item, world_of(item), NOW) == Outcome(protect=True)


def test_names_take_the_lowest_free_index_also_beside_a_host_that_is_going() -> None:
    item = pool(replicas=4)
    world = world_of(item, host("p1-0"), host("p1-3"), host("p1-1", deleting=True))
    assert [made.name for made in created(reconcile(item, world, NOW))] == ["p1-2", "p1-4"]


def test_indexes_are_numbers_not_text() -> None:
    item = pool(replicas=12)
    assert created(reconcile(item, world_of(item, *hosts(12)), NOW)) == []
    item = pool(replicas=11)
    assert list(patched(reconcile(item, world_of(item, *hosts(12)), NOW))) == ["p1-11"]


@given(
    weights=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    replicas=st.integers(0, 40),
    existing=st.integers(0, 40),
)
def test_zones_stay_within_one_host_of_their_share(weights: list[int], replicas: int, existing: int) -> None:
    zones = [{"name": f"z{n}", "weight": weight} for n, weight in enumerate(weights)]
    whole = pool(replicas=min(existing, replicas), failure_domains=zones)
    first = created(reconcile(whole, world_of(whole), NOW))
    grown = pool(replicas=replicas, failure_domains=zones)
    both = [*first, *created(reconcile(grown, world_of(grown, *_observed(first)), NOW))]
    at_once = created(reconcile(grown, world_of(grown), NOW))
    assert [(h.name, h.spec.failure_domain) for h in both] == [(h.name, h.spec.failure_domain) for h in at_once]
    counts = Counter(made.spec.failure_domain for made in both)
    for name, weight in ((zone["name"], zone["weight"]) for zone in zones):
        assert counts[str(name)] < replicas * int(str(weight)) / sum(weights) + len(weights)


def _observed(made: list[Host]) -> list[Host]:
    return [host(item.name, failure_domain=item.spec.failure_domain) for item in made]


def test_equal_zones_differ_by_at_most_one_host() -> None:
    item = pool(replicas=8, failure_domains=[{"name": "a"}, {"name": "b"}, {"name": "c"}])
    counts = Counter(made.spec.failure_domain for made in created(reconcile(item, world_of(item), NOW)))
    assert counts == {"a": 3, "b": 3, "c": 2}


# Shrinking


def test_scaling_down_empties_the_emptiest_hosts_of_the_highest_index() -> None:
    item = pool(replicas=2)
    loaded = [vm("a", status=placed("p1-3")), vm("b", status=placed("p1-1", memory="8Gi"))]
    world = world_of(item, *hosts(4), *loaded)
    outcome = reconcile(item, world, NOW)
    assert patched(outcome) == {"p1-2": LEAVING, "p1-0": LEAVING}
    assert deleted(outcome) == []
    assert reasons(outcome)["Ready"] == ("False", "ScalingDown")


@pytest.mark.parametrize("aside", [{"unschedulable": True}, {"maintenance": {"mode": "Drain"}}])
def test_of_empty_hosts_the_one_that_people_have_set_aside_leaves_first(aside: dict[str, Any]) -> None:
    item = pool(replicas=2)
    world = world_of(item, host("p1-0", **aside), host("p1-1"), host("p1-2"))
    assert list(patched(reconcile(item, world, NOW))) == ["p1-0"]


def test_where_none_is_empty_the_one_with_the_least_memory_leaves() -> None:
    item = pool(replicas=1)
    world = world_of(item, *hosts(2), vm("a", status=placed("p1-0")), vm("b", status=placed("p1-1", memory="8Gi")))
    assert list(patched(reconcile(item, world, NOW))) == ["p1-0"]


def test_a_leaving_host_is_deleted_when_it_is_empty_and_not_before() -> None:
    item = pool(replicas=1)
    resident, leaver = vm("a", status=placed("p1-1")), host("p1-1", maintenance=LEAVING)
    world = world_of(item, host("p1-0"), leaver, resident)
    outcome = reconcile(item, world, NOW)
    assert outcome.children == ()
    assert "1 leaving: p1-1" in message(outcome, "Ready")
    world.gone(resident.key, resident.uid)
    outcome = reconcile(item, world, NOW)
    assert deleted(outcome) == ["p1-1"]
    assert told(outcome) == ["HostRemoved"]


def test_a_migration_on_its_way_keeps_a_leaving_host() -> None:
    item = pool(replicas=1)
    coming = migration(status=moving("p1-1", source="p1-0"))
    world = world_of(item, host("p1-0"), host("p1-1", maintenance=LEAVING), coming)
    assert deleted(reconcile(item, world, NOW)) == []


def test_scaling_up_again_takes_leaving_hosts_back_before_making_new_ones() -> None:
    item = pool(replicas=4)
    leavers = [host(f"p1-{n}", maintenance=LEAVING) for n in (1, 2)]
    outcome = reconcile(item, world_of(item, host("p1-0"), *leavers), NOW)
    stay = {"mode": "None", "reason": None}
    assert patched(outcome) == {"p1-1": stay, "p1-2": stay}
    assert [made.name for made in created(outcome)] == ["p1-3"]
    assert deleted(outcome) == []


def test_a_host_that_people_drain_is_neither_replaced_nor_deleted() -> None:
    item = pool(replicas=2)
    world = world_of(item, host("p1-0"), host("p1-1", maintenance={"mode": "Drain", "reason": "new fans"}))
    assert reconcile(item, world, NOW).children == ()


@given(data=st.data(), present=st.integers(0, 8), replicas=st.integers(0, 8))
def test_whatever_the_load_scaling_ends_with_the_replicas_asked_for_and_loses_no_vm(
    data: st.DataObject, present: int, replicas: int
) -> None:
    item = pool(replicas=replicas)
    loads = data.draw(st.lists(st.integers(0, 2), min_size=present, max_size=present))
    machines = hosts(present)
    vms = [vm(f"{i}-{n}", status=placed(f"p1-{i}")) for i, load in enumerate(loads) for n in range(load)]
    world = world_of(item, *machines, *vms)
    for _ in range(3):
        outcome = reconcile(item, world, NOW)
        for child in outcome.children:
            if isinstance(child, Delete):
                assert world.vms_on.count(child.resource.name) == 0
                world.gone(child.resource.key, child.resource.uid)
            elif isinstance(child, PatchSpec):
                world.observe(edited(child.resource, spec=child.spec))
            else:
                world.observe(host(child.resource.name))
    drained = [vm for name in world.hosts_of_pool["p1"] for vm in world.vms_on[name.name]]
    assert len(drained) == len(vms)
    kept = [h for h in world.hosts_in("p1") if h.spec.maintenance.mode == "None"]
    assert len(kept) == replicas


# Readiness and views


def test_a_pool_whose_hosts_are_ready_is_ready_and_stays_quiet() -> None:
    item = pool(replicas=2)
    world = world_of(item, *hosts(2))
    outcome = reconcile(item, world, NOW)
    assert outcome.status is not None
    assert outcome.status.phase == "Ready"
    assert outcome.status.selector == "drover.dev/pool=p1"
    assert (outcome.status.replicas, outcome.status.ready_replicas) == (2, 2)
    assert reasons(outcome) == {
        "Ready": ("True", "AllHostsReady"),
        "CapacityAvailable": ("True", "Available"),
        "Balanced": ("True", "WithinThreshold"),
    }
    assert outcome.children == ()
    assert_settled(reconcile, item, world, NOW)


def test_a_pool_of_no_hosts_is_ready_and_full() -> None:
    item = pool(replicas=0)
    world = world_of(item)
    outcome = reconcile(item, world, NOW)
    assert reasons(outcome) == {"Ready": ("True", "AllHostsReady"), "CapacityAvailable": ("False", "Full")}
    assert told(outcome) == []
    assert_settled(reconcile, item, world, NOW)


def test_hosts_nobody_has_looked_at_yet_are_coming_not_broken() -> None:
    item = pool(replicas=1)
    outcome = reconcile(item, world_of(item, host("p1-0", status={"observedGeneration": -1})), NOW)
    assert reasons(outcome)["Ready"] == ("False", "ScalingUp")


def test_a_host_that_is_down_degrades_the_pool_and_is_named() -> None:
    item = pool(replicas=2)
    world = world_of(item, host("p1-0"), down("p1-1"))
    outcome = reconcile(item, world, NOW)
    assert outcome.status is not None
    assert outcome.status.phase == "Degraded"
    assert reasons(outcome)["Ready"] == ("False", "HostsNotReady")
    assert "1 of 2 hosts are ready; not ready: p1-1" in message(outcome, "Ready")
    assert outcome.status.ready_replicas == 1
    assert outcome.status.capacity.memory == "128Gi"
    assert outcome.status.allocatable.memory == "65024Mi"
    assert_settled(reconcile, item, world, NOW)


def test_hosts_keep_their_hardware_and_the_pool_says_how_many_differ() -> None:
    item = pool(replicas=2, template=HARDWARE | {"memory": "128Gi"})
    outcome = reconcile(item, world_of(item, host("p1-0"), host("p1-1", hardware=HARDWARE | {"memory": "128Gi"})), NOW)
    assert outcome.children == ()
    assert "1 host made from an earlier template" in message(outcome, "Ready")


def test_utilization_is_allocated_of_allocatable() -> None:
    item = pool(replicas=2)
    loads = [vm("a", status=placed("p1-0", vcpus=32)), vm("b", status=placed("p1-1", vcpus=16, memory="16Gi"))]
    status = reconcile(item, world_of(item, *hosts(2), *loads), NOW).status
    assert status is not None
    assert (status.utilization.cpu_percent, status.utilization.memory_percent) == (37, 15)
    assert (status.allocated.cpu, status.allocated.memory) == ("48", "20Gi")
    assert status.virtual_machines == 2


@pytest.mark.parametrize(
    ("vcpus", "status", "reason", "event"),
    [
        (57, "True", "Available", []),
        (58, "True", "NearlyFull", ["PoolNearlyFull"]),
        (64, "False", "Full", ["PoolNearlyFull"]),
    ],
)
def test_room_is_judged_by_the_resource_used_most(vcpus: int, status: str, reason: str, event: list[str]) -> None:
    item = pool(replicas=1, status={"readyReplicas": 1})
    world = world_of(item, host("p1-0"), vm("a", status=placed(vcpus=vcpus)))
    outcome = reconcile(item, world, NOW)
    assert reasons(outcome)["CapacityAvailable"] == (status, reason)
    assert f"cpu: {vcpus} of 64 allocated" in message(outcome, "CapacityAvailable")
    assert told(outcome) == event
    assert told(reconcile(taken(world, item, outcome), world, NOW)) == []


def test_whole_threads_and_gpus_are_counted_in_a_pools_amounts() -> None:
    gpus = {"gpus": [{"deviceName": "nvidia.com/H100", "count": 4}]}
    item = pool(replicas=2, template=HARDWARE | gpus)
    pinned = placed("p1-0", vcpus=8, memory="8Gi")
    pinned["flavor"] |= {"milliThreads": 8000, "gpus": {"nvidia.com/H100": 3}}
    world = world_of(item, *hosts(2, hardware=HARDWARE | gpus), vm("a", status=pinned))
    status = reconcile(item, world, NOW).status
    assert status is not None
    assert status.capacity.gpus == status.allocatable.gpus == {"nvidia.com/H100": 8}
    assert status.allocated.gpus == {"nvidia.com/H100": 3}
    # 8 of 32 threads are a quarter of the pool, which promises 4 vCPUs for each.
    assert (status.allocated.cpu, status.utilization.cpu_percent) == ("32", 25)


@pytest.mark.parametrize(
    ("loads", "status", "reason", "varies"),
    [
        ([16, 16], "True", "WithinThreshold", "0.0 %"),
        ([16, 19], "True", "WithinThreshold", "8.6 %"),
        ([16, 20], "False", "Imbalanced", "11.1 %"),
        ([0, 16], "False", "Imbalanced", "100.0 %"),
        ([0, 0], "True", "WithinThreshold", "0.0 %"),
    ],
)
def test_balance_is_the_coefficient_of_variation_of_the_hosts_loads(
    loads: list[int], status: str, reason: str, varies: str
) -> None:
    item = pool(replicas=2)
    vms = [vm(f"{n}", status=placed(f"p1-{n}", vcpus=load, memory="1Gi")) for n, load in enumerate(loads) if load]
    world = world_of(item, *hosts(2), *vms)
    outcome = reconcile(item, world, NOW)
    assert reasons(outcome)["Balanced"] == (status, reason)
    assert f"the load of 2 hosts varies by {varies}" in message(outcome, "Balanced")
    assert ("drover rebalance p1" in message(outcome, "Balanced")) == (status == "False")
    assert_settled(reconcile, item, world, NOW)


def test_only_hosts_that_take_vms_are_to_be_balanced_and_only_where_the_pool_is_to_be() -> None:
    load = vm("a", status=placed("p1-0"))
    cordoned = [host("p1-0"), host("p1-1", unschedulable=True)]
    item = pool(replicas=2)
    assert reasons(reconcile(item, world_of(item, *cordoned, load), NOW))["Balanced"] == ("True", "WithinThreshold")
    packed = pool(replicas=2, placement={"strategy": "Pack"})
    assert "Balanced" not in reasons(reconcile(packed, world_of(packed, *hosts(2), load), NOW))


# Deletion


def test_a_pool_with_vms_stays_and_keeps_its_hosts() -> None:
    item = pool(replicas=1, deleting=True)
    world = world_of(item, host("p1-0"), vm("a", status=placed()))
    outcome = reconcile(item, world, NOW)
    assert outcome.children == ()
    assert outcome.status is not None
    assert outcome.status.phase == "Terminating"
    assert reasons(outcome)["Terminating"] == ("True", "InUse")
    assert "1 VM on its hosts: default/a" in message(outcome, "Terminating")
    assert told(outcome) == ["DeletionBlocked"]
    assert_settled(reconcile, item, world, NOW)


def test_an_empty_pool_deletes_its_hosts_first_and_goes_last() -> None:
    item = pool(replicas=3, deleting=True)
    machines = [host("p1-0"), host("p1-1", deleting=True)]
    world = world_of(item, *machines)
    outcome = reconcile(item, world, NOW)
    assert deleted(outcome) == ["p1-0"]
    assert created(outcome) == []
    assert reasons(outcome)["Terminating"] == ("True", "DeletingHosts")
    assert told(outcome) == []
    for machine in machines:
        world.gone(machine.key, machine.uid)
    assert reconcile(item, world, NOW) == Outcome(protect=False)


def test_an_empty_pool_that_a_migration_is_on_its_way_to_waits_for_it() -> None:
    item = pool(replicas=1, deleting=True)
    world = world_of(item, host("p1-0"), migration(status=moving("p1-0", source="p2-0")))
    assert reconcile(item, world, NOW) == Outcome()


# What wakes it


def test_views_of_a_host_do_not_wake_the_pool_but_its_course_does() -> None:
    watch = next(watch for watch in CONTROLLER.watches if watch.kind == "Host")
    world, machine = world_of(), host("p1-0")
    counted = machine.model_copy(update={"status": machine.status.model_copy(update={"virtual_machines": 4})})
    assert watch.affected(machine, counted, world) == []
    assert [key.name for key in watch.affected(machine, down("p1-0"), world)] == ["p1"]
    assert watch.after == 1.0


def test_a_change_in_any_pool_wakes_those_that_hold_capacity_back() -> None:
    holding = pool("p2", admission_control={"policy": "HostFailures"})
    world = world_of(pool(), holding)
    machine, here = host("p1-0"), vm("a", status=placed("p1-0"))
    for kind, before, after in (("Host", None, machine), ("VirtualMachine", here, None)):
        watches = [watch for watch in CONTROLLER.watches if watch.kind == kind]
        keys = {key.name: watch.after for watch in watches for key in watch.affected(before, after, world)}
        assert keys == {"p1": 1.0, "p2": 5.0}


def test_a_migration_wakes_the_pool_of_its_target_when_it_takes_room_and_when_it_gives_it_back() -> None:
    watch = next(watch for watch in CONTROLLER.watches if watch.kind == "VirtualMachineMigration")
    world = world_of(pool(), host("p1-1"))
    queued, copying = migration(status={"phase": "Pending"}), migration(status=moving("p1-1"))
    done = migration(status=moving("p1-1", phase="Succeeded"))
    assert [key.name for key in watch.affected(queued, copying, world)] == ["p1"]
    assert [key.name for key in watch.affected(copying, done, world)] == ["p1"]
    assert watch.affected(copying, migration(status=moving("p1-1", phase="StopAndCopy")), world) == []


def test_a_pool_that_is_being_deleted_takes_no_new_vms() -> None:
    world = world_of(pool(deleting=True), host("p1-0"))
    row = world.ledger.row("p1-0")
    assert row is not None
    assert row.blocked == "being deleted"
