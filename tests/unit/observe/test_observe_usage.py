"""The usage ledger as counters of a page."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from observed_pages import NOW, Scraped, scraped
from observed_worlds import made, vm, world_of

from drover.control.world import World
from drover.observe.families import LEDGER
from drover.observe.state import StatePage

HOUR = 3600
OPEN = {
    "seq": 1,
    "since": "2026-11-21T08:00:00Z",
    "phase": "Running",
    "flavor": "small",
    "vcpus": 2,
    "memoryBytes": 2**30,
    "diskBytes": 2**31,
    "zone": "z1",
}
RUNNING = {"namespace": "team-a", "flavor": "small", "state": "Running"}


def metered(name: str, **open_interval: Any) -> Any:
    return vm(name, "Running", "h1", usage={"open": {**OPEN, **open_interval}})


def provisioned() -> Any:
    charge = {"meter": "volume", "sku": "ssd", "rate": 2**30}
    usage = {"open": {"seq": 1, "since": OPEN["since"], "state": "Provisioned", "charges": [charge]}}
    return made("Volume", "data", {"size": "1Gi", "className": "ssd"}, {"usage": usage}, "team-a")


async def at(now: datetime, world: World) -> Scraped:
    return await scraped(StatePage(world, lambda: now))


async def test_a_vm_that_runs_for_an_hour_counts_its_size_for_an_hour() -> None:
    page = await at(NOW, world_of(metered("a"), metered("b")))
    assert page.value("drover_usage_vcpu_seconds_total", **RUNNING) == 2 * 2 * HOUR
    assert page.value("drover_usage_memory_byte_seconds_total", **RUNNING) == 2 * 2**30 * HOUR
    assert page.value("drover_usage_instance_seconds_total", **RUNNING) == 2 * HOUR


async def test_storage_counts_by_class_with_the_root_disks_of_vms() -> None:
    page = await at(NOW, world_of(metered("a"), provisioned()))
    name = "drover_usage_storage_byte_seconds_total"
    assert page.value(name, namespace="team-a", storage_class="ssd") == 2**30 * HOUR
    assert page.value(name, namespace="team-a", storage_class="root") == 2**31 * HOUR


async def test_counters_go_on_between_scrapes_without_a_change() -> None:
    world = world_of(metered("a"))
    times = iter((NOW, NOW + timedelta(milliseconds=1500)))
    page = StatePage(world, lambda: next(times))
    first, second = [(await scraped(page)).value("drover_usage_instance_seconds_total", **RUNNING) for _ in range(2)]
    assert (first, second) == (HOUR, HOUR + 1.5)


async def test_a_standby_that_takes_over_tells_the_same_at_the_same_moment() -> None:
    world = world_of(metered("a"), metered("b", since="2026-11-21T08:20:00Z"))
    later = NOW + timedelta(minutes=7)
    page = StatePage(world, lambda: later)
    before = [line for line in b"".join(await page.render()).splitlines() if line.startswith(b"drover_usage")]
    after = b"".join(await StatePage(world, lambda: later).render()).splitlines()
    assert before
    assert set(before) <= set(after)


async def test_the_ledger_tells_how_it_is() -> None:
    page = await at(NOW, world_of(metered("a")))
    assert page.value("drover_ledger_watermark_timestamp_seconds") == NOW.timestamp()
    assert page.value("drover_ledger_records", state="open") == 0
    assert {sample.value for sample in page.samples("drover_ledger_discrepancies_total")} == {0}


@pytest.mark.parametrize("family", LEDGER, ids=lambda family: family.name)
async def test_every_sample_of_the_ledger_has_the_labels_of_its_family(family: Any) -> None:
    page = await at(NOW, world_of(metered("a"), provisioned()))
    for sample in page.samples(family.name):
        assert tuple(sample.labels) == family.labels
