"""Alerts about the operator itself."""

from mixin.alerts.alert import PROCESS, Alert

OPERATOR = (
    Alert(
        "DroverDown",
        f"absent(up{{{PROCESS}}} == 1)",
        "critical",
        "critical",
        "No Drover operator can be scraped.",
        "No instance of job drover has answered for 10 minutes: VMs run on, but nothing is placed, moved or restarted.",
        "10m",
    ),
    Alert(
        "DroverNoLeader",
        f"(sum(drover_leader{{{PROCESS}}}) or vector(0)) == 0 and on() (count(up{{{PROCESS}}} == 1) > 0)",
        "critical",
        "critical",
        "No Drover instance leads.",
        "Instances run, but none has held the Lease for 5 minutes: nothing is decided.",
        "5m",
    ),
    Alert(
        "DroverMultipleLeaders",
        f"sum(drover_leader{{{PROCESS}}}) > 1",
        "critical",
        "critical",
        "More than one Drover instance says that it leads.",
        "{{ $value }} instances have said for 2 minutes that they lead; only one of them can write.",
        "2m",
    ),
    Alert(
        "DroverReconcileErrorsHigh",
        f'sum by (controller) (rate(drover_reconcile_total{{{PROCESS},result="error"}}[10m]))'
        f" / sum by (controller) (rate(drover_reconcile_total{{{PROCESS}}}[10m])) > 0.05",
        "warning",
        "warning",
        "Reconciles of {{ $labels.controller }} fail.",
        "{{ $value | humanizePercentage }} of the reconciles of {{ $labels.controller }} have failed for 15 minutes.",
        "15m",
    ),
    Alert(
        "DroverWorkqueueBacklog",
        f"min_over_time(workqueue_depth{{{PROCESS}}}[10m]) > 500",
        "warning",
        "warning",
        "The work queue does not empty.",
        "At least {{ $value }} objects have waited for a reconcile at every moment of the last 10 minutes.",
    ),
    Alert(
        "DroverWorkqueueStuck",
        f"workqueue_longest_running_processor_seconds{{{PROCESS}}} > 300",
        "warning",
        "critical",
        "A write has not been answered.",
        "Instance {{ $labels.instance }} has waited {{ $value | humanizeDuration }} for the answer to one write.",
    ),
    Alert(
        "DroverWatchStale",
        f"drover_watch_staleness_seconds{{{PROCESS}}} > 300 and on (instance) drover_leader{{{PROCESS}}} == 1",
        "warning",
        "critical",
        "Nothing is heard of {{ $labels.resource }}.",
        "The leader has heard nothing of {{ $labels.resource }} for {{ $value | humanizeDuration }},"
        " though it lists everything every 2 minutes.",
    ),
    Alert(
        "DroverEventLoopLagHigh",
        "histogram_quantile(0.99, sum by (instance, le)"
        f" (rate(drover_event_loop_lag_seconds_bucket{{{PROCESS}}}[10m]))) > 1",
        "warning",
        "warning",
        "The operator's event loop is held.",
        "On {{ $labels.instance }} one in a hundred turns of the event loop is {{ $value | humanizeDuration }} late.",
        "10m",
    ),
    Alert(
        "DroverAPIErrorsHigh",
        f'sum(rate(drover_api_requests_total{{{PROCESS},code=~"5..|429|error"}}[10m]))'
        f" / sum(rate(drover_api_requests_total{{{PROCESS}}}[10m])) > 0.05",
        "warning",
        "warning",
        "The Kubernetes API server refuses or does not answer.",
        "{{ $value | humanizePercentage }} of the operator's requests have ended with 5xx, 429 or no answer"
        " for 15 minutes.",
        "15m",
    ),
    Alert(
        "DroverScrapeSlow",
        'max by (job) (scrape_duration_seconds{job=~"drover|drover-state"}) > 5',
        "warning",
        "none",
        "Scraping {{ $labels.job }} takes long.",
        "A scrape of {{ $labels.job }} takes {{ $value | humanizeDuration }}, more than half of its time-out.",
        "15m",
    ),
)
