"""``drover run`` as its user meets it: how it starts, hands over, ends and fails."""

import asyncio
import signal
import socket
import subprocess
import time
from pathlib import Path

from running import DROVER, Network, OperatorProcess, eventually, redirected

from controlplane import ControlPlane


def test_it_becomes_ready_as_the_leader_and_ends_cleanly_on_sigterm(
    cluster: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    with OperatorProcess(cluster.kubeconfig, namespace, tmp_path / "log", lease_duration=60) as operator:
        operator.await_leading()
        assert operator.get("/healthz")[0] == 200
        assert "drover_leader{" in operator.get("/metrics")[1]
        operator.process.send_signal(signal.SIGTERM)
        assert operator.process.wait(timeout=10) == 0, operator.log()
    with OperatorProcess(cluster.kubeconfig, namespace, tmp_path / "log2") as successor:
        # The first one released the Lease: nobody waits for its 60 seconds to pass.
        successor.await_leading(30)
        assert successor.ready()["epoch"] == 2


def test_a_standby_is_ready_and_takes_over_when_the_leader_is_killed(
    cluster: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    lease = 15
    leader = OperatorProcess(cluster.kubeconfig, namespace, tmp_path / "leader", lease_duration=lease)
    with leader:
        leader.await_leading()
        standby = OperatorProcess(cluster.kubeconfig, namespace, tmp_path / "standby", lease_duration=lease)
        with standby:
            eventually(lambda: standby.ready().get("role") == "standby", 30, standby.log)
            killed = time.monotonic()
            leader.process.kill()
            leader.process.wait()
            standby.await_leading()
            # The last renewal is at most one retry period old when the leader is killed.
            assert time.monotonic() - killed > lease * 0.4
            assert standby.ready()["epoch"] == 2


async def test_a_leader_that_is_cut_off_stops_leading_before_its_lease_ends(
    cluster: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    lease = 15
    async with Network(cluster.url) as network:
        kubeconfig = redirected(cluster.kubeconfig, network.url, tmp_path / "kubeconfig")
        with OperatorProcess(kubeconfig, namespace, tmp_path / "log", lease_duration=lease) as operator:
            await asyncio.to_thread(operator.await_leading)
            network.go_silent()
            cut = time.monotonic()
            await asyncio.to_thread(eventually, lambda: not operator.leads(), 30, operator.log)
            assert time.monotonic() - cut < lease, operator.log()
            assert [line for line in operator.log().splitlines() if "lease drover lost: not renewed for 10.0 s" in line]


def test_a_port_that_is_taken_ends_it_with_a_line_that_names_the_option(cluster: ControlPlane, namespace: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:  # as the operator does
        port = taken.getsockname()[1]
        command = [DROVER, "run", "--metrics-port", str(port), "--kubeconfig", cluster.kubeconfig]
        done = subprocess.run(
            [*command, "--namespace", namespace], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
    assert len(errors) == 1, done.stderr
    assert f"port {port} cannot be served" in errors[0]
    assert "--metrics-port" in errors[0]
