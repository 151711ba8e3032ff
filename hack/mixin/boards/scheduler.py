"""Drover / Scheduler: placement."""

from mixin.boards.board import Board, panel, quantiles

PANELS = (
    panel(
        "timeseries",
        "Attempts by result",
        "reqps",
        "Placements tried: scheduled, unschedulable (no host fits), error.",
        ("sum by (result) (rate(drover_scheduler_attempts_total{<P>}[$__rate_interval]))", "{{result}}"),
    ),
    panel(
        "timeseries",
        "Waiting VMs by queue",
        "short",
        "active: about to be looked at; gated: what they need is missing; unschedulable: no host fits.",
        ("sum by (queue) (drover_scheduler_pending_vms{<S>})", "{{queue}}"),
    ),
    panel(
        "timeseries",
        "Time of one attempt",
        "s",
        "The reconcile in which a VM is placed or refused.",
        *quantiles("drover_scheduler_attempt_duration_seconds"),
    ),
    panel(
        "timeseries",
        "From pending to placed",
        "s",
        "How long VMs wait for a host, all attempts together.",
        *quantiles("drover_scheduler_e2e_duration_seconds"),
    ),
    panel(
        "stacked",
        "Rejections by rule",
        "short",
        "Hosts that failed on a rule, in refusals that were new. A host counts for the first rule it fails.",
        (
            "sum by (filter) (increase(drover_scheduler_filter_rejections_total{<P>}[$__rate_interval]))",
            "{{filter}}",
        ),
    ),
    panel(
        "timeseries",
        "Preemptions",
        "short",
        "Refusals after which VMs of lower priority are stopped to make room.",
        ("sum by (result) (increase(drover_scheduler_preemptions_total{<P>}[$__rate_interval]))", "{{result}}"),
    ),
    panel(
        "timeseries",
        "From creation to a phase",
        "s",
        "Median time from the creation of a VM until it first reached a phase.",
        (
            "histogram_quantile(0.5, sum by (le, phase)"
            " (rate(drover_vm_phase_transition_duration_seconds_bucket{<P>}[$__rate_interval])))",
            "{{phase}}",
        ),
    ),
    panel(
        "timeseries",
        "Placed by strategy",
        "reqps",
        "Placements by the strategy of the pool.",
        (
            'sum by (profile) (rate(drover_scheduler_attempts_total{<P>, result="scheduled"}[$__rate_interval]))',
            "{{profile}}",
        ),
    ),
)
BOARD = Board(
    "drover-scheduler", "Drover / Scheduler", "How VMs find their hosts, and why they do not.", (("Placement", PANELS),)
)
