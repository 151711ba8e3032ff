"""Finished migrations are counted once, by the leader, when they are truly over."""

import pytest
from observed_pages import process_of
from observed_worlds import host, migration, world_of

from drover.observe.metrics import Metrics
from drover.observe.migrations import FinishedMigrations

ENDED = {
    "endTimestamp": "2026-11-21T08:00:42Z",
    "sourceHost": "h1",
    "targetHost": "h2",
    "phaseTransitions": [
        {"phase": "Pending", "at": "2026-11-21T08:00:00Z"},
        {"phase": "PreCopy", "at": "2026-11-21T08:00:12Z"},
        {"phase": "Succeeded", "at": "2026-11-21T08:00:42Z"},
    ],
    "estimate": {"verdict": "Converges", "transferBytes": 800},
    "result": {
        "downtimeMilliseconds": 120.0,
        "durationSeconds": 400.0,
        "transferredBytes": 1000,
        "passes": 3,
        "durationErrorPercent": -4.0,
        "downtimeErrorPercent": 10.0,
    },
}
PRE_COPY = {"mode": "PreCopy"}


class Counted:
    def __init__(self, *, leads: bool = True) -> None:
        self.world = world_of(host("h1"), host("h2"))
        self.metrics = Metrics()
        FinishedMigrations(self.world, lambda: leads, self.metrics)

    def read(self, name: str, /, **labels: str) -> float | None:
        return process_of(self.metrics).value(f"drover_migration{name}", **labels)

    def total(self, result: str, reason: str = "") -> float:
        return self.read("s_total", mode="PreCopy", trigger="SystemCritical", result=result, reason=reason) or 0.0


def test_a_migration_counts_once_with_all_that_it_took() -> None:
    counted = Counted()
    for phase, status in (("PreCopy", {}), ("Succeeded", ENDED), ("Succeeded", ENDED)):
        counted.world.observe(migration("m1", phase, **status))
    assert counted.total("Succeeded") == 1
    assert counted.read("_duration_seconds_sum", **PRE_COPY, result="Succeeded") == 42
    assert counted.read("_phase_duration_seconds_sum", **PRE_COPY, phase="Pending") == 12
    assert counted.read("_phase_duration_seconds_sum", **PRE_COPY, phase="PreCopy") == 30
    assert counted.read("_downtime_seconds_sum", **PRE_COPY) == 0.12
    assert counted.read("_iterations_sum", **PRE_COPY) == 3
    assert counted.read("_transferred_bytes_sum", **PRE_COPY) == 1000
    assert counted.read("_transfer_bytes_total", source_pool="p", target_pool="p") == 1000


@pytest.mark.parametrize(("quantity", "ratio"), [("duration", 0.04), ("downtime", 0.1), ("bytes", 0.25)])
def test_what_was_predicted_is_held_against_what_was_played(quantity: str, ratio: float) -> None:
    counted = Counted()
    for phase, status in (("PreCopy", {}), ("Succeeded", ENDED)):
        counted.world.observe(migration("m1", phase, **status))
    assert counted.read("_estimate_error_ratio_sum", quantity=quantity) == pytest.approx(ratio)


def test_a_failure_counts_with_its_reason_and_no_downtime() -> None:
    counted = Counted()
    counted.world.observe(migration("m1", "PreCopy"))
    counted.world.observe(migration("m1", "Failed", failureReason="NotConverging"))
    assert counted.total("Failed", "NotConverging") == 1
    assert counted.read("_aborts_total", reason="NotConverging") == 1
    assert counted.read("_downtime_seconds_count", **PRE_COPY) == 0


def test_an_end_that_is_only_assumed_does_not_count() -> None:
    counted = Counted()
    counted.world.observe(migration("m1", "PreCopy"))
    done = migration("m1", "Succeeded", **ENDED)
    counted.world.assume(done)
    assert counted.total("Succeeded") == 0
    counted.world.settle(done.key)
    counted.world.observe(done)
    assert counted.total("Succeeded") == 1


def test_what_had_ended_before_it_was_first_seen_does_not_count() -> None:
    counted = Counted()
    counted.world.observe(migration("m1", "Succeeded", **ENDED))
    assert counted.total("Succeeded") == 0


def test_a_standby_counts_nothing() -> None:
    counted = Counted(leads=False)
    counted.world.observe(migration("m1", "PreCopy"))
    counted.world.observe(migration("m1", "Succeeded", **ENDED))
    assert counted.total("Succeeded") == 0
