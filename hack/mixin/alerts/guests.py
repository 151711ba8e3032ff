"""Alerts about VMs and their migrations."""

from mixin.alerts.alert import PROCESS, Alert

VMS = (
    Alert(
        "DroverVMStuckInPhase",
        "time() - drover_vm_phase_transition_timestamp_seconds > 600 and on (namespace, vm, uid)"
        ' drover_vm_status_phase{phase=~"Provisioning|Starting|Stopping|Terminating"} == 1',
        "warning",
        "none",
        "VM {{ $labels.namespace }}/{{ $labels.vm }} makes no progress.",
        "VM {{ $labels.namespace }}/{{ $labels.vm }} has been in one passing phase"
        " for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "DroverVMUnschedulable",
        "time() - drover_vm_phase_transition_timestamp_seconds > 900 and on (namespace, vm, uid)"
        ' drover_vm_status_phase{phase="Unschedulable"} == 1',
        "warning",
        "none",
        "VM {{ $labels.namespace }}/{{ $labels.vm }} fits nowhere.",
        "VM {{ $labels.namespace }}/{{ $labels.vm }} has waited {{ $value | humanizeDuration }} for a host;"
        " its Scheduled condition says what is missing.",
    ),
    Alert(
        "DroverVMCrashLooping",
        f"sum by (namespace, reason) (increase(drover_vm_crashes_total{{{PROCESS}}}[1h])) > 5",
        "warning",
        "none",
        "Guests in namespace {{ $labels.namespace }} keep failing.",
        "{{ $value | humanize }} guests of namespace {{ $labels.namespace }} were lost in an hour:"
        " {{ $labels.reason }}.",
    ),
)

MIGRATIONS = (
    Alert(
        "DroverMigrationStuck",
        "time() - drover_vm_phase_transition_timestamp_seconds > 1800 and on (namespace, vm, uid)"
        ' drover_vm_status_phase{phase="Migrating"} == 1',
        "warning",
        "none",
        "A live migration of {{ $labels.namespace }}/{{ $labels.vm }} does not end.",
        "VM {{ $labels.namespace }}/{{ $labels.vm }} has been migrating for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "DroverMigrationFailureRateHigh",
        f'sum(increase(drover_migrations_total{{{PROCESS},result="Failed"}}[1h]))'
        f" / sum(increase(drover_migrations_total{{{PROCESS}}}[1h])) > 0.1"
        f" and sum(increase(drover_migrations_total{{{PROCESS}}}[1h])) >= 5",
        "warning",
        "none",
        "Live migrations fail.",
        "{{ $value | humanizePercentage }} of the live migrations of the last hour have failed.",
    ),
    Alert(
        "DroverMigrationDowntimeHigh",
        "histogram_quantile(0.99, sum by (mode, le)"
        f" (increase(drover_migration_downtime_seconds_bucket{{{PROCESS}}}[1h]))) > 1",
        "warning",
        "none",
        "Live migrations pause their guests for long.",
        "One in a hundred {{ $labels.mode }} migrations of the last hour paused its guest for"
        " {{ $value | humanizeDuration }} or more.",
    ),
    Alert(
        "DroverExcessiveMigrations",
        f'sum by (namespace) (increase(drover_vm_transitions_total{{{PROCESS},to="Migrating"}}[24h]))'
        " / on (namespace) sum by (namespace) (drover_vms) >= 12",
        "warning",
        "none",
        "VMs of namespace {{ $labels.namespace }} are moved too often.",
        "The VMs of namespace {{ $labels.namespace }} were migrated {{ $value | humanize }} times each, on average,"
        " in a day.",
    ),
)
