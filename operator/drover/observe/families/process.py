"""The families of /metrics: what one process did and does. Every replica exposes them; what happens to VMs and
migrations is counted by the one that leads.
"""

from __future__ import annotations

from drover.observe.families.family import Family, counter, gauge, histogram

SUBSECOND = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
WAITING = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
PHASE_SECONDS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
DOWNTIME = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1.0, 2.0, 5.0)
ATTEMPT = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0)
ITERATIONS = (1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0)
TRANSFERRED = tuple(float(2**power) for power in range(26, 41, 2))
ERROR_RATIO = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)

VM_PHASE_TRANSITION_DURATION = histogram(
    "drover_vm_phase_transition_duration_seconds",
    "Time from VM creation until the phase was first reached.",
    PHASE_SECONDS,
    "phase",
)
VM_DELETION_DURATION = histogram(
    "drover_vm_deletion_duration_seconds", "Time from deletion request until the VM is gone.", PHASE_SECONDS
)
VM_TRANSITIONS = counter("drover_vm_transitions_total", "VM phase transitions.", "namespace", "from", "to")
VM_CRASHES = counter("drover_vm_crashes_total", "Guest crashes and failures detected.", "namespace", "reason")
FAULTS_INJECTED = counter("drover_faults_injected_total", "Faults injected.", "kind", "target")

MIGRATIONS_ENDED = counter(
    "drover_migrations_total",
    "Finished migrations; reason from the closed set of failureReason.",
    *("mode", "trigger", "result", "reason"),
)
MIGRATION_ESTIMATE_ERROR = histogram(
    "drover_migration_estimate_error_ratio",
    "Predicted against played: |played - predicted| / predicted of duration, downtime and bytes.",
    ERROR_RATIO,
    "quantity",
)
MIGRATION_DURATION = histogram(
    "drover_migration_duration_seconds",
    "Total migration time from creation to end.",
    PHASE_SECONDS,
    *("mode", "result"),
)
MIGRATION_PHASE_DURATION = histogram(
    "drover_migration_phase_duration_seconds", "Time spent in each migration phase.", PHASE_SECONDS, "phase", "mode"
)
MIGRATION_DOWNTIME = histogram("drover_migration_downtime_seconds", "Guest blackout of a migration.", DOWNTIME, "mode")
MIGRATION_ITERATIONS = histogram("drover_migration_iterations", "Pre-copy rounds of a migration.", ITERATIONS, "mode")
MIGRATION_TRANSFERRED = histogram(
    "drover_migration_transferred_bytes", "Bytes sent by a migration.", TRANSFERRED, "mode"
)
MIGRATION_TRANSFER = counter(
    "drover_migration_transfer_bytes_total", "Migration bytes sent.", "source_pool", "target_pool"
)
MIGRATION_ABORTS = counter("drover_migration_aborts_total", "Migrations aborted.", "reason")

SCHEDULER_ATTEMPTS = counter(
    "drover_scheduler_attempts_total",
    "Placement attempts by result (scheduled, unschedulable, error).",
    *("profile", "result"),
)
SCHEDULER_ATTEMPT_DURATION = histogram(
    "drover_scheduler_attempt_duration_seconds", "Time of one placement attempt.", ATTEMPT, "profile", "result"
)
SCHEDULER_E2E_DURATION = histogram(
    "drover_scheduler_e2e_duration_seconds", "Time from VM becoming pending to binding.", PHASE_SECONDS, "attempts"
)
SCHEDULER_FILTER_REJECTIONS = counter(
    "drover_scheduler_filter_rejections_total", "Node rejections by filter.", "filter"
)
SCHEDULER_PREEMPTIONS = counter("drover_scheduler_preemptions_total", "Preemption attempts.", "result")

BUILD_INFO = gauge(
    "drover_build_info",
    "Build information; always 1.",
    *("version", "revision", "python_version", "kopf_version"),
)
LEADER = gauge("drover_leader", "1 on the instance holding the lease.", "lease", "identity")
RECONCILE = counter(
    "drover_reconcile_total",
    "Reconciliations by result (success, error, requeue, permanent_error).",
    *("controller", "result"),
)
RECONCILE_DURATION = histogram(
    "drover_reconcile_duration_seconds", "Length of one reconciliation.", SUBSECOND, "controller"
)
EVENT_LOOP_LAG = histogram("drover_event_loop_lag_seconds", "Scheduling delay of the operator's event loop.", SUBSECOND)
WATCH_EVENTS = counter("drover_watch_events_total", "Watch events received.", "resource", "type")
WATCH_STALENESS = gauge("drover_watch_staleness_seconds", "Time since the last watch event or list.", "resource")
API_REQUESTS = counter("drover_api_requests_total", "Requests to the Kubernetes API.", "verb", "resource", "code")
API_REQUEST_DURATION = histogram(
    "drover_api_request_duration_seconds",
    "Latency of requests to the Kubernetes API.",
    SUBSECOND,
    *("verb", "resource"),
)
API_CONFLICTS = counter("drover_api_conflicts_total", "Write conflicts (409) met.", "resource")
METRICS_RENDER_DURATION = histogram(
    "drover_metrics_render_duration_seconds", "Time to render the metrics page.", SUBSECOND
)

ADMISSION_REVIEWS = counter(
    "drover_admission_reviews_total",
    "Objects that drover admission has reviewed, by its answer (allowed, warned, refused, error).",
    *("resource", "result"),
)
ADMISSION_DURATION = histogram(
    "drover_admission_review_duration_seconds", "Time drover admission took to answer.", SUBSECOND, "resource"
)

LEDGER_WRITES = counter("drover_ledger_writes_total", "Ledger writes by result.", "result")

WORKQUEUE_DEPTH = gauge("workqueue_depth", "Current depth of workqueue.", "name")
WORKQUEUE_ADDS = counter("workqueue_adds_total", "Total number of adds handled by workqueue.", "name")
WORKQUEUE_QUEUE_DURATION = histogram(
    "workqueue_queue_duration_seconds",
    "How long in seconds an item stays in workqueue before being requested.",
    WAITING,
    "name",
)
WORKQUEUE_WORK_DURATION = histogram(
    "workqueue_work_duration_seconds",
    "How long in seconds processing an item from workqueue takes.",
    SUBSECOND,
    "name",
)
WORKQUEUE_RETRIES = counter("workqueue_retries_total", "Total number of retries handled by workqueue.", "name")
WORKQUEUE_UNFINISHED = gauge(
    "workqueue_unfinished_work_seconds",
    "Seconds of work in progress not yet observed by work_duration.",
    "name",
)
WORKQUEUE_LONGEST = gauge(
    "workqueue_longest_running_processor_seconds",
    "Seconds the longest running processor has been running.",
    "name",
)
MASTER_STATUS = gauge("leader_election_master_status", "1 if this process holds the lease.", "name")
REST_CLIENT_REQUESTS = counter(
    "rest_client_requests_total",
    "Number of HTTP requests, partitioned by status code, method, and host.",
    *("code", "method", "host"),
)

PROCESS: tuple[Family, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Family))
