"""The families of /metrics/state: the data centre as the API server confirms it. Only the leader exposes them."""

from __future__ import annotations

from drover.observe.families.family import Family, gauge

HOST_INFO = gauge(
    "drover_host_info",
    "Static information about a host; always 1.",
    *("host", "zone", "failure_domain", "cpu_model", "machine_type", "arch"),
)
HOST_CAPACITY = gauge(
    "drover_host_capacity",
    "Raw capacity of the host by resource (cpu in cores, memory and storage in bytes).",
    *("host", "resource", "unit"),
)
HOST_ALLOCATABLE = gauge(
    "drover_host_allocatable",
    "Capacity usable by VMs: (total - reserved) x allocation ratio.",
    *("host", "resource", "unit"),
)
HOST_ALLOCATED = gauge(
    "drover_host_allocated",
    "Sum of resources of VMs placed on the host, including incoming migration reservations.",
    *("host", "resource", "unit"),
)
HOST_OVERCOMMIT_RATIO = gauge(
    "drover_host_overcommit_ratio",
    "Effective allocation ratio applied by the scheduler to the host.",
    *("host", "resource"),
)
HOST_STATUS_CONDITION = gauge(
    "drover_host_status_condition",
    "Node condition; 1 for the current status value of each condition.",
    *("host", "condition", "status"),
)
HOST_VMS = gauge("drover_host_vms", "Number of VMs placed on the host.", "host")
POOL_LARGEST_FREE_SLOT = gauge(
    "drover_pool_largest_free_slot",
    "Largest amount of the resource free on any one schedulable host (fragmentation).",
    *("pool", "resource", "unit"),
)
POOL_PLACEABLE_VMS = gauge(
    "drover_pool_placeable_vms", "How many more VMs of the flavor the pool can place now.", "pool", "flavor"
)
VM_INFO = gauge(
    "drover_vm_info",
    "Information about a VM; always 1. Only per-VM series carrying placement labels.",
    *("namespace", "vm", "uid", "host", "zone", "flavor", "run_strategy"),
)
VM_STATUS_PHASE = gauge(
    "drover_vm_status_phase",
    "VM phase; 1 for the phase the VM is in, 0 for the others.",
    *("namespace", "vm", "uid", "phase"),
)
VM_VCPUS = gauge("drover_vm_vcpus", "Virtual CPUs currently allocated to the VM.", "namespace", "vm", "uid")
VM_MEMORY_BYTES = gauge("drover_vm_memory_bytes", "Memory currently allocated to the VM.", "namespace", "vm", "uid")
VM_STORAGE_BYTES = gauge(
    "drover_vm_storage_bytes",
    "Storage currently allocated to the VM by storage class.",
    *("namespace", "vm", "uid", "storage_class"),
)
VM_CREATED_TIMESTAMP_SECONDS = gauge(
    "drover_vm_created_timestamp_seconds",
    "Unix time at which the VM object was created.",
    *("namespace", "vm", "uid"),
)
VM_PHASE_TRANSITION_TIMESTAMP_SECONDS = gauge(
    "drover_vm_phase_transition_timestamp_seconds",
    "Unix time of the last phase transition of the VM.",
    *("namespace", "vm", "uid"),
)
VMS = gauge("drover_vms", "Number of VMs by namespace and phase.", "namespace", "phase")
MIGRATIONS = gauge("drover_migrations", "Migrations by current phase.", "phase", "mode")
SCHEDULER_PENDING_VMS = gauge(
    "drover_scheduler_pending_vms", "VMs waiting by queue (active, backoff, unschedulable, gated).", "queue"
)
METRICS_SERIES = gauge("drover_metrics_series", "Series exposed by family.", "family")

HOST_FAMILIES: tuple[Family, ...] = (
    HOST_INFO,
    HOST_CAPACITY,
    HOST_ALLOCATABLE,
    HOST_ALLOCATED,
    HOST_OVERCOMMIT_RATIO,
    HOST_STATUS_CONDITION,
    HOST_VMS,
)
VM_FAMILIES: tuple[Family, ...] = (
    VM_INFO,
    VM_STATUS_PHASE,
    VM_VCPUS,
    VM_MEMORY_BYTES,
    VM_STORAGE_BYTES,
    VM_CREATED_TIMESTAMP_SECONDS,
    VM_PHASE_TRANSITION_TIMESTAMP_SECONDS,
)
SUMS: tuple[Family, ...] = (
    POOL_LARGEST_FREE_SLOT,
    POOL_PLACEABLE_VMS,
    VMS,
    MIGRATIONS,
    SCHEDULER_PENDING_VMS,
)
"""What is summed up over objects."""
STATE: tuple[Family, ...] = (*HOST_FAMILIES, *VM_FAMILIES, *SUMS, METRICS_SERIES)
