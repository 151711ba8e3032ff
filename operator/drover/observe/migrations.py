"""Counts the migrations that end while this instance leads."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from prometheus_client import CollectorRegistry, Counter, Histogram

from drover.api.meta import AnyResource
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.world import World
from drover.control.world.claims import is_final

DURATION_BUCKETS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
DOWNTIME_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1, 2, 5)
MODE = "PreCopy"
"""The one way of copying there is; status.mode is the stage of it, which at the end says nothing."""


class FinishedMigrations:
    """Listens to the World. A migration counts once, when the API server says it is over."""

    def __init__(self, world: World, leads: Callable[[], bool], registry: CollectorRegistry) -> None:
        self._world = world
        self._leads = leads
        self._under_way: set[str] = set()
        self._total = Counter(
            "drover_migrations_total",
            "Finished migrations; reason from the closed set of failureReason.",
            ("mode", "trigger", "result", "reason"),
            registry=registry,
        )
        self._duration = Histogram(
            "drover_migration_duration_seconds",
            "Total migration time from creation to end.",
            ("mode", "result"),
            registry=registry,
            buckets=DURATION_BUCKETS,
        )
        self._downtime = Histogram(
            "drover_migration_downtime_seconds",
            "Guest blackout of a migration.",
            ("mode",),
            registry=registry,
            buckets=DOWNTIME_BUCKETS,
        )
        world.subscribe(self._changed)

    def _changed(self, before: AnyResource | None, after: AnyResource | None) -> None:
        changed = after if after is not None else before
        if changed is None or changed.KIND != VirtualMachineMigration.KIND:
            return
        confirmed = cast("VirtualMachineMigration | None", self._world.confirmed(changed.key))
        if confirmed is None:
            self._under_way.discard(changed.uid)
        elif not is_final(confirmed):
            self._under_way.add(confirmed.uid)
        elif confirmed.uid in self._under_way:
            self._under_way.remove(confirmed.uid)
            if self._leads():
                self._count(confirmed)

    def _count(self, migration: VirtualMachineMigration) -> None:
        status = migration.status
        result = str(status.phase)
        self._total.labels(MODE, migration.spec.priority, result, status.failure_reason or "").inc()
        created = migration.metadata.creation_timestamp
        if created is not None and status.end_timestamp is not None:
            seconds = (status.end_timestamp - created).total_seconds()
            self._duration.labels(MODE, result).observe(max(seconds, 0.0))
        if status.result is not None and status.phase == "Succeeded":
            self._downtime.labels(MODE).observe(status.result.downtime_milliseconds / 1000)
