"""Drover / Operator: the process."""

from mixin.boards.board import Board, panel, quantiles

WORK = (
    panel(
        "timeseries",
        "Reconciles by controller",
        "reqps",
        "How often each kind is looked at.",
        ("sum by (controller) (rate(drover_reconcile_total{<P>}[$__rate_interval]))", "{{controller}}"),
    ).wide(8),
    panel(
        "timeseries",
        "Share of reconciles that fail",
        "percentunit",
        "Reconciles that raised.",
        (
            'sum(rate(drover_reconcile_total{<P>, result="error"}[$__rate_interval]) or vector(0))'
            " / sum(rate(drover_reconcile_total{<P>}[$__rate_interval]))",
            "errors",
        ),
    ).wide(8),
    panel(
        "timeseries",
        "p99 of a reconcile",
        "s",
        "The slowest in a hundred, by kind.",
        (
            "histogram_quantile(0.99, sum by (le, controller)"
            " (rate(drover_reconcile_duration_seconds_bucket{<P>}[$__rate_interval])))",
            "{{controller}}",
        ),
    ).wide(8),
    panel(
        "timeseries",
        "Work queue",
        "short",
        "Objects that wait for their turn.",
        ("sum by (instance) (workqueue_depth{<P>})", "{{instance}}"),
    ).wide(8),
    panel(
        "timeseries",
        "Wait in the queue",
        "s",
        "From being added to being taken.",
        *quantiles("workqueue_queue_duration_seconds"),
    ).wide(8),
    panel(
        "timeseries",
        "Longest write under way",
        "s",
        "How long the oldest write has waited for its answer.",
        ("max by (instance) (workqueue_longest_running_processor_seconds{<P>})", "{{instance}}"),
    ).wide(8),
)
API = (
    panel(
        "timeseries",
        "Requests to the API server",
        "reqps",
        "By verb.",
        ("sum by (verb) (rate(drover_api_requests_total{<P>}[$__rate_interval]))", "{{verb}}"),
    ).wide(8),
    panel(
        "timeseries",
        "Requests by code",
        "reqps",
        "2xx, 409 (a conflict: decided again), and all else.",
        ("sum by (code) (rate(rest_client_requests_total{<P>}[$__rate_interval]))", "{{code}}"),
    ).wide(8),
    panel(
        "timeseries",
        "p99 of a request",
        "s",
        "The slowest in a hundred, by verb.",
        (
            "histogram_quantile(0.99, sum by (le, verb)"
            " (rate(drover_api_request_duration_seconds_bucket{<P>}[$__rate_interval])))",
            "{{verb}}",
        ),
    ).wide(8),
    panel(
        "timeseries",
        "Watch events",
        "reqps",
        "What the API server tells, by kind.",
        ("sum by (resource) (rate(drover_watch_events_total{<P>}[$__rate_interval]))", "{{resource}}"),
    ).wide(8),
    panel(
        "timeseries",
        "Last heard of",
        "s",
        "Time since a kind was last heard of, by a watch or a list; the leader lists everything every two minutes.",
        ("max by (resource) (drover_watch_staleness_seconds{<P>})", "{{resource}}"),
    ).wide(8),
    panel(
        "timeseries",
        "Retries",
        "reqps",
        "Objects that are tried again with a back-off, after a conflict or an error.",
        ("sum by (instance) (rate(workqueue_retries_total{<P>}[$__rate_interval]))", "{{instance}}"),
    ).wide(8),
)
PROCESS = (
    panel(
        "timeseries",
        "Lag of the event loop",
        "s",
        "How late its turns come.",
        *quantiles("drover_event_loop_lag_seconds"),
    ).wide(8),
    panel(
        "timeseries",
        "Time to render /metrics/state",
        "s",
        "In steps between which the event loop turns.",
        *quantiles("drover_metrics_render_duration_seconds"),
    ).wide(8),
    panel(
        "timeseries",
        "Series",
        "short",
        "Series of /metrics/state by family.",
        ("topk(10, sum by (family) (drover_metrics_series{<S>}))", "{{family}}"),
    ).wide(8),
    panel(
        "timeseries",
        "CPU",
        "short",
        "Cores used.",
        ("sum by (instance) (rate(process_cpu_seconds_total{<P>}[$__rate_interval]))", "{{instance}}"),
    ).wide(8),
    panel(
        "timeseries",
        "Memory",
        "bytes",
        "Resident memory.",
        ("sum by (instance) (process_resident_memory_bytes{<P>})", "{{instance}}"),
    ).wide(8),
    panel(
        "table",
        "Versions",
        "short",
        "What runs.",
        ("max by (instance, version, python_version, kopf_version) (drover_build_info{<P>})", ""),
    ).wide(8),
)
BOARD = Board(
    "drover-operator",
    "Drover / Operator",
    "The process: what it does, what it waits for, and how it feels.",
    (("Work", WORK), ("API server", API), ("Process", PROCESS)),
)
