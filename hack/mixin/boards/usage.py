"""Drover / Usage: what namespaces have used."""

from mixin.boards.board import NAMESPACE, Board, panel

OF = '<S>, namespace=~"$namespace"'

NOW = tuple(
    panel(
        "timeseries", title, unit, description, (f"sum by ({by}) (rate({family}{{{OF}}}[$__rate_interval]))", legend)
    ).wide(8)
    for title, unit, family, by, legend, description in (
        (
            "vCPUs in use by namespace",
            "short",
            "drover_usage_vcpu_seconds_total",
            "namespace",
            "{{namespace}}",
            "vCPU-seconds metered a second: the vCPUs of VMs that run.",
        ),
        (
            "Memory in use by namespace",
            "bytes",
            "drover_usage_memory_byte_seconds_total",
            "namespace",
            "{{namespace}}",
            "Byte-seconds metered a second: the memory of VMs that run.",
        ),
        (
            "Storage by class",
            "bytes",
            "drover_usage_storage_byte_seconds_total",
            "storage_class",
            "{{storage_class}}",
            "Byte-seconds metered a second: volumes while they exist, and root disks (root), VM running or not.",
        ),
    )
)
SUMS = (
    panel(
        "table",
        "vCPU-hours",
        "short",
        "By namespace and flavor in the time shown. `drover usage` tells the same from the ledger, exactly.",
        (f"sum by (namespace, flavor) (increase(drover_usage_vcpu_seconds_total{{{OF}}}[$__range])) / 3600", ""),
    ).wide(8),
    panel(
        "table",
        "GiB-hours of memory",
        "short",
        "By namespace and flavor in the time shown.",
        (
            f"sum by (namespace, flavor) (increase(drover_usage_memory_byte_seconds_total{{{OF}}}[$__range]))"
            " / 3600 / 2 ^ 30",
            "",
        ),
    ).wide(8),
    panel(
        "table",
        "GiB-hours of storage",
        "short",
        "By namespace and storage class in the time shown.",
        (
            f"sum by (namespace, storage_class) (increase(drover_usage_storage_byte_seconds_total{{{OF}}}[$__range]))"
            " / 3600 / 2 ^ 30",
            "",
        ),
    ).wide(8),
    panel(
        "bars",
        "Instance-hours by state",
        "short",
        "Hours that VMs were in a state that is metered, in the time shown.",
        (f"sum by (state) (increase(drover_usage_instance_seconds_total{{{OF}}}[$__range])) / 3600", "{{state}}"),
    ).wide(8),
    panel(
        "bars",
        "Address-hours by namespace",
        "short",
        "Hours that addresses were held, in the time shown.",
        (
            f"sum by (namespace) (increase(drover_usage_public_ip_seconds_total{{{OF}}}[$__range])) / 3600",
            "{{namespace}}",
        ),
    ).wide(8),
    panel(
        "bars",
        "Sent by migrations",
        "bytes",
        "Bytes that live migrations of the namespace's VMs have sent, in the time shown.",
        (f"sum by (namespace) (increase(drover_usage_migration_bytes_total{{{OF}}}[$__range]))", "{{namespace}}"),
    ).wide(8),
)
LEDGER = (
    panel(
        "timeseries",
        "Behind the present",
        "s",
        "Age of the oldest interval that has ended and is in no UsageRecord yet; records are written once a minute.",
        ("time() - max(drover_ledger_watermark_timestamp_seconds{<S>})", "behind"),
    ).wide(8),
    panel(
        "timeseries",
        "Writes of UsageRecords",
        "reqps",
        "By what came of them.",
        ("sum by (result) (rate(drover_ledger_writes_total{<P>}[$__rate_interval]))", "{{result}}"),
    ).wide(8),
    panel(
        "stat",
        "Discrepancies",
        "short",
        "Differences between the totals and the intervals they come from, found by the audit: none.",
        ("sum(increase(drover_ledger_discrepancies_total{<S>}[$__range]))", "discrepancies"),
    )
    .wide(8)
    .coloured((0.0, "green"), (1.0, "red")),
)
BOARD = Board(
    "drover-usage",
    "Drover / Usage",
    "What namespaces have used: a view of the ledger, which `drover usage` reads exactly.",
    (("In use", NOW), ("Used in the time shown", SUMS), ("The ledger", LEDGER)),
    (NAMESPACE,),
    timezone="utc",
    since="now-24h",
)
