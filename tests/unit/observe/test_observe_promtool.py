"""Prometheus' own linter on every page, with everything told that can be."""

import subprocess
from pathlib import Path

import pytest
from observed_pages import NOW
from observed_worlds import flavor, host, migration, pool, vm, volume, world_of

from drover.observe.metrics import Metrics
from drover.observe.state import StatePage
from mixin.binaries import MissingProgramError, find


@pytest.fixture(scope="module")
def promtool() -> Path:
    try:
        return find("promtool")
    except MissingProgramError as error:
        pytest.skip(str(error))


def complaints(promtool: Path, page: bytes) -> str:
    command = [promtool, "check", "metrics"]
    done = subprocess.run(command, input=page, capture_output=True, timeout=30, check=False)
    return (done.stdout + done.stderr).decode()


async def test_the_state_has_nothing_to_complain_about(promtool: Path) -> None:
    world = world_of(
        *(pool("p"), flavor("small"), host("h1"), vm("web", "Running", "h1"), vm("db", "Pending")),
        *(
            volume("data", "ssd", "1Gi"),
            migration("m1", "PreCopy"),
            migration("m2", "Succeeded", endTimestamp=str(NOW)),
        ),
    )
    page = StatePage(world, lambda: NOW, "full", "kubevirt")
    assert complaints(promtool, b"".join(await page.render())) == ""


def test_the_process_has_nothing_to_complain_about(promtool: Path) -> None:
    metrics = Metrics()
    metrics.api_request("get", "hosts", "200", 0.1)
    metrics.written("UsageRecord", "success")
    assert complaints(promtool, metrics.page()) == ""
