"""Finished migrations are counted once, by the leader, when they are truly over."""

from observed_worlds import migration, world_of
from prometheus_client import CollectorRegistry

from drover.control.world import World
from drover.observe.migrations import FinishedMigrations

ENDED = {
    "endTimestamp": "2026-11-21T08:00:42Z",
    "result": {"downtimeMilliseconds": 120.0, "durationSeconds": 400.0},
}


class Counted:
    def __init__(self, *, leads: bool = True) -> None:
        self.world: World = world_of()
        self.registry = CollectorRegistry()
        FinishedMigrations(self.world, lambda: leads, self.registry)

    def total(self, result: str, reason: str = "") -> float:
        labels = {"mode": "PreCopy", "trigger": "SystemCritical", "result": result, "reason": reason}
        return self.registry.get_sample_value("drover_migrations_total", labels) or 0.0


def test_a_migration_counts_once_with_its_duration_and_its_downtime() -> None:
    counted = Counted()
    for phase, status in (("PreCopy", {}), ("Succeeded", ENDED), ("Succeeded", ENDED)):
        counted.world.observe(migration("m1", phase, **status))
    assert counted.total("Succeeded") == 1
    read = counted.registry.get_sample_value
    assert read("drover_migration_duration_seconds_sum", {"mode": "PreCopy", "result": "Succeeded"}) == 42
    assert read("drover_migration_downtime_seconds_sum", {"mode": "PreCopy"}) == 0.12


def test_a_failure_counts_with_its_reason_and_no_downtime() -> None:
    counted = Counted()
    counted.world.observe(migration("m1", "PreCopy"))
    counted.world.observe(migration("m1", "Failed", failureReason="NotConverging"))
    assert counted.total("Failed", "NotConverging") == 1
    assert counted.registry.get_sample_value("drover_migration_downtime_seconds_count", {"mode": "PreCopy"}) is None


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
