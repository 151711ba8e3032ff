"""The families of the usage ledger, on /metrics/state. Their counters go on across restarts and failovers, since ever:
the ledger rebuilds them from durable intervals. So they carry no ``_created``, and no label of the process.
"""

from __future__ import annotations

from drover.observe.families.family import Family, counter, gauge

_SINCE_EVER = "metered since the ledger epoch; recomputed from durable usage intervals"

USAGE_VCPU_SECONDS = counter(
    "drover_usage_vcpu_seconds_total",
    f"vCPU-seconds {_SINCE_EVER}, monotonic across restarts.",
    *("namespace", "flavor", "state"),
)
USAGE_MEMORY_BYTE_SECONDS = counter(
    "drover_usage_memory_byte_seconds_total",
    f"Memory byte-seconds {_SINCE_EVER}.",
    *("namespace", "flavor", "state"),
)
USAGE_STORAGE_BYTE_SECONDS = counter(
    "drover_usage_storage_byte_seconds_total",
    "Storage byte-seconds metered since the ledger epoch; runs while the volume exists, VM running or not.",
    *("namespace", "storage_class"),
)
USAGE_INSTANCE_SECONDS = counter(
    "drover_usage_instance_seconds_total",
    "Instance-seconds metered since the ledger epoch.",
    *("namespace", "flavor", "state"),
)
USAGE_PUBLIC_IP_SECONDS = counter(
    "drover_usage_public_ip_seconds_total", "Public address seconds metered since the ledger epoch.", "namespace"
)
USAGE_MIGRATION_BYTES = counter(
    "drover_usage_migration_bytes_total", "Bytes sent by live migrations since the ledger epoch.", "namespace"
)
LEDGER_WATERMARK = gauge(
    "drover_ledger_watermark_timestamp_seconds", "Unix time up to which the usage ledger is durable."
)
LEDGER_RECORDS = gauge(
    "drover_ledger_records",
    "Usage records in the ledger. The state is always open: a record may grow as long as it exists.",
    "state",
)
LEDGER_DISCREPANCIES = counter(
    "drover_ledger_discrepancies_total",
    "Differences found between accumulators and the sum of durable intervals.",
    "kind",
)

LEDGER: tuple[Family, ...] = (
    USAGE_VCPU_SECONDS,
    USAGE_MEMORY_BYTE_SECONDS,
    USAGE_STORAGE_BYTE_SECONDS,
    USAGE_INSTANCE_SECONDS,
    USAGE_PUBLIC_IP_SECONDS,
    USAGE_MIGRATION_BYTES,
    LEDGER_WATERMARK,
    LEDGER_RECORDS,
    LEDGER_DISCREPANCIES,
)
