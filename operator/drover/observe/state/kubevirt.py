"""VMs and migrations under KubeVirt's names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.api.volume import Volume
from drover.control.world import World
from drover.observe.families import Family
from drover.observe.families import kubevirt as families
from drover.observe.families.kubevirt import NOTHING, STATUS_GROUPS
from drover.observe.state.cache import Lines
from drover.observe.state.tally import Tally
from drover.observe.state.vms import phase_of

GROUP_OF: Final = {
    "Pending": "starting",
    "Provisioning": "starting",
    "Scheduling": "starting",
    "Starting": "starting",
    "Running": "running",
    "Migrating": "migrating",
    "Paused": "non_running",
    "Stopping": "non_running",
    "Stopped": "non_running",
    "Terminating": "non_running",
}
"""A VM's phase to KubeVirt's group of statuses; every other one is an error."""
VMI_PHASES: Final = {
    "Pending": "pending",
    "Provisioning": "pending",
    "Scheduling": "scheduling",
    "Unschedulable": "scheduling",
    "Starting": "scheduled",
    "Running": "running",
    "Migrating": "running",
    "Paused": "running",
    "Stopping": "running",
    "Unknown": "unknown",
}
"""A VM's phase to that of its instance; in every other one it has none."""
MIGRATION_PHASES: Final = {
    "": "unset",
    "Pending": "pending",
    "Scheduling": "scheduling",
    "Scheduled": "scheduling",
    "PreparingTarget": "scheduling",
    "TargetReady": "scheduling",
}
"""Of a migration that has not ended; every other phase is running."""
FINAL: Final = ("Succeeded", "Failed", "Cancelled")


def vm_lines(vm: VirtualMachine, world: World) -> Lines:
    """In the order of ``VM_FAMILIES``."""
    own, phase = (vm.name, vm.namespace), phase_of(vm)
    group, flavor, changes = GROUP_OF.get(phase, "error"), vm.spec.flavor_ref.name, vm.status.phase_transitions
    at = changes[-1].at.timestamp() if changes else 0.0
    size = vm.status.flavor
    requests = [("cpu", "cores", size.vcpus), ("memory", "bytes", size.memory_bytes)] if size is not None else []
    return (
        families.VM_INFO.line(1, *own, NOTHING, NOTHING, NOTHING, NOTHING, flavor, NOTHING, phase.lower(), group),
        "".join(
            families.VM_RESOURCE_REQUESTS.line(value, *own, resource, unit, "domain")
            for resource, unit, value in requests
        ),
        "".join(_disks(vm, world)),
        *(families.VM_LAST_TRANSITION[one].line(at if one == group else 0, *own) for one in STATUS_GROUPS),
        *_instance(vm, phase),
    )


def _disks(vm: VirtualMachine, world: World) -> Iterator[str]:
    for attached in vm.status.volumes:
        volume = world.confirmed(Key(Volume.KIND, vm.namespace, attached.volume))
        if isinstance(volume, Volume):
            size = volume.status.capacity or volume.spec.size
            labels = vm.name, vm.namespace, attached.volume, "Block", attached.name
            yield families.VM_DISK_ALLOCATED.line(size.bytes, *labels)


def _instance(vm: VirtualMachine, phase: str) -> tuple[str, str]:
    vmi_phase = VMI_PHASES.get(phase)
    if vmi_phase is None:
        return "", ""
    node, movable = vm.status.host_name or "", vm.status.is_true("LiveMigratable")
    told = vmi_phase, NOTHING, NOTHING, NOTHING, vm.spec.flavor_ref.name, NOTHING
    guest = (NOTHING,) * 5
    stays = vm.spec.eviction_strategy == "LiveMigrate" and not movable
    return (
        families.VMI_INFO.line(1, node, vm.namespace, vm.name, *told, *guest, str(movable).lower(), "false", NOTHING),
        families.VMI_NON_EVICTABLE.line(int(stays), node, vm.namespace, vm.name),
    )


def migration_lines(migration: VirtualMachineMigration) -> Lines:
    """In the order of ``MIGRATION_FAMILIES``."""
    status, vm, namespace = migration.status, migration.spec.virtual_machine_name, migration.namespace
    node, phase = status.source_host or "", status.phase or ""
    begun = (node, namespace, vm, migration.name)
    start = status.start_timestamp
    end = status.end_timestamp
    return (
        *_progress(migration, (namespace, vm, node)),
        families.MIGRATION_START.line(start.timestamp(), *begun) if start else "",
        families.MIGRATION_END.line(end.timestamp(), *begun, phase.lower()) if end else "",
        families.MIGRATION_SUCCEEDED.line(int(phase == "Succeeded"), vm, migration.name, namespace) if end else "",
        families.MIGRATION_FAILED.line(int(phase != "Succeeded"), vm, migration.name, namespace) if end else "",
    )


def _progress(migration: VirtualMachineMigration, moving: tuple[str, str, str]) -> tuple[str, ...]:
    progress = migration.status.progress
    if progress is None or migration.status.phase in FINAL:
        return ("",) * 5
    return (
        families.MIGRATION_DATA_TOTAL.line(progress.total_bytes, *moving),
        families.MIGRATION_DATA_PROCESSED.line(progress.processed_bytes, *moving),
        families.MIGRATION_DATA_REMAINING.line(progress.remaining_bytes, *moving),
        families.MIGRATION_DIRTY_RATE.line(progress.dirty_rate_bytes_per_second, *moving),
        families.MIGRATION_TRANSFER_RATE.line(progress.bandwidth_bytes_per_second, *moving),
    )


def sums(tally: Tally) -> Iterator[tuple[Family, str]]:
    """Migrations that have not ended, by KubeVirt's phases. One that nobody has looked at yet counts as pending."""
    counts = dict.fromkeys(families.MIGRATIONS_IN, 0)
    for (phase, _), count in tally.of("migration"):
        if phase not in FINAL:
            counts[MIGRATION_PHASES.get(str(phase), "running")] += count
    for name, family in families.MIGRATIONS_IN.items():
        yield family, family.line(counts[name])
