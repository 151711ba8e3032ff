"""The ledger's counters over a change of leader, as a real Prometheus has them: one series that never falls."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clouds import Cloud, cloud_in
from running import OperatorProcess, eventually

from controlplane import ControlPlane, Kubectl
from mixin.binaries import MissingProgramError, find
from mixin.server import Prometheus

LEASE_SECONDS = 9
VCPUS = 2
CLOCK_SECONDS = 0.01
"""Prometheus and the operator write down milliseconds."""


@pytest.fixture
def operators(cluster: ControlPlane, tmp_path: Path) -> Iterator[tuple[OperatorProcess, OperatorProcess]]:
    """One that leads and one that stands by."""
    config = cluster.kubeconfig
    with OperatorProcess(config, "drover-system", tmp_path / "a", lease_duration=LEASE_SECONDS) as leader:
        leader.await_leading()
        with OperatorProcess(config, "drover-system", tmp_path / "b", lease_duration=LEASE_SECONDS) as standby:
            eventually(lambda: standby.ready().get("role") == "standby", 30, standby.log)
            yield leader, standby


@pytest.fixture
def prometheus(operators: tuple[OperatorProcess, OperatorProcess], tmp_path: Path) -> Iterator[Prometheus]:
    try:
        find("prometheus")
    except MissingProgramError as error:
        pytest.skip(str(error))
    directory = tmp_path / "prometheus"
    directory.mkdir()
    with Prometheus(directory, [f"127.0.0.1:{operator.port}" for operator in operators]) as server:
        yield server


@pytest.fixture
def cloud(
    operators: tuple[OperatorProcess, OperatorProcess],  # noqa: ARG001  # they have to outlive it
    kubectl: Kubectl,
    namespace: str,
) -> Iterator[Cloud]:
    """A cloud that is gone before the operators are."""
    with cloud_in(kubectl, namespace) as made:
        yield made
    eventually(lambda: not kubectl("get", "npool", "-o", "name").strip(), 30, lambda: "the cloud is still there")


def test_a_change_of_leader_leaves_one_series_that_goes_on(
    operators: tuple[OperatorProcess, OperatorProcess], prometheus: Prometheus, cloud: Cloud
) -> None:
    leader, standby = operators
    cloud.up(cloud.pool(1), cloud.flavor(cpus=VCPUS), cloud.image(), cloud.network(), cloud.vm())
    running = f'drover_usage_vcpu_seconds_total{{namespace="{cloud.namespace}", state="Running"}}'
    eventually(lambda: len(_samples(prometheus, running)) > 3, 20, lambda: f"{running} is not scraped")
    leader.process.kill()
    leader.process.wait()
    standby.await_leading()
    taken_over = time.time()
    eventually(
        lambda: sum(at > taken_over for at, _ in _samples(prometheus, running)) > 3,
        20,
        lambda: f"{running} is not scraped of the new leader",
    )
    samples, lasted = _samples(prometheus, running), _lasted(prometheus)
    assert any(at < taken_over - LEASE_SECONDS for at, _ in samples)
    for (earlier, before), (later, after) in itertools.pairwise(samples):
        # What was used while nobody led is there too. A scrape's time is when it began, not when it was answered.
        used, passed = (after - before) / VCPUS, later - earlier
        assert passed - lasted[earlier] - CLOCK_SECONDS <= used <= passed + lasted[later] + CLOCK_SECONDS


def _lasted(prometheus: Prometheus) -> dict[float, float]:
    """How many seconds the scrapes of the state took that began at these times."""
    found = prometheus.query('scrape_duration_seconds{job="drover-state"}[5m]')
    return {at: float(value) for series in found for at, value in series["values"]}


def _samples(prometheus: Prometheus, selector: str) -> list[tuple[float, float]]:
    """(Unix seconds, value) of the last minutes, of the one series there is."""
    found = prometheus.query(f"{selector}[5m]")
    assert len(found) < 2, f"{selector} is {len(found)} series: {[series['metric'] for series in found]}"
    return [(at, float(value)) for series in found for at, value in series["values"]]
