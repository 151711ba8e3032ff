"""From objects to the migration model's values: the guest, the link it gets, and the limits it must keep."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from drover.api.flavor import Flavor, WorkloadModel
from drover.api.host import Host
from drover.api.nodepool import NodePool
from drover.api.virtualmachine import ResolvedFlavor, VirtualMachine
from drover.api.virtualmachinemigration import (
    MigrationClaim,
    MigrationEstimate,
    Quantiles,
    VirtualMachineMigration,
)
from drover.control.world import World
from drover.control.world.claims import is_final, migration_bandwidth
from drover.model import migration as model

RTT_SECONDS = 0.0005
"""Round trip inside a data centre."""


def guest_of(vm: VirtualMachine, world: World) -> model.Guest:
    """How the VM's memory behaves: its own model where it has one, else its flavor's."""
    assert vm.status.flavor is not None
    flavor = world.get(Flavor, "", vm.status.flavor.name)
    base = flavor.spec.model if flavor is not None else WorkloadModel()
    own = vm.spec.model

    def choose(name: str) -> object:
        value = getattr(own, name) if own is not None else None
        return value if value is not None else getattr(base, name)

    chosen = WorkloadModel.model_validate({name: choose(name) for name in WorkloadModel.model_fields})
    return model.Guest(
        memory_bytes=vm.status.flavor.memory_bytes,
        zero_page_ratio=float(chosen.zero_page_ratio.fraction),
        hot_set_bytes=chosen.hot_set.bytes,
        dirty_rate=chosen.dirty_rate.bytes,
        dirty_noise=float(chosen.dirty_noise.fraction),
    )


def copying(world: World) -> list[VirtualMachineMigration]:
    """Migrations that hold a target, and with it a share of the links."""
    active = world.migrations(world.active_migrations[True])
    return [m for m in active if m.status.target_host and not is_final(m)]


def link_of(source: Host, target: Host, world: World, others: Iterable[tuple[str, str]]) -> model.Link:
    """The link of one migration beside ``others`` (source, target), shared max-min fairly over the hosts' cards."""
    flows = [(f"{source.name}/out", f"{target.name}/in")]
    flows += [(f"{there}/out", f"{here}/in") for there, here in others]
    capacities = {resource: _capacity(resource, world) for flow in flows for resource in flow}
    line = float(min(migration_bandwidth(source), migration_bandwidth(target)))
    return model.Link(bandwidth=min(model.max_min_fair(capacities, flows)[0], line), line=line, rtt=RTT_SECONDS)


def _capacity(resource: str, world: World) -> float:
    host = world.host(resource.rpartition("/")[0])
    if host is None:
        return 0.0
    pool = world.pool(host.spec.pool_ref.name)
    share = pool.spec.migration.bandwidth_share.fraction if pool is not None else 1
    return float(migration_bandwidth(host) * share)


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


def told(estimate: model.Estimate) -> MigrationEstimate:
    """The estimate as a status shows it: rounded to what a reader needs."""
    return MigrationEstimate(
        transfer_bytes=estimate.transfer_bytes,
        duration_seconds=Quantiles(p50=round(estimate.duration_p50, 1), p90=round(estimate.duration_p90, 1)),
        downtime_milliseconds=Quantiles(
            p50=round(estimate.downtime_p50 * 1000, 1), p90=round(estimate.downtime_p90 * 1000, 1)
        ),
        passes=estimate.passes,
        bandwidth_bytes_per_second=round(estimate.bandwidth),
        verdict=estimate.verdict,
        limited_by=cast("str | None", estimate.limited_by),
        warnings=estimate.warnings,
    )
