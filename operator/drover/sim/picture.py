"""The store at one version, and the claims that follow: counted in plain code, apart from the engine's books."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from drover.api.host import Host
from drover.api.meta import Key
from drover.api.network import Network
from drover.api.nodepool import NodePool
from drover.api.usagerecord import UsageRecord
from drover.api.virtualmachine import ResolvedFlavor, VirtualMachine
from drover.api.virtualmachinemigration import MigrationClaim, VirtualMachineMigration
from drover.api.volume import Volume
from drover.sim.store import Store

FINAL = ("Succeeded", "Failed", "Cancelled")
"""Phases in which a migration is over."""


class Held(NamedTuple):
    """What one VM holds of one host: thousandths of vCPUs and threads, bytes, bytes a second, devices, cells."""

    milli_cpu: int
    milli_threads: int
    memory: int
    disk: int
    bandwidth: int
    gpus: frozenset[tuple[str, int]]
    """Devices and the number of each."""
    cells: frozenset[int]
    """NUMA cells that its vCPUs and memory are taken from in equal parts; none where it floats over all."""


@dataclass
class Picture:
    """The store at one version, by kind, with the claims that follow."""

    vms: dict[str, VirtualMachine] = field(default_factory=dict)
    migrations: dict[str, VirtualMachineMigration] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    pools: dict[str | None, NodePool] = field(default_factory=dict)
    networks: dict[Key, Network] = field(default_factory=dict)
    volumes: dict[Key, Volume] = field(default_factory=dict)
    records: list[UsageRecord] = field(default_factory=list)
    claims: dict[str, dict[str, Held]] = field(default_factory=dict)
    """Host name to VM uid to what it holds there: each pair once, whoever states it."""

    @classmethod
    def of(cls, store: Store) -> Picture:
        picture = cls()
        for resource in store:
            match resource:
                case VirtualMachine():
                    picture.vms[resource.uid] = resource
                case VirtualMachineMigration():
                    picture.migrations[resource.uid] = resource
                case Host():
                    picture.hosts[resource.name] = resource
                case NodePool():
                    picture.pools[resource.name] = resource
                case Network():
                    picture.networks[resource.key] = resource
                case Volume():
                    picture.volumes[resource.key] = resource
                case UsageRecord():
                    picture.records.append(resource)
        picture._count_claims()
        return picture

    def _count_claims(self) -> None:
        for vm in self.vms.values():
            flavor = vm.status.flavor
            if vm.status.host_name and flavor:
                self._claim(vm.status.host_name, vm.uid, _held(flavor, flavor.root_disk_bytes, vm.status.numa_cells))
        for migration in self.targeting():
            size = migration.status.resources
            if size is not None:
                held = _held(size, size.disk_bytes, size.numa_cells)
                self._claim(cast(str, migration.status.target_host), cast(str, migration.status.vm_uid), held)

    def _claim(self, host: str, uid: str, held: Held) -> None:
        on_host = self.claims.setdefault(host, {})
        on_host[uid] = _larger(on_host[uid], held) if uid in on_host else held

    def targeting(self) -> Iterator[VirtualMachineMigration]:
        """Unfinished migrations that hold a target for a VM that exists."""
        for migration in self.migrations.values():
            status = migration.status
            if status.phase not in FINAL and status.target_host and status.vm_uid in self.vms:
                yield migration

    def vm_of(self, migration: VirtualMachineMigration) -> VirtualMachine | None:
        return self.vms.get(migration.status.vm_uid or "")

    def hosts_of(self, uid: str) -> list[str]:
        """The hosts a VM holds something of: its own, and its migration's target."""
        return [name for name, claims in self.claims.items() if uid in claims]


def _held(size: ResolvedFlavor | MigrationClaim, disk: int, cells: tuple[int, ...]) -> Held:
    return Held(
        0 if size.milli_threads else size.vcpus * 1000,
        size.milli_threads,
        size.memory_bytes,
        disk,
        size.bandwidth_bytes_per_second,
        frozenset(size.gpus.items()),
        frozenset(cells),
    )


def _larger(one: Held, other: Held) -> Held:
    """A VM that has moved and its migration state the same claim: the larger of each amount."""
    devices = {name for name, _ in one.gpus | other.gpus}
    gpus = frozenset((name, max(dict(one.gpus).get(name, 0), dict(other.gpus).get(name, 0))) for name in devices)
    cpu, threads, memory, disk, bandwidth = map(max, one[:5], other[:5])
    return Held(cpu, threads, memory, disk, bandwidth, gpus, one.cells | other.cells)
