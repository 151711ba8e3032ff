"""Alerts about the usage ledger."""

from mixin.alerts.alert import PROCESS, Alert

METERING = (
    Alert(
        "DroverMeteringStalled",
        "time() - drover_ledger_watermark_timestamp_seconds > 300",
        "critical",
        "critical",
        "Usage is not written down.",
        "Usage that ended {{ $value | humanizeDuration }} ago is in no UsageRecord yet; it is kept in the objects"
        " until it is.",
        "5m",
    ),
    Alert(
        "DroverLedgerWriteErrors",
        f'sum by (result) (increase(drover_ledger_writes_total{{{PROCESS},result=~"refused|unanswered"}}[10m])) > 3',
        "warning",
        "warning",
        "UsageRecords cannot be written: {{ $labels.result }}.",
        "{{ $value | humanize }} writes of UsageRecords were {{ $labels.result }} in the last 10 minutes.",
        "10m",
    ),
    Alert(
        "DroverLedgerDiscrepancy",
        "sum by (kind) (drover_ledger_discrepancies_total) > 0",
        "critical",
        "warning",
        "The usage ledger contradicts itself.",
        "{{ $value }} times the ledger's totals were not the sum of the intervals they come from ({{ $labels.kind }}).",
    ),
)
