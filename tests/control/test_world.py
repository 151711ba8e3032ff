"""The in-memory view: what is newer wins, what was deleted stays deleted, decisions see the write in flight."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from worlds import NOW, edited, host, image, migration, moving, placed, plan, pool, vm, volume, world_of

from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.virtualmachine import VirtualMachine
from drover.control.driver import Boot, Completion, Pace
from drover.control.world import World


def at(resource: AnyResource, version: int, **metadata: Any) -> AnyResource:
    update = {"resource_version": str(version), **metadata}
    return resource.model_copy(update={"metadata": resource.metadata.model_copy(update=update)})


# Observing


def test_a_newer_version_replaces_an_older_one_and_never_the_reverse() -> None:
    world = world_of(at(vm(), 5))
    assert not world.observe(at(vm(paused=True), 4))
    assert not world.observe(at(vm(paused=True), 5))
    assert world.observe(at(vm(paused=True), 6))
    seen = world.get(VirtualMachine, "default", "a")
    assert seen is not None
    assert seen.spec.paused


@given(st.permutations([3, 4, 9, 10, 11]))
def test_versions_in_any_order_end_with_the_newest(versions: list[int]) -> None:
    world = World()
    for version in versions:
        world.observe(at(vm(), version))
    seen = world.confirmed(vm().key)
    assert seen is not None
    assert seen.metadata.resource_version == "11"


def test_a_stale_event_never_brings_a_deleted_object_back() -> None:
    world = world_of(at(vm(), 5))
    assert world.gone(vm().key, vm().uid)
    assert not world.observe(at(vm(), 4))
    assert not world.observe(at(vm(), 7))
    assert world.find(vm().key) is None


def test_an_object_made_anew_under_the_same_name_is_another() -> None:
    world = world_of(at(vm(), 5))
    world.gone(vm().key, vm().uid)
    assert world.observe(at(vm(), 8, uid="second"))
    assert not world.gone(vm().key, vm().uid), "a late deletion of the first says nothing about the second"
    assert world.find(vm().key) is not None


def test_an_object_replaced_by_a_namesake_stays_deleted_after_that_ones_deletion_too() -> None:
    world = world_of(at(vm(), 5))
    world.observe(at(vm(), 8, uid="second"))
    world.gone(vm().key, "second")
    assert not world.observe(at(vm(), 5))
    assert world.find(vm().key) is None


def test_an_assumption_about_the_first_does_not_survive_into_its_namesake() -> None:
    world = world_of(host(), at(vm(), 5))
    world.assume(at(vm(status=placed()), 5))
    world.observe(at(vm(), 8, uid="second"))
    assert world.find(vm().key) is world.confirmed(vm().key)
    assert world.vms_on["p1-0"] == []


def test_what_is_gone_already_cannot_go_again() -> None:
    world = world_of(vm())
    assert world.gone(vm().key, "")
    assert not world.gone(vm().key, "")


# Assuming


def test_decisions_see_the_write_in_flight_and_confirmed_sees_it_only_once_answered() -> None:
    world = world_of(vm())
    world.assume(vm(status=placed("p1-0")))
    seen, confirmed = world.find(vm().key), world.confirmed(vm().key)
    assert seen is not None
    assert confirmed is not None
    assert (seen.status.host_name, confirmed.status.host_name) == ("p1-0", None)
    world.settle(vm().key)
    assert world.find(vm().key) == confirmed
    assert world.find(vm().key) is world.confirmed(vm().key)


def test_indexes_follow_what_decisions_see() -> None:
    world = world_of(vm(status=placed("p1-0")))
    assert world.vms_on["p1-0"] == [vm().key]
    world.assume(vm(status=placed("p1-1")))
    assert (world.vms_on["p1-0"], world.vms_on["p1-1"]) == ([], [vm().key])
    world.settle(vm().key)
    assert (world.vms_on["p1-0"], world.vms_on["p1-1"]) == ([vm().key], [])
    world.gone(vm().key, vm().uid)
    assert world.vms_on.count("p1-0") == 0


def test_listeners_are_told_what_decisions_saw_before_and_see_now() -> None:
    world, told = World(), []
    world.subscribe(lambda before, after: told.append((before, after)))
    first, second = vm(), edited(vm(), spec={"paused": True})
    assumed = vm(status=placed())
    world.observe(first)
    world.assume(assumed)
    world.settle(first.key)
    world.observe(second)
    world.observe(first)
    world.gone(first.key, first.uid)
    assert told == [(None, first), (first, assumed), (assumed, first), (first, second), (second, None)]


def test_once_a_write_is_answered_listeners_are_told_what_it_changed_for_good() -> None:
    before, assumed, written = vm(), vm(status=placed()), at(vm(status=placed()), 2)
    world, told = world_of(before), []
    world.assume(assumed)
    world.observe(written)
    world.subscribe(lambda old, new: told.append((old, new)))
    world.settle(before.key)
    assert (before, written) in told
    world.assume(vm(paused=True))
    told.clear()
    world.settle(before.key)
    assert told == [(vm(paused=True), written)], "a refused write changed nothing for good"


def test_settling_what_is_not_in_flight_tells_nobody() -> None:
    world, told = world_of(vm()), []
    world.subscribe(lambda before, after: told.append((before, after)))
    world.settle(vm().key)
    assert told == []


# Looking up


def test_every_index_is_kept_up() -> None:
    data = {"name": "data", "volume_ref": {"name": "data"}}
    nic = {"name": "eth0", "network_ref": {"name": "net"}}
    drain = plan("drain", namespace="drover-system", host_name="p1-0")
    waiting, copying = migration("a-1"), migration("a-2", status=moving("p1-1"))
    planned = migration("a-3", plan_name="drain", plan_namespace="drover-system")
    over = migration("a-4", status=moving("p1-1", phase="Failed"))
    template = volume("from-image", source={"type": "Image", "ref": {"name": "debian"}})
    a, b = vm("a", status=placed("p1-0")), vm("b", volumes=[data], networks=[nic], status={"phase": "Pending"})
    world = world_of(pool(), host("p1-0"), a, b, drain, waiting, copying, planned, over, template)
    assert world.vms_on["p1-0"] == [a.key]
    assert world.vms_of_flavor["small"] == [a.key, b.key]
    assert world.vms_of_image[image().key] == [a.key, b.key]
    assert world.vms_of_network[Key("Network", "default", "net")] == [b.key]
    assert world.vms_of_volume[Key("Volume", "default", "data")] == [b.key]
    assert world.vms_unplaced["Pending"] == [b.key]
    assert world.volumes_of_image[image().key] == [template.key]
    assert world.hosts_of_pool["p1"] == [host("p1-0").key]
    assert world.migrations_of_vm[a.key] == [waiting.key, copying.key, planned.key, over.key]
    assert world.migrations_of_plan[drain.key] == [planned.key]
    assert world.active_migrations[True] == [waiting.key, copying.key, planned.key]
    assert world.moving_migrations[True] == [copying.key]
    assert world.plans_of_host["p1-0"] == [drain.key]


def test_the_migration_of_a_vm_is_the_one_that_holds_a_target_for_that_very_vm() -> None:
    a = vm(status=placed("p1-0"))
    world = world_of(a, migration("a-1"), migration("a-2", status=moving("p1-1")))
    found = world.migration_of(a)
    assert found is not None
    assert found.name == "a-2"
    anew = at(a, 9, uid="second")
    assert isinstance(anew, VirtualMachine)
    assert world.migration_of(anew) is None


def test_listing_sees_what_is_assumed_and_survives_changes_while_it_goes_on() -> None:
    world = world_of(host("p1-0"), host("p1-1"))
    world.assume(host("p1-0", unschedulable=True))
    cordoned = []
    for found in world.all(Host):
        cordoned += [found.name] * found.spec.unschedulable
        world.gone(host("p1-9").key, "")
    assert cordoned == ["p1-0"]
    assert (world.count("Host"), world.keys("Host")) == (2, [host("p1-0").key, host("p1-1").key])


def test_pace_is_the_pools_own_or_for_work_of_no_pool_the_fastest_or_real_time() -> None:
    slow, fast = pool("slow", driver={"seed": 1}), pool("fast", driver={"seed": 2, "timeScale": "60"})
    world = world_of(slow, fast)
    assert world.pace("slow") == Pace(1, 1.0)
    assert world.pace("fast") == Pace(2, 60.0)
    assert world.pace() == Pace(2, 60.0)
    assert World().pace() == Pace(0, 1.0)


def test_completions_are_known_until_they_are_dropped() -> None:
    world, boot = World(), Boot("u", 1, NOW, Pace())
    world.complete(Completion(boot, NOW))
    assert world.completion(boot) == Completion(boot, NOW)
    world.drop_completion(boot)
    assert world.completion(boot) is None
