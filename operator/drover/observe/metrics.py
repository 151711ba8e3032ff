"""The process's own metrics: what it reconciles, asks of the API server and waits for."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from drover import __version__
from drover.control.outcome import Controller, Outcome
from drover.control.world import World

SUBSECOND = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """One registry a process; every instance exposes it, leader or not."""

    def __init__(self, lease: str = "drover", identity: str = "") -> None:
        # The client library otherwise adds a _created series to each counter and histogram.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        prometheus_client.GCCollector(registry=self.registry)
        self._build_info()
        self._leadership(lease, identity)
        self._reconciles()
        self._api()
        self.loop_lag = self._histogram(
            "drover_event_loop_lag_seconds", "Scheduling delay of the operator's event loop."
        )
        self.render_duration = self._histogram(
            "drover_metrics_render_duration_seconds", "Time to render the metrics page."
        )

    def page(self) -> bytes:
        """The exposition, in Prometheus' text format."""
        return prometheus_client.generate_latest(self.registry)

    def set_leader(self, leads: bool) -> None:
        self._leader.set(leads)
        self._master.set(leads)

    def queue_depth(self, depth: Callable[[], int]) -> None:
        """Report what ``depth`` says at each scrape."""
        self._queue.labels("drover").set_function(depth)

    def instrument(self, controller: Controller) -> Controller:
        """The same controller, its reconciles counted and timed."""

        def reconcile(resource: Any, world: World, now: datetime) -> Outcome:
            begun = time.perf_counter()
            result = "error"
            try:
                outcome = controller.reconcile(resource, world, now)
                result = "requeue" if outcome.requeue_at is not None else "success"
                return outcome
            finally:
                self._reconcile_total.labels(controller.kind, result).inc()
                self._reconcile_duration.labels(controller.kind).observe(time.perf_counter() - begun)

        return replace(controller, reconcile=reconcile)

    def watch_event(self, resource: str, event: str | None) -> None:
        self._watch_events.labels(resource, event or "LISTED").inc()

    def api_request(self, verb: str, resource: str, code: str, seconds: float) -> None:
        self._api_requests.labels(verb, resource, code).inc()
        self._api_duration.labels(verb, resource).observe(seconds)

    def api_conflict(self, resource: str) -> None:
        self._api_conflicts.labels(resource).inc()

    def _build_info(self) -> None:
        names = ("version", "python_version", "kopf_version")
        info = self._gauge("drover_build_info", "Build information; always 1.", *names)
        info.labels(__version__, platform.python_version(), version("kopf")).set(1)

    def _leadership(self, lease: str, identity: str) -> None:
        leader = self._gauge("drover_leader", "1 on the instance holding the lease.", "lease", "identity")
        self._leader = leader.labels(lease, identity)
        master = self._gauge("leader_election_master_status", "1 if this process holds the lease.", "name")
        self._master = master.labels(lease)
        self.set_leader(False)

    def _reconciles(self) -> None:
        self._reconcile_total = self._counter(
            "drover_reconcile_total",
            "Reconciliations by result (success, error, requeue, permanent_error).",
            "controller",
            "result",
        )
        self._reconcile_duration = self._histogram(
            "drover_reconcile_duration_seconds", "Length of one reconciliation.", "controller"
        )
        self._queue = self._gauge("workqueue_depth", "Current depth of workqueue.", "name")
        self._watch_events = self._counter("drover_watch_events_total", "Watch events received.", "resource", "type")

    def _api(self) -> None:
        self._api_requests = self._counter(
            "drover_api_requests_total", "Requests to the Kubernetes API.", "verb", "resource", "code"
        )
        self._api_duration = self._histogram(
            "drover_api_request_duration_seconds",
            "Latency of requests to the Kubernetes API.",
            "verb",
            "resource",
        )
        self._api_conflicts = self._counter("drover_api_conflicts_total", "Write conflicts (409) met.", "resource")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=SUBSECOND)
