"""Reconciles counted and timed around any controller."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from observed_worlds import vm, world_of

from drover.control.outcome import Controller, Outcome
from drover.control.world import World
from drover.observe.metrics import Metrics

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def count(metrics: Metrics, result: str) -> float | None:
    labels = {"controller": "VirtualMachine", "result": result}
    return metrics.registry.get_sample_value("drover_reconcile_total", labels)


@pytest.mark.parametrize(
    ("outcome", "result"),
    [(Outcome(), "success"), (Outcome(requeue_at=NOW + timedelta(seconds=5)), "requeue")],
)
def test_a_reconcile_counts_by_what_it_asks_for(outcome: Outcome, result: str) -> None:
    metrics = Metrics()
    controller = metrics.instrument(Controller("VirtualMachine", lambda _, __, ___: outcome))
    assert controller.reconcile(vm("web", None), world_of(), NOW) is outcome
    assert count(metrics, result) == 1


def test_a_reconcile_that_raises_counts_as_an_error_and_still_raises() -> None:
    def broken(resource: Any, world: World, now: datetime) -> Outcome:
        raise ValueError(resource.name, world, now)

    metrics = Metrics()
    controller = metrics.instrument(Controller("VirtualMachine", broken))
    with pytest.raises(ValueError, match="web"):
        controller.reconcile(vm("web", None), world_of(), NOW)
    assert count(metrics, "error") == 1


def test_an_instrumented_controller_keeps_everything_else() -> None:
    controller = Controller("VirtualMachine", lambda _, __, ___: Outcome())
    instrumented = Metrics().instrument(controller)
    assert replace(instrumented, reconcile=controller.reconcile) == controller


def test_no_series_carries_the_time_the_process_started() -> None:
    metrics = Metrics()
    metrics.api_request("get", "leases", "200", 0.01)
    assert "_created" not in metrics.page().decode()
