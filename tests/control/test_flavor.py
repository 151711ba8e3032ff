"""Flavor: lifecycle states, the count of its VMs, how many more fit, deletion."""

from __future__ import annotations

from typing import Any

import pytest
from checked import reconciled
from worlds import (
    HARDWARE,
    NOW,
    assert_settled,
    edited,
    flavor,
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

from drover.api.flavor import Flavor, FlavorCapacity
from drover.api.meta import AnyResource
from drover.control.capacity import REFRESH
from drover.control.flavor import CONTROLLER, reconcile
from drover.control.outcome import Outcome
from drover.control.world import World


@pytest.mark.parametrize(
    ("state", "reason", "event"),
    [
        ("Active", "Available", None),
        ("Deprecated", "Deprecated", "FlavorDeprecated"),
        ("Obsolete", "Obsolete", "FlavorObsolete"),
    ],
)
def test_every_declared_state_is_ready_with_its_own_reason(state: str, reason: str, event: str | None) -> None:
    size = flavor(lifecycle={"state": state, "replacement_ref": {"name": "medium"}})
    world = world_of(size)
    outcome = reconcile(size, world, NOW)
    assert outcome.status is not None
    assert outcome.status.phase == state
    assert reasons(outcome) == {"Ready": ("True", reason)}
    assert told(outcome) == ([event] if event else [])
    assert (event is None) or "medium" in message(outcome, "Ready")
    assert_settled(reconcile, size, world, NOW)


def test_instances_counts_the_vms_that_name_it() -> None:
    size = flavor()
    other = vm("c", flavor_ref={"name": "large"})
    outcome = reconcile(size, world_of(size, vm("a"), vm("b"), other), NOW)
    assert outcome.status is not None
    assert outcome.status.instances == 2


def test_a_new_flavor_is_protected_before_anything_else() -> None:
    size = flavor(finalizer=False)
    assert reconcile(size, world_of(size), NOW) == Outcome(protect=True)


def test_a_flavor_in_use_stays_and_says_who_uses_it_once() -> None:
    size = flavor(deleting=True)
    world = world_of(size, vm("a"))
    outcome = reconcile(size, world, NOW)
    assert outcome.protect is None
    assert outcome.status is not None
    assert outcome.status.phase == "Terminating"
    assert reasons(outcome) == {"Ready": ("True", "Available"), "Terminating": ("True", "InUse")}
    assert "default/a" in message(outcome, "Terminating")
    assert told(outcome) == ["DeletionBlocked"]
    assert told(reconcile(taken(world, size, outcome), world, NOW)) == []


def test_a_message_names_five_users_and_counts_the_rest() -> None:
    size = flavor(deleting=True)
    outcome = reconcile(size, world_of(size, *(vm(f"vm-{n}") for n in range(8))), NOW)
    assert "8 VMs" in message(outcome, "Terminating")
    assert "default/vm-4 and 3 more" in message(outcome, "Terminating")


def test_an_unused_flavor_goes() -> None:
    size = flavor(deleting=True)
    assert reconcile(size, world_of(size), NOW) == Outcome(protect=False)


# How many more fit


def counted(outcome: Outcome) -> FlavorCapacity:
    assert outcome.status is not None
    found = getattr(outcome.status, "capacity", None)
    assert isinstance(found, FlavorCapacity)
    return found


def numbers(outcome: Outcome) -> tuple[int, int, str | None]:
    found = counted(outcome)
    return found.placeable, found.placeable_after_host_failure, found.limiting_resource


def load(host: str, *gib: int) -> list[AnyResource]:
    """VMs of so many GiB on a host, restarted elsewhere when it fails."""
    return [vm(f"{host}-{n}", status=placed(host, memory=f"{size}Gi")) for n, size in enumerate(gib)]


def large(**fields: Any) -> Flavor:
    """15.5 GiB: four fit on an empty host."""
    return flavor(memory={"guest": "15872Mi"}, **fields)


@pytest.mark.parametrize(
    ("hosts", "loads", "expected"),
    [
        (2, [], (8, 4, "memory")),
        (2, [("p1-0", 40)], (5, 1, "memory")),  # its 40 GiB leave room for one on the other
        (3, [("p1-0", 40), ("p1-1", 40)], (6, 2, "memory")),
        (3, [("p1-0", 20, 20), ("p1-1", 40)], (6, 2, "memory")),
    ],
)
def test_capacity_counts_what_fits_now_and_what_fits_after_the_loss_of_a_host(
    hosts: int, loads: list[tuple[Any, ...]], expected: tuple[int, int, str]
) -> None:
    size = large()
    machines = [host(f"p1-{n}") for n in range(hosts)]
    residents = [one for name, *gib in loads for one in load(name, *gib)]
    outcome = reconciled(reconcile, size, world_of(pool(), size, *machines, *residents))
    assert numbers(outcome) == expected
    assert counted(outcome).computed_at == NOW
    assert reasons(outcome)["Placeable"] == ("True", "CapacityAvailable")
    told_ = f"{expected[0]} more fit now, {expected[1]} after the loss of any one host; memory runs out first"
    assert message(outcome, "Placeable") == told_


def test_what_would_not_survive_the_loss_of_a_host_is_told_with_who_would_be_homeless() -> None:
    size = large()
    one = reconciled(reconcile, size, world_of(pool(), size, host()))
    assert numbers(one) == (4, 0, "memory")
    assert reasons(one)["Placeable"] == ("True", "OnlyWithoutFailover")
    assert message(one, "Placeable") == "4 more fit now, none after the loss of p1-0"
    crowded = world_of(pool(), size, host("p1-0"), host("p1-1"), *load("p1-0", 20, 20), *load("p1-1", 40))
    two = reconciled(reconcile, size, crowded)
    assert numbers(two) == (2, 0, "memory")
    assert message(two, "Placeable").endswith(", whose 1 VM would find no other host")


def test_vms_that_are_not_restarted_need_no_room_elsewhere() -> None:
    size, off = large(), {"enabled": False}
    machines = [host("p1-0"), host("p1-1")]
    staying = vm("a", status=placed("p1-0", memory="40Gi"), high_availability=off)
    assert numbers(reconcile(size, world_of(pool(), size, *machines, staying), NOW)) == (5, 1, "memory")
    other = vm("b", status=placed("p1-1", memory="40Gi"), high_availability=off)
    assert numbers(reconcile(size, world_of(pool(), size, *machines, staying, other), NOW)) == (2, 1, "memory")


GPU = {"name": "a", "deviceName": "nvidia.com/H100"}
WITH_GPUS = HARDWARE | {"gpus": [{"deviceName": "nvidia.com/H100", "count": 4}]}


@pytest.mark.parametrize(
    ("fields", "hardware", "reason", "why"),
    [
        ({"memory": {"guest": "80Gi"}}, {}, "NoCapacity", "1 physically too small; each takes 80Gi of memory"),
        ({"cpu": {"guest": 2}, "memory": {"guest": "32Gi"}}, {}, "NoCapacity", "32Gi of memory"),
        ({"cpu": {"guest": 64, "allocationRatio": "2.0"}}, {}, "NoCapacity", "64 vCPUs"),
        ({"root_disk": {"size": "2Ti"}}, {}, "NoCapacity", "2Ti of disk"),
        ({"network": {"bandwidth": "2500M"}}, {}, "NoCapacity", "of network bandwidth"),
        ({"gpus": [GPU | {"count": 2}]}, {}, "NoCapacity", "1 insufficient GPU nvidia.com/H100; each takes 2 nvidia"),
        ({"traits": {"required": ["HW_SSD"]}}, {}, "NoHostWithTraits", "lacking trait HW_SSD"),
        ({"cpu": {"guest": 2, "model": "EPYC-Milan"}}, {}, "NoHostWithTraits", "unable to provide CPU model EPYC"),
        ({"node_selector": {"disk": "ssd"}}, {}, "NoCapacity", "1 node selector does not match"),
        ({}, {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}, "NoCapacity", "with taint gpu:NoSchedule"),
    ],
)
def test_where_none_fits_the_condition_says_why_with_numbers(
    fields: dict[str, Any], hardware: dict[str, Any], reason: str, why: str
) -> None:
    size = flavor(**fields)
    full = load("p1-0", 40)
    outcome = reconciled(reconcile, size, world_of(pool(), size, host(hardware=HARDWARE | hardware), *full))
    assert numbers(outcome)[:2] == (0, 0)
    assert reasons(outcome)["Placeable"] == ("False", reason)
    assert message(outcome, "Placeable").startswith("0/1 hosts available: 1 ")
    assert why in message(outcome, "Placeable")


def test_a_flavor_finds_room_where_it_tolerates_has_traits_and_gets_its_devices() -> None:
    taint = {"key": "gpu", "effect": "NoSchedule"}
    size = flavor(
        gpus=[GPU],
        tolerations=[{"key": "gpu", "operator": "Exists"}],
        traits={"required": ["HW_NVLINK"]},
        node_selector={"class": "gpu"},
        cpu={"guest": 2, "numaNodes": 1},
    )
    special = WITH_GPUS | {"taints": [taint], "traits": ["HW_NVLINK"], "labels": {"class": "gpu"}}
    machines = [host("p1-0"), host("p1-1", hardware=WITH_GPUS), host("p1-2", hardware=special)]
    assert numbers(reconcile(size, world_of(pool(), size, *machines), NOW)) == (4, 0, "nvidia.com/H100")


def test_room_that_is_held_back_for_failover_is_not_offered() -> None:
    size = large()
    holding = pool(admission_control={"policy": "HostFailures"})
    machines = [host("p1-0"), host("p1-1")]
    some = reconcile(size, world_of(holding, size, *machines), NOW)
    assert numbers(some) == (4, 4, "memory")
    none = reconciled(reconcile, size, world_of(holding, size, *machines, *load("p1-0", 40), *load("p1-1", 16)))
    assert numbers(none) == (0, 0, "memory")
    assert reasons(none)["Placeable"] == ("False", "OnlyWithoutFailover")
    assert "2 held back for failover (1 host failure)" in message(none, "Placeable")
    assert "spec.admissionControl" in message(none, "Placeable")


def test_nothing_is_counted_before_there_is_a_host_or_once_no_vm_may_ask() -> None:
    size = flavor()
    coming = host(status={"observedGeneration": -1})
    for world, item in (
        (world_of(pool(), size), size),
        (world_of(pool(), size, coming), size),
        (world_of(pool(), host()), flavor(lifecycle={"state": "Obsolete"})),
    ):
        outcome = reconciled(reconcile, item, world)
        assert set(reasons(outcome)) == {"Ready"}
        assert getattr(outcome.status, "capacity", None) is None


def test_hosts_that_went_away_leave_nothing_to_place_on() -> None:
    size = large()
    machine = host()
    world = world_of(pool(), size, machine)
    size = taken(world, size, reconcile(size, world, NOW))
    world.gone(machine.key, machine.uid)
    outcome = reconciled(reconcile, size, world)
    assert numbers(outcome) == (0, 0, None)
    assert message(outcome, "Placeable") == "0/0 hosts available: there are no hosts"


def test_exhaustion_and_its_end_are_told_once_each() -> None:
    size, machine = large(), host()
    world = world_of(pool(), size, machine)
    first = reconcile(size, world, NOW)
    assert told(first) == []
    size = taken(world, size, first)
    (filler,) = load("p1-0", 60)
    world.observe(filler)
    full = reconciled(reconcile, size, world)
    assert [(event.reason, event.type) for event in full.events] == [("CapacityExhausted", "Warning")]
    size = taken(world, size, full)
    assert told(reconcile(size, world, NOW)) == []
    world.gone(filler.key, filler.uid)
    again = reconcile(size, world, NOW)
    assert [(event.reason, event.type) for event in again.events] == [("CapacityRestored", "Normal")]


def test_hosts_that_are_cordoned_or_come_later_exhaust_and_restore_nothing() -> None:
    size, machine = large(), host(unschedulable=True)
    world = world_of(pool(), size, machine, host("p1-1", hardware=HARDWARE | {"memory": "8Gi"}, unschedulable=True))
    world.observe(edited(machine, spec={"unschedulable": False}))
    size = taken(world, size, reconcile(size, world, NOW))
    world.observe(edited(machine, spec={"unschedulable": True}, resourceVersion="3"))
    closed = reconciled(reconcile, size, world)
    assert reasons(closed)["Placeable"] == ("False", "NoCapacity")
    assert numbers(closed) == (0, 0, None)
    assert told(closed) == []
    size = taken(world, size, closed)
    world.observe(edited(machine, spec={"unschedulable": False}, resourceVersion="4"))
    opened = reconcile(size, world, NOW)
    assert reasons(opened)["Placeable"][0] == "True"
    assert told(opened) == []


# What is worth a write


def counted_before() -> tuple[World, Flavor]:
    """40 fit, by vCPUs, and that has been told."""
    size = flavor(cpu={"guest": 16}, memory={"guest": "1Gi"})
    world = world_of(pool(), size, *(host(f"p1-{n}") for n in range(10)))
    outcome = reconcile(size, world, NOW)
    assert numbers(outcome)[:2] == (40, 36)
    return world, taken(world, size, outcome)


def take(world: World, number: int) -> None:
    """Room for so many is taken by VMs of another flavor."""
    for n in range(number):
        status = placed(f"p1-{n}", vcpus=16, memory="1Gi", flavor="other")
        world.observe(vm(f"vm-{n}", flavor_ref={"name": "other"}, status=status))


@pytest.mark.parametrize(
    ("taken_", "seconds", "placeable"),
    [
        (0, 700.0, 40),
        (1, 10.0, 40),  # a little, told a while after the last time
        (3, 10.0, 40),
        (3, 300.0, 37),
        (3, 299.0, 40),
        (5, 10.0, 35),  # more than a tenth
    ],
)
def test_a_small_change_is_told_seldom_and_a_large_one_at_once(taken_: int, seconds: float, placeable: int) -> None:
    world, size = counted_before()
    take(world, taken_)
    outcome = reconcile(size, world, later(seconds))
    assert counted(outcome).placeable == placeable
    assert (outcome.status == size.status) == (placeable == 40)
    assert counted(outcome).computed_at == (NOW if placeable == 40 else later(seconds))
    assert outcome.requeue_at == (NOW + REFRESH if 40 - taken_ < placeable else None)


def test_a_small_change_goes_along_with_another_and_with_the_first_that_does_not_fit_any_more() -> None:
    world, size = counted_before()
    take(world, 1)
    world.observe(vm("mine"))
    assert counted(reconcile(size, world, later(10.0))).placeable == 39
    world.gone(vm("mine").key, vm("mine").uid)
    assert counted(reconcile(size, world, later(10.0))).placeable == 40
    renewed = edited(size, spec={"lifecycle": {"state": "Deprecated"}})
    assert counted(reconcile(renewed, world, later(10.0))).placeable == 39
    small = flavor("last")
    world = world_of(pool(), small, host(), *load("p1-0", 54))
    small = taken(world, small, reconcile(small, world, NOW))
    assert reasons(reconcile(small, world, NOW))["Placeable"] == ("True", "OnlyWithoutFailover")
    world.observe(vm("filler", flavor_ref={"name": "other"}, status=placed(memory="8Gi")))
    assert reasons(reconcile(small, world, later(10.0)))["Placeable"] == ("False", "NoCapacity")


# What wakes it


def woken(kind: str, before: AnyResource | None, after: AnyResource | None, world: World) -> dict[str, float]:
    """The flavors a change wakes, with the seconds until then."""
    found: dict[str, float] = {}
    for watch in CONTROLLER.watches:
        for key in watch.affected(before, after, world) if watch.kind == kind else ():
            found[key.name] = min(found.get(key.name, watch.after), watch.after)
    return found


def test_a_vm_wakes_its_flavor_soon_and_the_first_and_last_of_it_at_once() -> None:
    known = {"instances": 3}
    world = world_of(flavor("small", status=known), flavor("large", status=known), flavor("new"))
    before, after = vm("a"), vm("a", flavor_ref={"name": "large"})
    assert woken("VirtualMachine", before, after, world) == {"large": 5.0, "small": 5.0}
    assert woken("VirtualMachine", before, vm("a", paused=True), world) == {}
    assert woken("VirtualMachine", None, before, world) == {"small": 5.0}
    assert woken("VirtualMachine", None, vm("a", flavor_ref={"name": "new"}), world) == {"new": 1.0}
    leaving = world_of(flavor("small", status=known, deleting=True))
    assert woken("VirtualMachine", before, None, leaving) == {"small": 1.0}


def test_every_flavor_is_counted_anew_when_room_is_taken_or_comes_free() -> None:
    world = world_of(flavor("small", status={"instances": 3}), flavor("large"))
    everyone = {"small": 10.0, "large": 10.0}
    here, there = vm("a", status=placed("p1-0")), vm("a", status=placed("p1-1"))
    assert woken("VirtualMachine", vm("a"), here, world) == everyone
    assert woken("VirtualMachine", here, there, world) == everyone
    assert woken("VirtualMachine", here, None, world) == everyone | {"small": 5.0}
    assert woken("VirtualMachine", here, vm("a", paused=True, status=placed("p1-0")), world) == {}
    pending, copying = migration(status={"phase": "Pending"}), migration(status=moving("p1-1"))
    assert woken("VirtualMachineMigration", pending, copying, world) == everyone
    assert woken("VirtualMachineMigration", None, pending, world) == {}


def test_every_flavor_is_counted_anew_when_a_host_or_the_rules_of_a_pool_change() -> None:
    world = world_of(flavor("small"), flavor("large"))
    everyone = {"small": 5.0, "large": 5.0}
    machine, hosts = host(), pool()
    assert woken("Host", None, machine, world) == everyone
    assert woken("Host", machine, edited(machine, spec={"unschedulable": True}), world) == everyone
    assert woken("Host", machine, edited(machine), world) == {}
    held = edited(hosts, spec={"admissionControl": {"policy": "HostFailures"}})
    assert woken("NodePool", hosts, held, world) == everyone
    assert woken("NodePool", hosts, edited(hosts), world) == {}
