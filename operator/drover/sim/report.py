"""What a simulation came to, as values: the timeline, and the state of VMs, hosts and migrations at its end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from drover.api.host import Host
from drover.api.meta import AnyResource, Condition
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.ports import EventRecord
from drover.model.placement.hosts import NaturalKey, natural_key
from drover.sim.simulation import Simulation


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the timeline."""

    seconds: float
    """Virtual seconds since the start."""
    about: str
    reason: str
    message: str
    warning: bool


@dataclass(frozen=True, slots=True)
class HostLine:
    name: str
    phase: str
    virtual_machines: int
    cpu_percent: float
    memory_percent: float


@dataclass(frozen=True, slots=True)
class MigrationLine:
    """A migration as it was played, beside what was predicted. Times in model seconds and milliseconds."""

    name: str
    virtual_machine: str
    source: str
    target: str
    phase: str
    reason: str
    passes: int
    sent_bytes: int
    downtime_ms: float
    downtime_predicted_ms: float | None
    duration_s: float
    duration_predicted_s: float | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A VM that does not run though it should, and why."""

    virtual_machine: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    seed: int
    simulated_seconds: float
    steps: int
    writes: int
    timeline: tuple[Told, ...]
    phases: dict[str, int]
    hosts: tuple[HostLine, ...]
    migrations: tuple[MigrationLine, ...]
    waiting: tuple[Waiting, ...]
    failures: tuple[str, ...]
    """Defects: reconciles that raised, writes refused for what they said."""


def report(sim: Simulation, start: datetime) -> Report:
    """The simulation so far."""
    vms = [cast(VirtualMachine, vm) for vm in sim.store.objects(VirtualMachine.KIND)]
    migrations = sim.store.objects(VirtualMachineMigration.KIND)
    return Report(
        seed=sim.seed,
        simulated_seconds=(sim.now - start).total_seconds(),
        steps=sim.steps,
        writes=sim.writes,
        timeline=tuple(_told(record, start) for record in sim.backend.events),
        phases=dict(sorted(Counter(vm.status.phase or "Pending" for vm in vms).items())),
        hosts=tuple(_host(cast(Host, host)) for host in sorted(sim.store.objects(Host.KIND), key=_by_number)),
        migrations=tuple(_migration(cast(VirtualMachineMigration, m)) for m in migrations),
        waiting=tuple(_waiting(vm, why) for vm in vms if (why := _not_ready(vm)) is not None),
        failures=tuple(f"{failure.key}: {failure.error}" for failure in sim.backend.failures),
    )


def _told(record: EventRecord, start: datetime) -> Told:
    about = str(record.regarding.key)
    seconds = (record.last - start).total_seconds()
    return Told(seconds, about, record.reason, record.message, record.type == "Warning")


def _host(host: Host) -> HostLine:
    status = host.status
    allocated, allocatable = status.allocated, status.allocatable
    cpu = memory = 0.0
    if allocated is not None and allocatable is not None:
        cpu = 100 * float(allocated.cpu.value / (allocatable.cpu.value or 1))
        memory = 100 * float(allocated.memory.value / (allocatable.memory.value or 1))
    return HostLine(host.name, status.phase or "Pending", status.virtual_machines, cpu, memory)


def _migration(migration: VirtualMachineMigration) -> MigrationLine:
    status = migration.status
    result, estimate = status.result, status.estimate
    downtime = estimate.downtime_milliseconds if estimate else None
    duration = estimate.duration_seconds if estimate else None
    return MigrationLine(
        name=f"{migration.namespace}/{migration.name}",
        virtual_machine=migration.spec.virtual_machine_name,
        source=status.source_host or "",
        target=status.target_host or "",
        phase=status.phase or "Pending",
        reason=status.failure_reason or "",
        passes=result.passes if result else 0,
        sent_bytes=result.transferred_bytes if result else 0,
        downtime_ms=result.downtime_milliseconds if result else 0.0,
        downtime_predicted_ms=downtime.p50 if downtime else None,
        duration_s=result.duration_seconds if result else 0.0,
        duration_predicted_s=duration.p50 if duration else None,
    )


def _not_ready(vm: VirtualMachine) -> Condition | None:
    ready = vm.status.condition("Ready")
    return ready if ready is not None and ready.status != "True" else None


def _waiting(vm: VirtualMachine, why: Condition) -> Waiting:
    return Waiting(f"{vm.namespace}/{vm.name}", why.reason, why.message)


def _by_number(host: AnyResource) -> NaturalKey:
    return natural_key(host.name)
