"""``drover run`` as its user meets it: how it starts, hands over, ends and fails."""

import asyncio
import signal
import subprocess
import time
from pathlib import Path

import pytest
from running import DROVER, Network, OperatorProcess, eventually, free_port, redirected

from controlplane import ControlPlane


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [DROVER, "run", "--metrics-port", str(free_port()), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_becomes_ready_as_the_leader_and_ends_cleanly_on_sigterm(
    cluster: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    with OperatorProcess(cluster.kubeconfig, namespace, tmp_path / "log") as operator:
        operator.await_leading()
        assert operator.get("/healthz")[0] == 200
        assert "drover_leader{" in operator.get("/metrics")[1]
        begun = time.monotonic()
        operator.process.send_signal(signal.SIGTERM)
        assert operator.process.wait(timeout=10) == 0, operator.log()
        assert time.monotonic() - begun < 2, operator.log()
    with OperatorProcess(cluster.kubeconfig, namespace, tmp_path / "log2") as successor:
        # The first one released the Lease: nobody waits for its 15 seconds to pass.
        successor.await_leading(10)
        assert successor.ready()["epoch"] == 2


def test_a_standby_is_ready_and_takes_over_when_the_leader_is_killed(
    cluster: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    lease = 4
    leader = OperatorProcess(cluster.kubeconfig, namespace, tmp_path / "leader", lease_duration=lease)
    with leader:
        leader.await_leading()
        standby = OperatorProcess(cluster.kubeconfig, namespace, tmp_path / "standby", lease_duration=lease)
        with standby:
            eventually(lambda: standby.ready().get("role") == "standby", 30, standby.log)
            killed = time.monotonic()
            leader.process.kill()
            leader.process.wait()
            standby.await_leading(3 * lease)
            # The last renewal is at most one retry period old when the leader is killed.
            assert time.monotonic() - killed > lease * 0.5
            assert standby.ready()["epoch"] == 2


async def test_a_leader_that_is_cut_off_ends_by_itself_before_its_lease_does(
    cluster: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    lease = 6
    async with Network(cluster.url) as network:
        kubeconfig = redirected(cluster.kubeconfig, network.url, tmp_path / "kubeconfig")
        with OperatorProcess(kubeconfig, namespace, tmp_path / "log", lease_duration=lease) as operator:
            await asyncio.to_thread(operator.await_leading)
            network.go_silent()
            cut = time.monotonic()
            assert await asyncio.to_thread(operator.process.wait, 30) == 1
            assert time.monotonic() - cut < lease, operator.log()
    errors = [line for line in operator.log().splitlines() if "ERROR" in line]
    assert len(errors) == 1, operator.log()
    assert "lease drover lost: not renewed for 4.0 s" in errors[0]


def test_an_api_server_that_does_not_answer_is_one_clear_line(cluster: ControlPlane, tmp_path: Path) -> None:
    url = f"https://127.0.0.1:{free_port()}"
    done = run("--kubeconfig", redirected(cluster.kubeconfig, url, tmp_path / "kubeconfig"))
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
    assert len(errors) == 1
    assert f"the Kubernetes API server at {url} does not answer" in errors[0]
    assert "Traceback" not in done.stderr


def test_missing_crds_are_named_with_the_command_that_installs_them(cluster: ControlPlane, tmp_path: Path) -> None:
    # A path in front of every URL makes the API server answer as one that serves none of the kinds.
    bare = redirected(cluster.kubeconfig, f"{cluster.url}/none", tmp_path / "kubeconfig")
    done = run("--kubeconfig", bare)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
    assert len(errors) == 1
    assert "virtualmachines.drover.dev" in errors[0]
    assert "kubectl apply --server-side -f crds/ -f config/admission/" in errors[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--kubeconfig", "/nonexistent"), "no usable credentials in /nonexistent"),
        (("--context", "nowhere"), "context nowhere"),
    ],
)
def test_credentials_that_are_not_there_are_one_clear_line(
    cluster: ControlPlane, arguments: tuple[str, ...], message: str
) -> None:
    given = arguments if "--kubeconfig" in arguments else ("--kubeconfig", cluster.kubeconfig, *arguments)
    done = run(*given)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
