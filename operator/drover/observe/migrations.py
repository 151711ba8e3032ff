"""Counts the migrations that end while this instance leads."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import cast, get_args

from drover.api.meta import AnyResource
from drover.api.virtualmachinemigration import FailureReason, MigrationPriority, VirtualMachineMigration
from drover.control.world import World
from drover.control.world.claims import FINAL_MIGRATION_PHASES, is_final
from drover.observe.families import process as families
from drover.observe.metrics import Metrics

PRE_COPY, POST_COPY = "PreCopy", "PostCopy"


class FinishedMigrations:
    """Listens to the World. A migration counts once, when the API server says it is over."""

    def __init__(self, world: World, leads: Callable[[], bool], metrics: Metrics) -> None:
        self._world = world
        self._leads = leads
        self._metrics = metrics
        self._under_way: set[str] = set()
        _begin(metrics)
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
        status, mode = migration.status, mode_of(migration)
        phase, reason = str(status.phase), status.failure_reason or ""
        observe, count = self._metrics.observe, self._metrics.count
        count(families.MIGRATIONS_ENDED, mode, migration.spec.priority, phase, reason)
        if phase != "Succeeded":
            count(families.MIGRATION_ABORTS, reason or phase)
        created = migration.metadata.creation_timestamp
        if created is not None and status.end_timestamp is not None:
            seconds = (status.end_timestamp - created).total_seconds()
            observe(families.MIGRATION_DURATION, max(seconds, 0.0), mode, phase)
        for earlier, later in pairwise(status.phase_transitions):
            observe(families.MIGRATION_PHASE_DURATION, (later.at - earlier.at).total_seconds(), earlier.phase, mode)
        if phase == "Succeeded":
            self._count_result(migration, mode)

    def _count_result(self, migration: VirtualMachineMigration, mode: str) -> None:
        status, observe = migration.status, self._metrics.observe
        if status.result is None:
            return
        sent = status.result.transferred_bytes
        observe(families.MIGRATION_DOWNTIME, status.result.downtime_milliseconds / 1000, mode)
        observe(families.MIGRATION_ITERATIONS, status.result.passes, mode)
        observe(families.MIGRATION_TRANSFERRED, sent, mode)
        pools = self._pool_of(status.source_host), self._pool_of(status.target_host)
        self._metrics.count(families.MIGRATION_TRANSFER, *pools, by=sent)
        for quantity, ratio in _errors(migration):
            observe(families.MIGRATION_ESTIMATE_ERROR, ratio, quantity)

    def _pool_of(self, name: str | None) -> str:
        host = self._world.host(name)
        return host.spec.pool_ref.name if host is not None else ""


def _begin(metrics: Metrics) -> None:
    """What may come of a migration, at 0."""
    for family in (families.MIGRATION_DOWNTIME, families.MIGRATION_ITERATIONS, families.MIGRATION_TRANSFERRED):
        metrics.begin(family, PRE_COPY)
    for quantity in ("duration", "downtime", "bytes"):
        metrics.begin(families.MIGRATION_ESTIMATE_ERROR, quantity)
    for phase in FINAL_MIGRATION_PHASES:
        metrics.begin(families.MIGRATION_DURATION, PRE_COPY, phase)
    for reason in get_args(FailureReason):
        metrics.begin(families.MIGRATION_ABORTS, reason)
    for trigger in get_args(MigrationPriority):
        metrics.begin(families.MIGRATIONS_ENDED, PRE_COPY, trigger, "Succeeded", "")
        for reason in get_args(FailureReason):
            phase = "Cancelled" if reason == "Cancelled" else "Failed"
            metrics.begin(families.MIGRATIONS_ENDED, PRE_COPY, trigger, phase, reason)


def mode_of(migration: VirtualMachineMigration) -> str:
    """How memory is copied. ``status.mode`` is the stage of it, which at the end says nothing."""
    phases = (transition.phase for transition in migration.status.phase_transitions)
    return POST_COPY if POST_COPY in phases else PRE_COPY


def _errors(migration: VirtualMachineMigration) -> list[tuple[str, float]]:
    """|played - predicted| / predicted, of what was predicted."""
    result, estimate = migration.status.result, migration.status.estimate
    if result is None:
        return []
    percents = {"duration": result.duration_error_percent, "downtime": result.downtime_error_percent}
    if estimate is not None and estimate.transfer_bytes:
        predicted = estimate.transfer_bytes
        percents["bytes"] = 100 * (result.transferred_bytes - predicted) / predicted
    return [(quantity, abs(percent) / 100) for quantity, percent in percents.items() if percent is not None]
