"""The process's own page: every family of the registry, and what is measured around a reconcile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from observed_pages import process_of
from observed_worlds import host, vm, world_of

from drover.control.outcome import Controller, Outcome
from drover.control.world import World
from drover.observe.families import PROCESS
from drover.observe.instrument import Instruments
from drover.observe.metrics import Metrics
from drover.observe.workqueue import WorkQueue

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def measured(metrics: Metrics, controller: Controller) -> Controller:
    return Instruments(metrics, WorkQueue(metrics)).around(controller)


def broken(resource: Any, world: World, now: datetime) -> Outcome:
    raise ValueError(resource.name, world, now)


@pytest.mark.parametrize(
    ("outcome", "result"),
    [(Outcome(), "success"), (Outcome(requeue_at=NOW + timedelta(seconds=5)), "requeue")],
)
def test_a_reconcile_counts_by_what_it_asks_for(outcome: Outcome, result: str) -> None:
    metrics = Metrics()
    controller = measured(metrics, Controller("Host", lambda _, __, ___: outcome))
    assert controller.reconcile(host("h1"), world_of(), NOW) is outcome
    page = process_of(metrics)
    assert page.value("drover_reconcile_total", controller="Host", result=result) == 1
    assert page.value("drover_reconcile_duration_seconds_count", controller="Host") == 1
    assert page.value("workqueue_work_duration_seconds_count", name="drover") == 1
    assert page.value("workqueue_unfinished_work_seconds", name="drover") == 0


def test_a_reconcile_that_raises_counts_as_an_error_and_still_raises() -> None:
    metrics = Metrics()
    controller = measured(metrics, Controller("VirtualMachine", broken))
    with pytest.raises(ValueError, match="web"):
        controller.reconcile(vm("web", None), world_of(), NOW)
    page = process_of(metrics)
    assert page.value("drover_reconcile_total", controller="VirtualMachine", result="error") == 1
    assert page.value("drover_scheduler_attempts_total", profile="", result="error") == 1


def test_a_measured_controller_keeps_everything_else() -> None:
    controller = Controller("VirtualMachine", lambda _, __, ___: Outcome())
    assert replace(measured(Metrics(), controller), reconcile=controller.reconcile) == controller


def test_every_family_of_the_registry_is_on_the_page_with_its_type_and_its_help() -> None:
    lines = Metrics().page().decode().splitlines()
    for family in PROCESS:
        assert f"# HELP {family.name} {family.help}" in lines
        assert f"# TYPE {family.name} {family.type}" in lines


def test_every_family_of_ours_on_the_page_is_in_the_registry() -> None:
    told = {line.split()[2] for line in Metrics().page().decode().splitlines() if line.startswith("# TYPE")}
    ours = {name for name in told if not name.startswith(("process_", "python_"))}
    assert ours == {family.name for family in PROCESS}


def test_a_request_counts_under_our_name_and_under_client_gos() -> None:
    metrics = Metrics()
    metrics.api_request("list", "hosts", "200", 0.01)
    metrics.http_request("200", "GET", "10.0.0.1:6443")
    page = process_of(metrics)
    assert page.value("drover_api_requests_total", verb="list", resource="hosts", code="200") == 1
    assert page.value("rest_client_requests_total", code="200", method="GET", host="10.0.0.1:6443") == 1
    assert page.value("drover_api_request_duration_seconds_sum", verb="list", resource="hosts") == 0.01


def test_who_leads_is_told_under_both_names() -> None:
    metrics = Metrics("ns/drover", "drover-0")
    for leads in (False, True):
        metrics.set_leader(leads)
        page = process_of(metrics)
        assert page.value("drover_leader", lease="ns/drover", identity="drover-0") == leads
        assert page.value("leader_election_master_status", name="ns/drover") == leads


def test_a_watch_is_stale_since_it_was_last_heard_of() -> None:
    metrics = Metrics()
    assert process_of(metrics).samples("drover_watch_staleness_seconds") == []
    metrics.watch_event("hosts", "ADDED")
    metrics.kind_listed("Volume")
    page = process_of(metrics)
    assert {s.labels["resource"]: s.value >= 0 for s in page.samples("drover_watch_staleness_seconds")} == {
        "hosts": True,
        "volumes": True,
    }


def test_no_series_carries_the_time_the_process_started() -> None:
    metrics = Metrics()
    metrics.api_request("get", "leases", "200", 0.01)
    assert "_created" not in metrics.page().decode()


@pytest.mark.parametrize(("kind", "counted"), [("UsageRecord", 1), ("Host", None)])
def test_writes_of_the_ledger_count_apart(kind: str, counted: float | None) -> None:
    metrics = Metrics()
    metrics.written(kind, "success")
    assert process_of(metrics).value("drover_ledger_writes_total", result="success") == counted
