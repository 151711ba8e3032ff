"""KubeVirt's families that Drover can tell, under KubeVirt's names, for dashboards made for KubeVirt.

Exposed on /metrics/state with ``--metrics-compat=kubevirt``. A VM of ours is both a VirtualMachine and, while it has a
host, a VirtualMachineInstance of theirs. What is measured inside a guest (CPU, memory and disk statistics) is not here,
for a modelled guest has none; nor are limits, which our VMs do not have.
"""

from __future__ import annotations

from drover.observe.families.family import Family, counter, gauge

NOTHING = "<none>"
"""What KubeVirt says where there is no value."""

_VM = ("name", "namespace")
_LAST = "last_transition_timestamp_seconds"

VM_INFO = gauge(
    "kubevirt_vm_info",
    "Information about Virtual Machines.",
    *(*_VM, "os", "workload", "flavor", "machine_type", "instance_type", "preference", "status", "status_group"),
)
VM_RESOURCE_REQUESTS = gauge(
    "kubevirt_vm_resource_requests", "Resources requested by Virtual Machine.", *_VM, "resource", "unit", "source"
)
VM_DISK_ALLOCATED = gauge(
    "kubevirt_vm_disk_allocated_size_bytes",
    "Allocated disk size of a Virtual Machine in bytes, by its volumes.",
    *(*_VM, "persistentvolumeclaim", "volume_mode", "device"),
)
STATUS_GROUPS = ("running", "starting", "migrating", "non_running", "error")
VM_LAST_TRANSITION: dict[str, Family] = {
    group: gauge(
        f"kubevirt_vm_{group}_status_{_LAST}",
        f"Virtual Machine last transition timestamp to {group.replace('_', ' ')} status.",
        *_VM,
    )
    for group in STATUS_GROUPS
}
"""KubeVirt types them as counters, which they are not: they are 0 again once the status is another."""
VMI_INFO = gauge(
    "kubevirt_vmi_info",
    "Information about VirtualMachineInstances.",
    *("node", "namespace", "name", "phase", "os", "workload", "flavor", "instance_type", "preference"),
    *("guest_os_kernel_release", "guest_os_machine", "guest_os_arch", "guest_os_name", "guest_os_version_id"),
    *("evictable", "outdated", "vmi_pod"),
)
VMI_NON_EVICTABLE = gauge(
    "kubevirt_vmi_non_evictable",
    "Indication for a VirtualMachine that its eviction strategy is set to Live Migration but is not migratable.",
    *("node", "namespace", "name"),
)

_MOVING = ("namespace", "name", "node")
MIGRATION_DATA_TOTAL = counter(
    "kubevirt_vmi_migration_data_bytes_total", "The total Guest OS data to be migrated to the new VM.", *_MOVING
)
MIGRATION_DATA_PROCESSED = gauge(
    "kubevirt_vmi_migration_data_processed_bytes",
    "The total Guest OS data processed and migrated to the new VM.",
    *_MOVING,
)
MIGRATION_DATA_REMAINING = gauge(
    "kubevirt_vmi_migration_data_remaining_bytes",
    "The remaining guest OS data to be migrated to the new VM.",
    *_MOVING,
)
MIGRATION_DIRTY_RATE = gauge(
    "kubevirt_vmi_migration_dirty_memory_rate_bytes",
    "The rate of memory being dirty in the Guest OS.",
    *_MOVING,
)
MIGRATION_TRANSFER_RATE = gauge(
    "kubevirt_vmi_migration_memory_transfer_rate_bytes", "The rate at which the memory is being transferred.", *_MOVING
)
MIGRATION_START = gauge(
    "kubevirt_vmi_migration_start_time_seconds",
    "The time at which the migration started.",
    *("node", "namespace", "name", "migration_name"),
)
MIGRATION_END = gauge(
    "kubevirt_vmi_migration_end_time_seconds",
    "The time at which the migration ended.",
    *("node", "namespace", "name", "migration_name", "status"),
)
MIGRATION_SUCCEEDED = gauge(
    "kubevirt_vmi_migration_succeeded",
    "Indicates if the VMI migration succeeded.",
    *("vmi", "vmim", "namespace"),
)
MIGRATION_FAILED = gauge(
    "kubevirt_vmi_migration_failed", "Indicates if the VMI migration failed.", *("vmi", "vmim", "namespace")
)
MIGRATIONS_IN: dict[str, Family] = {
    phase: gauge(f"kubevirt_vmi_migrations_in_{phase}_phase", f"Number of current {phase} migrations.")
    for phase in ("unset", "pending", "scheduling", "running")
}

VM_FAMILIES: tuple[Family, ...] = (
    VM_INFO,
    VM_RESOURCE_REQUESTS,
    VM_DISK_ALLOCATED,
    *VM_LAST_TRANSITION.values(),
    VMI_INFO,
    VMI_NON_EVICTABLE,
)
MIGRATION_FAMILIES: tuple[Family, ...] = (
    MIGRATION_DATA_TOTAL,
    MIGRATION_DATA_PROCESSED,
    MIGRATION_DATA_REMAINING,
    MIGRATION_DIRTY_RATE,
    MIGRATION_TRANSFER_RATE,
    MIGRATION_START,
    MIGRATION_END,
    MIGRATION_SUCCEEDED,
    MIGRATION_FAILED,
)
KUBEVIRT: tuple[Family, ...] = (*VM_FAMILIES, *MIGRATION_FAMILIES, *MIGRATIONS_IN.values())
