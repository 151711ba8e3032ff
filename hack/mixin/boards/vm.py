"""Drover / VM: one virtual machine."""

from mixin.boards.board import NAMESPACE, Board, Variable, panel

ONE = '<S>, namespace=~"$namespace", vm=~"$vm"'
VM = Variable("vm", 'label_values(drover_vm_vcpus{job=~"$job", namespace=~"$namespace"}, vm)')

NOW = (
    panel("stat", "vCPUs", "short", "vCPUs it holds now.", (f"sum(drover_vm_vcpus{{{ONE}}})", "vCPUs")).wide(4, 5),
    panel("stat", "Memory", "bytes", "Memory it holds now.", (f"sum(drover_vm_memory_bytes{{{ONE}}})", "memory")).wide(
        4, 5
    ),
    panel(
        "stat", "Storage", "bytes", "Root disk and volumes.", (f"sum(drover_vm_storage_bytes{{{ONE}}})", "storage")
    ).wide(4, 5),
    panel(
        "stat",
        "Age",
        "s",
        "Since the object was made.",
        (f"time() - max(drover_vm_created_timestamp_seconds{{{ONE}}})", "age"),
    ).wide(4, 5),
    panel(
        "stat",
        "In this phase for",
        "s",
        "Since the last change of phase.",
        (f"time() - max(drover_vm_phase_transition_timestamp_seconds{{{ONE}}})", "since"),
    ).wide(4, 5),
    panel(
        "stat",
        "Share of time running",
        "percentunit",
        "Of the time shown in which the VM was there.",
        (
            f'sum(count_over_time(drover_vm_status_phase{{{ONE}, phase=~"Running|Migrating"}}[$__range]))'
            f" / sum(count_over_time(drover_vm_vcpus{{{ONE}}}[$__range]))",
            "running",
        ),
    ).wide(4, 5),
)
LIFE = (
    panel(
        "timeline",
        "Phase",
        "short",
        "Its phase over time.",
        (f"max by (namespace, vm, phase) (drover_vm_status_phase{{{ONE}}}) == 1", "{{vm}} {{phase}}"),
    ).wide(24),
    panel(
        "timeline",
        "Host",
        "short",
        "The host it was on.",
        (f'max by (vm, host) (drover_vm_info{{{ONE}, host!=""}})', "{{vm}} {{host}}"),
    ).wide(24),
    panel(
        "table",
        "Information",
        "short",
        "Where it is, and what it is.",
        (f"max by (namespace, vm, host, zone, flavor, run_strategy) (drover_vm_info{{{ONE}}})", ""),
    ).wide(24),
    panel(
        "timeseries",
        "Storage by class",
        "bytes",
        "Its root disk and its volumes.",
        (f"sum by (storage_class) (drover_vm_storage_bytes{{{ONE}}})", "{{storage_class}}"),
    ).wide(12),
    panel(
        "timeseries",
        "Transitions in its namespace",
        "short",
        "What becomes of the VMs of the namespace, by the phase entered.",
        (
            'sum by (to) (increase(drover_vm_transitions_total{<P>, namespace=~"$namespace"}[$__rate_interval]))',
            "{{to}}",
        ),
    ).wide(12),
)
BOARD = Board(
    "drover-vm",
    "Drover / VM",
    "One virtual machine: where it is, how large, and what became of it.",
    (("Now", NOW), ("Over time", LIFE)),
    (NAMESPACE, VM),
)
