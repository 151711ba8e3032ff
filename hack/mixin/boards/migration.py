"""Drover / Live migration."""

from mixin.boards.board import Board, buckets, panel, quantiles

NOW = (
    panel(
        "stacked",
        "Under way by phase",
        "short",
        "Live migrations that have not ended.",
        (
            'sum by (phase) (drover_migrations{<S>, phase!~"Succeeded|Failed|Cancelled"})'
            ' or on () label_replace(vector(0), "phase", "none", "", "")',
            "{{phase}}",
        ),
    ).wide(8),
    panel(
        "stacked",
        "Ended by result",
        "short",
        "Live migrations that ended.",
        ("sum by (result) (increase(drover_migrations_total{<P>}[$__rate_interval]))", "{{result}}"),
    ).wide(8),
    panel(
        "stacked",
        "Aborted by reason",
        "short",
        "Why migrations failed or were cancelled (status.failureReason).",
        ("sum by (reason) (increase(drover_migration_aborts_total{<P>}[$__rate_interval]))", "{{reason}}"),
    ).wide(8),
)
COST = (
    panel(
        "timeseries",
        "Duration",
        "s",
        "From creation to the end, queueing included.",
        *quantiles("drover_migration_duration_seconds"),
    ).wide(8),
    panel(
        "timeseries",
        "Downtime",
        "s",
        "For how long guests were paused.",
        *quantiles("drover_migration_downtime_seconds", "mode"),
    ).wide(8),
    panel(
        "timeseries",
        "Time in each phase",
        "s",
        "Median time that migrations spent in a phase.",
        (
            "histogram_quantile(0.5, sum by (le, phase)"
            " (rate(drover_migration_phase_duration_seconds_bucket{<P>}[$__rate_interval])))",
            "{{phase}}",
        ),
    ).wide(8),
    panel(
        "heatmap",
        "Downtime, how often",
        "s",
        "Migrations by their pause.",
        buckets("drover_migration_downtime_seconds"),
    ).wide(8),
    panel(
        "heatmap",
        "Passes, how often",
        "short",
        "Migrations by their pre-copy passes.",
        buckets("drover_migration_iterations"),
    ).wide(8),
    panel(
        "heatmap",
        "Bytes, how often",
        "bytes",
        "Migrations by what they sent.",
        buckets("drover_migration_transferred_bytes"),
    ).wide(8),
)
NETWORK = (
    panel(
        "timeseries",
        "Sent between pools",
        "Bps",
        "What migrations sent, counted at their end.",
        (
            "sum by (source_pool, target_pool) (rate(drover_migration_transfer_bytes_total{<P>}[$__rate_interval]))",
            "{{source_pool}} to {{target_pool}}",
        ),
    ),
    panel(
        "timeseries",
        "Error of the estimate",
        "percentunit",
        "How far what was played is from what was predicted: median and p90.",
        *quantiles("drover_migration_estimate_error_ratio", "quantity")[:2],
    ),
)
BOARD = Board(
    "drover-migration",
    "Drover / Live migration",
    "What moves, what it takes, and how well that was predicted.",
    (("Now", NOW), ("What they take", COST), ("Network and prediction", NETWORK)),
)
