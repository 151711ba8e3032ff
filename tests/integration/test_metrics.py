"""What a real Prometheus makes of a running operator: its pages, its rules, and every query of the dashboards."""

import math
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clouds import Cloud
from running import OperatorProcess, eventually

from conftest import Operator
from controlplane import ControlPlane
from mixin.binaries import MissingProgramError, find
from mixin.boards import BOARDS
from mixin.queries import executable, of_board
from mixin.server import Prometheus

SCRAPES = 2
"""A counter that appears has to be seen before it grows."""
RATE_INTERVAL = "5m"
"""Longer than the test, however late a scrape is."""


@pytest.fixture(scope="module")
def prometheus(operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    try:
        find("prometheus")
    except MissingProgramError as error:
        pytest.skip(str(error))
    with Prometheus(tmp_path_factory.mktemp("prometheus"), [f"127.0.0.1:{operator.process.port}"]) as server:
        yield server


def value(prometheus: Prometheus, expression: str) -> float | None:
    """Of the first series; None where there is none."""
    found = prometheus.query(expression)
    return float(found[0]["value"][1]) if found else None


def becomes(prometheus: Prometheus, expression: str, wanted: float) -> None:
    eventually(
        lambda: value(prometheus, expression) == wanted,
        20,
        lambda: f"{expression} is {value(prometheus, expression)}, not {wanted}",
    )


@pytest.mark.parametrize("page", ["/metrics", "/metrics/state"])
def test_promtool_finds_nothing_to_say_about_a_page(page: str, cloud: Cloud, operator: Operator) -> None:
    cloud.up(cloud.pool(1), cloud.flavor(), cloud.image(), cloud.network(), cloud.vm())
    status, text = operator.process.get(page)
    assert status == 200
    command = [find("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_standby_is_scraped_for_itself_and_not_for_the_state(
    cluster: ControlPlane, operator: Operator, tmp_path: Path
) -> None:
    with OperatorProcess(cluster.kubeconfig, "drover-system", tmp_path / "log") as standby:
        eventually(lambda: standby.ready().get("role") == "standby", 30, standby.log)
        assert operator.process.leads()
        status, text = standby.get("/metrics/state")
        assert status == 503
        assert "only the leader tells the state" in text
        assert "drover_build_info{" in standby.get("/metrics")[1]


def test_every_query_of_every_dashboard_returns_data(cloud: Cloud, prometheus: Prometheus) -> None:
    cloud.up(cloud.pool(4), cloud.flavor(), cloud.image(), cloud.network())
    cloud.apply(cloud.flavor("huge", memory="512Gi"))
    guests = [cloud.vm(f"web-{number}") for number in range(4)]
    cloud.up(*guests)
    becomes(prometheus, f'sum(drover_vms{{namespace="{cloud.namespace}", phase="Running"}})', 4)
    for number in range(2):
        _one_round(cloud, number)
        _await_scrapes(prometheus)
    # A scrape that comes too late takes its page away until the next one.
    eventually(lambda: not _unanswered(prometheus), 20, lambda: "\n".join(_unanswered(prometheus)))
    cloud.kubectl("delete", "flv", "huge", "--wait=false")


def _one_round(cloud: Cloud, number: int) -> None:
    """A move, a cancelled move, a VM that fits nowhere, a VM that lacks its image, a host that crashes."""
    move, given_up = f"move-{number}", f"given-up-{number}"
    cloud.apply(cloud.object("VirtualMachineMigration", move, {"virtualMachineName": "web-0"}))
    cloud.apply(cloud.object("VirtualMachineMigration", given_up, {"virtualMachineName": "web-1", "cancel": True}))
    cloud.apply(cloud.vm(f"large-{number}", flavorRef={"name": "huge"}))
    cloud.apply(cloud.vm(f"lacking-{number}", imageRef={"name": "none"}))
    cloud.phase("vmm", move, "Succeeded")
    cloud.phase("vmm", given_up, "Cancelled")
    cloud.phase("vm", f"large-{number}", "Unschedulable")
    host = cloud.status("vm", "web-2")["hostName"]
    cloud.kubectl("patch", "hst", host, "--type=merge", "-p", '{"spec":{"fault":{"type":"Crash"}}}')
    cloud.host_phase(host, "Failed")
    eventually(lambda: cloud.status("vm", "web-2").get("hostName") != host, 30, lambda: "web-2 is not restarted")
    cloud.phase("vm", "web-2", "Running")
    cloud.kubectl("patch", "hst", host, "--type=merge", "-p", '{"spec":{"fault":{"type":"None"}}}')
    cloud.host_phase(host, "Ready")


def _await_scrapes(prometheus: Prometheus) -> None:
    """Wait until both pages were scraped so often from now on."""
    begun = time.time()

    def scraped() -> list[int]:
        pages = prometheus.query("up[5m]")
        return [sum(at > begun and up == "1" for at, up in page["values"]) for page in pages]

    eventually(lambda: len(scraped()) == 2 and min(scraped()) >= SCRAPES, 20, lambda: f"scraped: {scraped()}")


def _unanswered(prometheus: Prometheus) -> list[str]:
    """Queries that return no data."""
    queries = [
        (f"{board.title} / {title}", executable(query, RATE_INTERVAL))
        for board in BOARDS
        for title, query in of_board(board)
    ]
    return [f"{title}: {expression}" for title, expression in queries if not _answered(prometheus, expression)]


def _answered(prometheus: Prometheus, expression: str) -> bool:
    """Whether any series has a value that is a number."""
    return any(not math.isnan(float(series["value"][1])) for series in prometheus.query(expression))


def test_a_host_that_fails_raises_its_alert(cloud: Cloud, prometheus: Prometheus) -> None:
    cloud.up(cloud.pool(1))
    host = cloud.host(0)
    alert = f'count(ALERTS{{alertname="DroverHostDown", host="{host}"}}) or vector(0)'
    becomes(prometheus, f'sum(drover_host_status_condition{{host="{host}", condition="Ready", status="true"}})', 1)
    assert value(prometheus, alert) == 0
    cloud.kubectl("patch", "hst", host, "--type=merge", "-p", '{"spec":{"fault":{"type":"Crash"}}}')
    becomes(prometheus, alert, 1)
