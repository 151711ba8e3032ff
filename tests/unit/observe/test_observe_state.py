"""The data centre's state as a scrape sees it."""

from observed_worlds import host, migration, vm, world_of
from prometheus_client.parser import text_string_to_metric_families

from drover.control.world import World
from drover.observe.state import render

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(world: World) -> Series:
    families = text_string_to_metric_families("".join(render(world)))
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(series: Series, name: str, **labels: str) -> float:
    return series[name, frozenset(labels.items())]


def test_a_host_tells_what_it_has_what_it_may_give_and_what_it_has_given() -> None:
    series = scraped(world_of(host("h1"), vm("web", "Running", "h1"), vm("db", "Running", "h1")))
    cpu = {"host": "h1", "resource": "cpu", "unit": "core"}
    memory = {"host": "h1", "resource": "memory", "unit": "byte"}
    assert value(series, "drover_host_capacity", **cpu) == 8
    assert value(series, "drover_host_allocatable", **cpu) == 16
    assert value(series, "drover_host_allocated", **cpu) == 4
    assert value(series, "drover_host_capacity", **memory) == 16 * 2**30
    assert value(series, "drover_host_allocatable", **memory) == 15 * 2**30
    assert value(series, "drover_host_allocated", **memory) == 2 * 2**30
    assert value(series, "drover_host_vms", host="h1") == 2
    assert value(series, "drover_host_info", host="h1", zone="z1", failure_domain="z1") == 1


def test_a_vm_has_one_series_of_its_place_and_one_of_its_present_phase() -> None:
    series = scraped(world_of(vm("web", "Running", "h1")))
    place = {"host": "h1", "zone": "z1", "flavor": "small", "run_strategy": "Always"}
    own = {"namespace": "team-a", "vm": "web", "uid": "uid-web"}
    assert value(series, "drover_vm_info", **own, **place) == 1
    phases = {labels for name, labels in series if name == "drover_vm_status_phase"}
    assert phases == {frozenset({**own, "phase": "Running"}.items())}


def test_vms_are_counted_by_namespace_and_phase_and_new_ones_are_pending() -> None:
    vms = [vm("a", "Running", "h1"), vm("b", "Running", "h1"), vm("c", None), vm("d", "Running", "h1", "team-b")]
    series = scraped(world_of(*vms))
    assert value(series, "drover_vms", namespace="team-a", phase="Running") == 2
    assert value(series, "drover_vms", namespace="team-a", phase="Pending") == 1
    assert value(series, "drover_vms", namespace="team-b", phase="Running") == 1


def test_migrations_are_counted_by_phase() -> None:
    series = scraped(world_of(migration("m1", "PreCopy"), migration("m2", "PreCopy"), migration("m3", "Failed")))
    assert value(series, "drover_migrations", phase="PreCopy", mode="PreCopy") == 2
    assert value(series, "drover_migrations", phase="Failed", mode="PreCopy") == 1


def test_an_empty_world_is_a_valid_page() -> None:
    assert scraped(world_of()) == {}
