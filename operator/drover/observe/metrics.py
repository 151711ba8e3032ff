"""The process's own metrics: what it reconciles, asks of the API server and waits for."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from drover import __version__
from drover.api.kinds import WATCHED
from drover.api.usagerecord import UsageRecord
from drover.observe.families import PROCESS, Family
from drover.observe.families import process as families


class Metrics:
    """Every family of ``PROCESS``; every instance exposes them, leader or not."""

    def __init__(self, lease: str = "drover", identity: str = "") -> None:
        # The client library otherwise adds a _created series to each counter and histogram.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        prometheus_client.GCCollector(registry=self.registry)
        self._made = {family: _made(family, self.registry) for family in PROCESS}
        self._lease, self._identity = lease, identity
        self._heard_at: dict[str, float] = {}
        running = __version__, os.environ.get("DROVER_REVISION", ""), platform.python_version(), version("kopf")
        self.set(families.BUILD_INFO, 1, *running)
        self.set_leader(False)

    def page(self) -> bytes:
        """The exposition, in Prometheus' text format. May be called from any thread."""
        return prometheus_client.generate_latest(self.registry)

    # One sample

    def begin(self, family: Family, *labels: str) -> None:
        """Expose a counter or histogram at 0, or what it counts first is not seen: the series begins with it."""
        self._made[family].labels(*labels)

    def count(self, family: Family, *labels: str, by: float = 1) -> None:
        made = self._made[family]
        assert isinstance(made, Counter)
        (made.labels(*labels) if labels else made).inc(by)

    def observe(self, family: Family, value: float, *labels: str) -> None:
        made = self._made[family]
        assert isinstance(made, Histogram)
        (made.labels(*labels) if labels else made).observe(value)

    def set(self, family: Family, value: float, *labels: str) -> None:
        self._gauge(family, *labels).set(value)

    def tell(self, family: Family, value: Callable[[], float], *labels: str) -> None:
        """Report what ``value`` says at each scrape."""
        self._gauge(family, *labels).set_function(value)

    def _gauge(self, family: Family, *labels: str) -> Gauge:
        made = self._made[family]
        assert isinstance(made, Gauge)
        return made.labels(*labels) if labels else made

    # What the shell says

    def set_leader(self, leads: bool) -> None:
        self.set(families.LEADER, leads, self._lease, self._identity)
        self.set(families.MASTER_STATUS, leads, self._lease)

    def watch_event(self, resource: str, event: str | None) -> None:
        self.count(families.WATCH_EVENTS, resource, event or "LISTED")
        self.heard_of(resource)

    def heard_of(self, resource: str) -> None:
        """The API server has just told of a resource: an event, a list or an audit."""
        if resource not in self._heard_at:
            self.tell(families.WATCH_STALENESS, lambda: time.monotonic() - self._heard_at[resource], resource)
        self._heard_at[resource] = time.monotonic()

    def kind_listed(self, kind: str) -> None:
        self.heard_of(WATCHED[kind].PLURAL)

    def api_request(self, verb: str, resource: str, code: str, seconds: float) -> None:
        self.count(families.API_REQUESTS, verb, resource, code)
        self.observe(families.API_REQUEST_DURATION, seconds, verb, resource)

    def http_request(self, code: str, method: str, host: str) -> None:
        """``host``: host and port of the API server."""
        self.count(families.REST_CLIENT_REQUESTS, code, method, host)

    def written(self, kind: str, result: str) -> None:
        """One attempt to write an object: success, conflict, refused or unanswered."""
        if kind == UsageRecord.KIND:
            self.count(families.LEDGER_WRITES, result)

    def api_conflict(self, resource: str) -> None:
        self.count(families.API_CONFLICTS, resource)


def _made(family: Family, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    match family.type:
        case "counter":
            return Counter(family.name, family.help, family.labels, registry=registry)
        case "gauge":
            return Gauge(family.name, family.help, family.labels, registry=registry)
        case "histogram":
            return Histogram(family.name, family.help, family.labels, registry=registry, buckets=family.buckets)
