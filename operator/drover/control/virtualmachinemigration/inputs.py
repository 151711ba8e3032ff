"""From objects to the migration model's values: the guest, its rules, the cards it crosses, the limits it must keep."""

from __future__ import annotations

import math
from typing import NamedTuple

from drover.api.flavor import Flavor, WorkloadModel
from drover.api.host import Host
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationsettings import MigrationSettings
from drover.api.nodepool import NodePool
from drover.api.virtualmachine import ResolvedFlavor, VirtualMachine
from drover.api.virtualmachinemigration import (
    MigrationClaim,
    MigrationEstimate,
    Quantiles,
    VirtualMachineMigration,
)
from drover.control.policies import bandwidth_cap, stop_policy
from drover.control.world import World
from drover.control.world.claims import migration_bandwidth
from drover.model import migration as model

RTT_SECONDS = 0.0005
"""Round trip inside a data centre."""
MAX_MESSAGE = 1024


class Workload(NamedTuple):
    """How a guest writes to its memory."""

    memory: model.Memory
    dirty_noise: float


def workload_of(vm: VirtualMachine, world: World) -> Workload:
    """By its own model where it has one, else by its flavor's, field by field."""
    assert vm.status.flavor is not None
    flavor = world.get(Flavor, "", vm.status.flavor.name)
    base = flavor.spec.model if flavor is not None else WorkloadModel()
    own = vm.spec.model

    def choose(name: str) -> object:
        value = getattr(own, name) if own is not None else None
        return value if value is not None else getattr(base, name)

    chosen = WorkloadModel.model_validate({name: choose(name) for name in WorkloadModel.model_fields})
    memory = model.guest_memory(
        memory_bytes=vm.status.flavor.memory_bytes,
        zero_page_ratio=float(chosen.zero_page_ratio.fraction),
        hot_set_bytes=chosen.hot_set.bytes,
        dirty_rate=chosen.dirty_rate.bytes,
    )
    return Workload(memory, float(chosen.dirty_noise.fraction))


def route_of(source: Host, target: Host, world: World, cap: float = math.inf) -> model.Route:
    """The cards a migration crosses; ``cap``: bytes a second it may use at most."""
    cards = (_card(source, "out", world), _card(target, "in", world))
    return model.Route(cards, cap, RTT_SECONDS)


def _card(host: Host, direction: str, world: World) -> model.Card:
    pool, line = world.pool(host.spec.pool_ref.name), float(migration_bandwidth(host))
    share = pool.spec.migration.bandwidth_share.fraction if pool is not None else 1
    return model.Card(f"{host.name}/{direction}", line, float(line * share))


def setting_of(
    workload: Workload, settings: MigrationSettings, route: model.Route, noise: model.Noise = model.NONE
) -> model.Setting:
    return model.Setting(workload.memory, route.alone, stop_policy(settings), model.MODELLED, noise)


def move_of(vm: VirtualMachine, source: Host, target: Host, settings: MigrationSettings, world: World) -> model.Move:
    """A VM's move, to forecast it."""
    workload = workload_of(vm, world)
    return model.Move(
        name=str(vm.key),
        pool=source.spec.pool_ref.name,
        source=source.name,
        target=target.name,
        route=route_of(source, target, world, bandwidth_cap(settings)),
        memory=workload.memory,
        policy=stop_policy(settings),
        dirty_noise=workload.dirty_noise,
    )


def copying(world: World) -> list[VirtualMachineMigration]:
    """Migrations that hold a target, and with it a share of the links."""
    return world.migrations(world.moving_migrations[True])


def limits_of(pool: NodePool | None, max_concurrent: int | None = None) -> model.Limits:
    if pool is None:
        return model.Limits(max_concurrent=max_concurrent)
    migration = pool.spec.migration
    return model.Limits(
        per_pool=migration.parallel_migrations_per_pool,
        outbound=migration.parallel_outbound_migrations_per_host,
        inbound=migration.parallel_inbound_migrations_per_host,
        max_concurrent=max_concurrent,
    )


def claim_of(flavor: ResolvedFlavor, cells: tuple[int, ...]) -> MigrationClaim:
    return MigrationClaim(
        vcpus=flavor.vcpus,
        memory_bytes=flavor.memory_bytes,
        disk_bytes=flavor.root_disk_bytes,
        bandwidth_bytes_per_second=flavor.bandwidth_bytes_per_second,
        milli_threads=flavor.milli_threads,
        gpus=flavor.gpus,
        numa_cells=cells,
    )


def told(estimate: model.Estimate, bandwidth: float) -> MigrationEstimate:
    """The estimate as a status shows it: rounded to what a reader needs."""
    return MigrationEstimate(
        transfer_bytes=round(estimate.bytes.p50),
        duration_seconds=quantiles(estimate.total),
        downtime_milliseconds=quantiles(milliseconds(estimate.downtime)),
        blackout_milliseconds=quantiles(milliseconds(estimate.blackout)),
        passes=round(estimate.passes.p50),
        bandwidth_bytes_per_second=round(bandwidth),
        verdict=estimate.verdict,
        reason=estimate.likely.reason,
        message=estimate.message[:MAX_MESSAGE],
        limited_by=estimate.limited_by,
        warnings=tuple(text[:MAX_MESSAGE] for text in estimate.warnings),
    )


def as_planned(estimate: MigrationEstimate, plan: MigrationPlan, name: str, target: str) -> MigrationEstimate:
    """The estimate of a plan's migration, by what its plan foresaw: who else will be on the network, and when.

    What the migration sees as it begins is only who is there already. Another target or a retry was not foreseen.
    """
    entry = next((entry for entry in plan.status.migrations if entry.migration == name), None)
    foreseen = entry is not None and entry.attempts == 1 and (entry.target, entry.verdict) == (target, estimate.verdict)
    if entry is None or not foreseen or estimate.duration_seconds is None or estimate.downtime_milliseconds is None:
        return estimate
    longer = _ratio(entry.estimated_downtime_ms, estimate.downtime_milliseconds)
    blackout = estimate.blackout_milliseconds
    return estimate.model_copy(
        update={
            "duration_seconds": _scaled(
                estimate.duration_seconds, _ratio(entry.estimated_seconds, estimate.duration_seconds)
            ),
            "downtime_milliseconds": _scaled(estimate.downtime_milliseconds, longer),
            "blackout_milliseconds": _scaled(blackout, longer) if blackout is not None else None,
        }
    )


def _ratio(foreseen: float | None, alone: Quantiles) -> float:
    return foreseen / alone.p50 if foreseen and alone.p50 else 1.0


def _scaled(alone: Quantiles, factor: float) -> Quantiles:
    """The band about another median, as wide in proportion."""
    p10 = alone.p10 if alone.p10 is not None else alone.p50
    return quantiles(model.Band(p10 * factor, alone.p50 * factor, alone.p90 * factor)) if factor != 1 else alone


def milliseconds(band: model.Band) -> model.Band:
    """Of a band in seconds."""
    return model.Band(*(1000 * seconds for seconds in band))


def quantiles(band: model.Band) -> Quantiles:
    """In tenths, the band rounded outwards."""
    return Quantiles(p10=math.floor(band.p10 * 10) / 10, p50=round(band.p50, 1), p90=math.ceil(band.p90 * 10) / 10)
