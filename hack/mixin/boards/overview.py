"""Drover / Overview: is all well, and how full is it."""

from mixin.boards.board import Board, panel

FULL = ((0.0, "green"), (0.85, "orange"), (0.95, "red"))
NONE_IS_WELL = ((0.0, "green"), (1.0, "red"))
ALLOCATED_SHARE = (
    "sum by (resource) (drover_host_allocated{<S>}) / (sum by (resource) (drover_host_allocatable{<S>}) > 0)"
)

HEALTH = (
    panel(
        "stat",
        "Leader",
        "short",
        "Instances that hold the Lease: one.",
        ("sum(drover_leader{<P>})", "leaders"),
    ).wide(4, 5),
    panel("stat", "Hosts", "short", "Hosts that are known.", ("count(drover_host_vms{<S>})", "hosts")).wide(4, 5),
    panel(
        "stat",
        "Hosts not Ready",
        "short",
        "Hosts on which guests cannot run now, be they switched off or failed.",
        ('sum(1 - drover_host_status_condition{<S>, condition="Ready", status="true"})', "not Ready"),
    )
    .wide(4, 5)
    .coloured(*NONE_IS_WELL),
    panel(
        "stat",
        "Running VMs",
        "short",
        "VMs whose guest runs, on its way to another host or not.",
        ('sum(drover_vms{<S>, phase=~"Running|Migrating"})', "running"),
    ).wide(4, 5),
    panel(
        "stat",
        "VMs without a host",
        "short",
        "VMs that are wanted on and wait: for what they need, or for room.",
        ("sum(drover_scheduler_pending_vms{<S>})", "waiting"),
    ).wide(4, 5),
    panel(
        "stat",
        "Migrations under way",
        "short",
        "Live migrations that have not ended.",
        ('sum(drover_migrations{<S>, phase!~"Succeeded|Failed|Cancelled"}) or vector(0)', "under way"),
    ).wide(4, 5),
)
FILL = (
    panel(
        "gauge",
        "Allocated share",
        "percentunit",
        "Share of what VMs may be given, over all hosts, that they hold, by resource.",
        (ALLOCATED_SHARE, "{{resource}}"),
    )
    .wide(8)
    .coloured(*FULL),
    panel(
        "timeseries",
        "Allocated share over time",
        "percentunit",
        "The same over time. Alerts begin at 85 %.",
        (ALLOCATED_SHARE, "{{resource}}"),
    ).wide(8),
    panel(
        "bars",
        "Placeable VMs by flavor",
        "short",
        "How many more VMs of each flavor fit now, over all pools.",
        ("sum by (flavor) (drover_pool_placeable_vms{<S>})", "{{flavor}}"),
    ).wide(8),
)
VMS = (
    panel(
        "stacked",
        "VMs by phase",
        "short",
        "Where the VMs are in their lives.",
        ("sum by (phase) (drover_vms{<S>})", "{{phase}}"),
    ).wide(12),
    panel(
        "bars",
        "Largest namespaces",
        "short",
        "The ten namespaces with most VMs.",
        ("topk(10, sum by (namespace) (drover_vms{<S>}))", "{{namespace}}"),
    ).wide(6),
    panel(
        "table",
        "Alerts that fire",
        "short",
        "Alerts of Drover that fire now; empty where all is well.",
        (
            'count by (alertname, severity) (ALERTS{alertname=~"Drover.+", alertstate="firing"})'
            ' or on () label_replace(vector(0), "alertname", "none", "", "")',
            "",
        ),
    ).wide(6),
)
BOARD = Board(
    "drover-overview",
    "Drover / Overview",
    "Is all well, and how full is it.",
    (("Health", HEALTH), ("Capacity", FILL), ("Virtual machines", VMS)),
)
