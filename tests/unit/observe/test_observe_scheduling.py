"""Placement attempts, as the VM controller's outcomes tell them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from observed_pages import process_of
from observed_worlds import pool, vm, world_of

from drover.api.virtualmachine import VirtualMachine
from drover.control.outcome import Outcome
from drover.observe.metrics import Metrics
from drover.observe.scheduling import FILTERS, Scheduling, filter_of

NOW = datetime(2026, 11, 21, 8, 1, 30, tzinfo=UTC)
REFUSED = {"decidedAt": "2026-11-21T08:01:00Z", "rejections": {"insufficient cpu": 12, "cordoned": 3}}
PLACED = {"decidedAt": "2026-11-21T08:01:30Z", "hostName": "h1", "strategy": "Pack"}


class Counted:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self._scheduling = Scheduling(self.metrics)

    def reconcile(self, before: Any, after: Any) -> None:
        assert isinstance(before, VirtualMachine)
        self._scheduling.seen(before, world_of(pool("p")), Outcome(status=after.status), 0.001, NOW)

    def read(self, name: str, /, **labels: str) -> float | None:
        return process_of(self.metrics).value(f"drover_scheduler_{name}", **labels)


def waiting() -> Any:
    return vm("web", "Unschedulable", placement=REFUSED)


def placed(phase: str = "Starting") -> Any:
    return vm("web", phase, "h1", placement=PLACED)


def test_a_vm_that_is_refused_and_then_placed_took_two_attempts_since_it_waits() -> None:
    counted = Counted()
    counted.reconcile(vm("web", "Pending"), waiting())
    counted.reconcile(waiting(), placed())
    assert counted.read("attempts_total", profile="", result="unschedulable") == 1
    assert counted.read("attempts_total", profile="Pack", result="scheduled") == 1
    assert counted.read("attempt_duration_seconds_sum", profile="Pack", result="scheduled") == 0.001
    assert counted.read("e2e_duration_seconds_sum", attempts="2") == 30


def test_the_same_refusal_again_is_an_attempt_whose_hosts_do_not_count_again() -> None:
    counted = Counted()
    for before in (vm("web", "Pending"), waiting(), waiting()):
        counted.reconcile(before, waiting())
    assert counted.read("attempts_total", profile="", result="unschedulable") == 3
    assert counted.read("filter_rejections_total", filter="cpu") == 12
    assert counted.read("filter_rejections_total", filter="unavailable") == 3


@pytest.mark.parametrize("after", [placed(), placed("Running")])
def test_a_boot_on_the_host_that_a_vm_has_is_no_attempt(after: Any) -> None:
    counted = Counted()
    counted.reconcile(placed("Unknown"), after)
    assert counted.read("attempts_total", profile="Pack", result="scheduled") is None


def test_a_preemption_counts_with_the_host_that_is_nominated() -> None:
    counted = Counted()
    counted.reconcile(
        vm("web", "Pending"), vm("web", "Unschedulable", placement={**REFUSED, "nominatedHostName": "h1"})
    )
    assert counted.read("preemptions_total", result="nominated") == 1


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("insufficient GPU nvidia.com/H100", "gpu"),
        ("with taint maintenance=true:NoSchedule not tolerated", "taints"),
        ("not satisfying anti-affinity to app=db by Host", "terms"),
        ("held back for failover (2 host failures)", "failover"),
        ("unable to provide CPU model EPYC-Milan", "cpu_model"),
        ("in maintenance", "unavailable"),
    ],
)
def test_words_of_people_become_one_of_a_few_rules(words: str, rule: str) -> None:
    assert filter_of(words) == rule
    assert rule in {"unavailable", *(known for _, known in FILTERS)}
