"""The data centre's state as a scrape sees it."""

import pytest
from observed_pages import NOW, Scraped, scraped, state_of
from observed_worlds import flavor, host, migration, pool, vm, volume, world_of

from drover.observe.families import LEDGER, STATE
from drover.observe.state import StatePage

WEB = {"namespace": "team-a", "vm": "web", "uid": "uid-web"}


async def test_a_host_tells_what_it_has_what_it_may_give_and_what_it_has_given() -> None:
    page = await state_of(world_of(host("h1"), vm("web", "Running", "h1"), vm("db", "Running", "h1")))
    cpu = {"host": "h1", "resource": "cpu", "unit": "core"}
    memory = {"host": "h1", "resource": "memory", "unit": "byte"}
    assert page.value("drover_host_capacity", **cpu) == 8
    assert page.value("drover_host_allocatable", **cpu) == 16
    assert page.value("drover_host_allocated", **cpu) == 4
    assert page.value("drover_host_capacity", **memory) == 16 * 2**30
    assert page.value("drover_host_allocatable", **memory) == 15 * 2**30
    assert page.value("drover_host_allocated", **memory) == 2 * 2**30
    assert page.value("drover_host_overcommit_ratio", host="h1", resource="cpu") == 2
    assert page.value("drover_host_vms", host="h1") == 2
    assert [sample.labels["zone"] for sample in page.samples("drover_host_info")] == ["z1"]


async def test_each_condition_of_a_host_is_told_by_its_three_values() -> None:
    page = await state_of(world_of(host("h1", ready="Unknown")))
    told = {
        sample.labels["status"]: sample.value
        for sample in page.samples("drover_host_status_condition")
        if sample.labels["condition"] == "Ready"
    }
    assert told == {"true": 0, "false": 0, "unknown": 1}


async def test_a_vm_tells_its_place_its_size_and_when_it_changed() -> None:
    page = await state_of(world_of(vm("web", "Running", "h1"), volume("data", "ssd", "10Gi"), vm("db", "Stopped")))
    place = {"host": "h1", "zone": "z1", "flavor": "small", "run_strategy": "Always"}
    assert page.value("drover_vm_info", **WEB, **place) == 1
    assert page.value("drover_vm_vcpus", **WEB) == 2
    assert page.value("drover_vm_memory_bytes", **WEB) == 2**30
    assert page.value("drover_vm_storage_bytes", **WEB, storage_class="root") == 2**31
    assert page.value("drover_vm_storage_bytes", **WEB, storage_class="ssd") == 10 * 2**30
    assert page.value("drover_vm_created_timestamp_seconds", **WEB) == 1795248000
    assert page.value("drover_vm_phase_transition_timestamp_seconds", **WEB) == 1795248060
    assert page.value("drover_vm_vcpus", namespace="team-a", vm="db", uid="uid-db") == 0


@pytest.mark.parametrize(("detail", "phases"), [("off", 0), ("info", 1), ("full", 14)])
async def test_detail_says_how_many_phases_of_a_vm_are_told(detail: str, phases: int) -> None:
    page = await state_of(world_of(vm("web", "Running", "h1")), detail)  # type: ignore[arg-type]
    told = page.samples("drover_vm_status_phase")
    assert len(told) == phases
    assert [sample.labels["phase"] for sample in told if sample.value] == ["Running"] * bool(phases)
    assert len(page.samples("drover_vm_vcpus")) == bool(phases)
    assert page.value("drover_vms", namespace="team-a", phase="Running") == 1


async def test_vms_are_counted_by_namespace_and_phase_and_new_ones_are_pending() -> None:
    vms = [vm("a", "Running", "h1"), vm("b", "Running", "h1"), vm("c", None), vm("d", "Running", "h1", "team-b")]
    page = await state_of(world_of(*vms))
    assert page.value("drover_vms", namespace="team-a", phase="Running") == 2
    assert page.value("drover_vms", namespace="team-a", phase="Pending") == 1
    assert page.value("drover_vms", namespace="team-b", phase="Running") == 1


async def test_waiting_vms_are_counted_by_what_they_wait_for() -> None:
    waiting = [vm("a", None), vm("b", "Pending"), vm("c", "Provisioning"), vm("d", "Unschedulable")]
    page = await state_of(world_of(*waiting, vm("e", "Running", "h1"), vm("f", "Stopped")))
    told = {sample.labels["queue"]: sample.value for sample in page.samples("drover_scheduler_pending_vms")}
    assert told == {"active": 1, "backoff": 0, "unschedulable": 1, "gated": 2}


async def test_migrations_are_counted_by_phase_and_by_how_they_copy() -> None:
    post_copy = migration("m3", "Activation", phaseTransitions=[{"phase": "PostCopy", "at": "2026-11-21T08:00:00Z"}])
    page = await state_of(world_of(migration("m1", "PreCopy"), migration("m2", "PreCopy"), post_copy))
    assert page.value("drover_migrations", phase="PreCopy", mode="PreCopy") == 2
    assert page.value("drover_migrations", phase="Activation", mode="PostCopy") == 1


async def test_a_pool_tells_its_largest_gap_and_how_many_vms_of_each_flavor_fit() -> None:
    world = world_of(pool("p"), flavor("small"), host("h1"), host("h2"), vm("web", "Running", "h1"))
    page = await state_of(world)
    assert page.value("drover_pool_largest_free_slot", pool="p", resource="cpu", unit="core") == 16
    assert page.value("drover_pool_largest_free_slot", pool="p", resource="memory", unit="byte") == 15 * 2**30
    # 2 vCPUs and 1Gi each: 8 on the empty host, 7 beside the VM.
    assert page.value("drover_pool_placeable_vms", pool="p", flavor="small") == 15


async def test_a_pool_without_a_host_to_place_on_has_no_gap() -> None:
    page = await state_of(world_of(pool("p"), host("h1", ready="False")))
    assert page.value("drover_pool_largest_free_slot", pool="p", resource="cpu", unit="core") == 0


async def test_only_what_the_api_server_has_confirmed_is_counted() -> None:
    world = world_of(host("h1"), vm("web", "Pending"))
    page = StatePage(world, lambda: NOW)
    started = vm("web", "Starting", "h1")
    world.assume(started)
    before = await scraped(page)
    assert before.value("drover_vms", namespace="team-a", phase="Pending") == 1
    assert before.value("drover_vms", namespace="team-a", phase="Starting") is None
    assert before.value("drover_host_vms", host="h1") == 0
    # What the write would take is the host's no more: that is the ledger.
    assert before.value("drover_host_allocated", host="h1", resource="cpu", unit="core") == 2
    world.observe(started)
    world.settle(started.key)
    after = await scraped(page)
    assert after.value("drover_vms", namespace="team-a", phase="Pending") is None
    assert after.value("drover_vms", namespace="team-a", phase="Starting") == 1
    assert after.value("drover_host_vms", host="h1") == 1


async def test_what_a_label_holds_cannot_break_the_page() -> None:
    page = await state_of(world_of(host("h1", model='a "b" \\ c')))
    assert [sample.labels["cpu_model"] for sample in page.samples("drover_host_info")] == ['a "b" \\ c']


def _shape(page: Scraped) -> dict[str, str]:
    return {name: family.type for name, family in page.families.items()}


async def test_every_family_of_the_registry_is_on_the_page_and_no_other() -> None:
    registered = {family.name.removesuffix("_total"): family.type for family in (*STATE, *LEDGER)}
    assert _shape(await state_of(world_of())) == registered


async def test_every_sample_has_the_labels_of_its_family() -> None:
    world = world_of(
        *(pool("p"), flavor("small"), host("h1"), vm("web", "Running", "h1"), vm("db", "Pending")),
        *(volume("data", "ssd", "10Gi"), migration("m1", "PreCopy")),
    )
    page = await state_of(world, "full")
    for family in STATE:
        assert page.samples(family.name), family.name
        for sample in page.samples(family.name):
            assert tuple(sample.labels) == family.labels


async def test_the_page_counts_its_own_series() -> None:
    page = await state_of(world_of(host("h1"), vm("web", "Running", "h1"), vm("db", "Pending")))
    for family in (*STATE, *LEDGER):
        if family.name != "drover_metrics_series":
            assert page.value("drover_metrics_series", family=family.name) == len(page.samples(family.name))
