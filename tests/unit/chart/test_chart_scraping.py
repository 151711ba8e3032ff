"""A real Prometheus, told what its operator would tell it of the chart's monitors, labels every series as it should."""

import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from charts import VALUES, of_kind, rendered

from mixin.binaries import MissingProgramError, find
from mixin.server import Prometheus, Series

PAGES = {
    "/metrics": 'drover_leader{lease="drover",identity="one"} 1\n',
    "/metrics/state": 'drover_vms{namespace="shop",phase="Running"} 3\ndrover_host_vms{host="h1"} 3\n',
}
TARGET = {"namespace": "drover-system", "service": "drover", "pod": "drover-0", "container": "drover"}
"""Labels that the Prometheus operator gives a target, beside those below."""


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    """host:port of a server that has the two pages."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(PAGES[self.path].encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.mark.parametrize(
    ("values", "kind", "field"),
    [("production", "ServiceMonitor", "endpoints"), ("everything", "PodMonitor", "podMetricsEndpoints")],
)
def test_series_keep_their_labels_and_their_jobs(
    values: str, kind: str, field: str, pages: str, tmp_path: Path
) -> None:
    try:
        find("prometheus")
    except MissingProgramError as error:
        pytest.skip(str(error))
    monitors = of_kind(rendered(f"--values={VALUES / values}.yaml"), kind)
    scrapes = [_scrape(end) for monitor in monitors for end in monitor["spec"][field]]
    with Prometheus(tmp_path, [pages], scrapes=scrapes) as prometheus:
        of_vms, of_host, of_process = (
            _labels(prometheus, name) for name in ("drover_vms", "drover_host_vms", "drover_leader")
        )
    assert of_vms == {"job": "drover-state", "namespace": "shop", "phase": "Running"}
    assert of_host == {"job": "drover-state", "host": "h1"}
    told = {"job": "drover", "lease": "drover", "identity": "one", "instance": pages, "endpoint": "metrics"}
    assert of_process == TARGET | told


def _labels(prometheus: Prometheus, name: str) -> dict[str, str]:
    found: list[Series] = []
    while not found:  # until it is scraped; pytest's time-out ends this
        found = prometheus.query(name)
    (series,) = found
    return {label: value for label, value in series["metric"].items() if label != "__name__"}


def _scrape(end: dict[str, Any]) -> dict[str, Any]:
    """What the Prometheus operator makes of an endpoint: its labels first, then the relabelings."""
    labels = TARGET | {"job": "drover", "endpoint": end["port"]}
    return {
        "job_name": end["path"],
        "metrics_path": end["path"],
        "static_configs": [{"labels": labels}],
        "relabel_configs": [_snake(rule) for rule in end["relabelings"]],
        "metric_relabel_configs": [_snake(rule) for rule in end.get("metricRelabelings", [])],
    }


def _snake(rule: dict[str, str]) -> dict[str, str]:
    return {re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", key): value for key, value in rule.items()}
