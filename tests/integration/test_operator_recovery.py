"""What is wrong outside is told in one line, waited for, and got over without a restart."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from clouds import PATIENCE
from rights import as_account
from running import Network, OperatorProcess, eventually, free_port, redirected

from conftest import secluded
from controlplane import ControlPlane, Kubectl, KubectlError, delete_crds, install_crds

LEASE = 9
"""Seconds: short, as outages here outlast it, but a machine that stands still for a moment does not cost it."""
ROOT = Path(__file__).parents[2]
OUTAGE_LINES, OF_ONE_KIND = 10, 2
"""At most so many lines does an outage leave in the log, however long it is, and at most so many that differ in numbers
and names only: an attempt more or less may be under way when it begins."""
QUIET_SECONDS = 3.0
"""After these an operator that has nothing to do is done with its start."""


class Patient(OperatorProcess):
    """``drover run`` in a pod's place: it may not end."""

    def waits_for(self, what: str) -> None:
        """Until it tells that something has to be mended: alive, not ready, in one line of its log."""
        eventually(lambda: what in self._trouble(), PATIENCE, lambda: f"{self.get('/readyz')}\n{self.log()}")
        assert self.get("/healthz")[0] == 200
        told = [line for line in self.log().splitlines() if what in line]
        assert len(told) == 1, self.log()
        assert "ERROR" in told[0] or json.loads(told[0])["level"] == "error"

    def recovers(self) -> None:
        """Until it leads, in the same process."""
        self.await_leading()
        assert "Traceback" not in self.log()

    def _trouble(self) -> str:
        assert self.process.poll() is None, f"it ended:\n{self.log()}"
        status, body = self.get("/readyz")
        return str(json.loads(body)["trouble"]) if status == 503 else ""


@pytest.fixture(scope="module")
def cluster() -> Iterator[ControlPlane]:
    """Of this module alone: an operator with nothing to write, and CRDs that may be deleted."""
    with secluded("recovery") as plane:
        yield plane


@pytest.fixture(scope="module")
def kubectl(cluster: ControlPlane) -> Kubectl:
    return Kubectl(cluster.kubectl, cluster.kubeconfig)


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """Where the operator's kubeconfig is to be; not there yet."""
    return tmp_path / "kubeconfig"


@pytest.fixture
def operator(kubeconfig: Path, namespace: str, tmp_path: Path) -> Iterator[Patient]:
    """Runs from the beginning, without a kubeconfig."""
    with Patient(kubeconfig, namespace, tmp_path / "log", lease_duration=LEASE) as operator:
        yield operator


@pytest.fixture
def account(kubectl: Kubectl, namespace: str) -> Iterator[str]:
    """A service account without rights; its name is the namespace's, and that of a ClusterRoleBinding for it."""
    kubectl("create", "serviceaccount", namespace, "-n", namespace)
    yield namespace
    kubectl("delete", "clusterrolebinding", namespace, "--ignore-not-found")


def _grant(kubectl: Kubectl, account: str, role: str = "cluster-admin") -> None:
    kubectl("create", "clusterrolebinding", account, f"--clusterrole={role}", f"--serviceaccount={account}:{account}")


# At start


def test_a_kubeconfig_that_is_missing_or_malformed_is_waited_for(
    cluster: ControlPlane, operator: Patient, kubeconfig: Path
) -> None:
    operator.waits_for(f"no usable credentials in {kubeconfig}: there is no such file")
    kubeconfig.write_text("[]")
    operator.waits_for(f"no usable credentials in {kubeconfig}: it is no kubeconfig")
    kubeconfig.write_bytes(cluster.kubeconfig.read_bytes())
    operator.recovers()


async def test_an_api_server_that_is_down_is_waited_for(
    cluster: ControlPlane, operator: Patient, kubeconfig: Path
) -> None:
    port = free_port()
    redirected(cluster.kubeconfig, f"https://127.0.0.1:{port}", kubeconfig)
    down = f"the Kubernetes API server at https://127.0.0.1:{port} does not answer"
    await asyncio.to_thread(operator.waits_for, down)
    async with Network(cluster.url, port):
        await asyncio.to_thread(operator.recovers)


def test_missing_crds_are_named_with_the_command_that_installs_them(
    cluster: ControlPlane, operator: Patient, kubeconfig: Path
) -> None:
    # A path in front of every URL makes the API server answer as one that serves none of the kinds.
    redirected(cluster.kubeconfig, f"{cluster.url}/none", kubeconfig)
    operator.waits_for("virtualmachines.drover.dev, volumes.drover.dev: install them with `kubectl apply")
    redirected(cluster.kubeconfig, cluster.url, kubeconfig)
    operator.recovers()


def test_a_token_that_is_refused_is_told_as_such(cluster: ControlPlane, operator: Patient, kubeconfig: Path) -> None:
    as_account(cluster.kubeconfig, "expired", kubeconfig)
    operator.waits_for("(401: Unauthorized): renew the token or certificate")
    kubeconfig.write_bytes(cluster.kubeconfig.read_bytes())
    operator.recovers()


def test_missing_rights_are_named_and_waited_for(
    cluster: ControlPlane, kubectl: Kubectl, operator: Patient, account: str, kubeconfig: Path
) -> None:
    token = kubectl("create", "token", account, "-n", account).strip()
    as_account(cluster.kubeconfig, token, kubeconfig)
    operator.waits_for("rights missing at")
    assert "list virtualmachines.drover.dev" not in operator.log(), "only the first are named"
    assert "list namespaces, watch namespaces" in operator.log()
    assert "`kubectl apply -k config/rbac`" in operator.log()
    _grant(kubectl, account)
    operator.recovers()


def test_a_certificate_authority_that_is_not_the_servers_is_told_as_such(
    cluster: ControlPlane, operator: Patient, kubeconfig: Path
) -> None:
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"].pop("certificate-authority-data", None)
    config["clusters"][0]["cluster"].pop("certificate-authority", None)
    kubeconfig.write_text(yaml.safe_dump(config))
    operator.waits_for("give the certificate authority it is signed by in the kubeconfig")
    kubeconfig.write_bytes(cluster.kubeconfig.read_bytes())
    operator.recovers()


def test_json_logs_tell_the_same_in_one_object(cluster: ControlPlane, namespace: str, tmp_path: Path) -> None:
    options = ("--log-format", "json")
    broken = as_account(cluster.kubeconfig, "expired", tmp_path / "kubeconfig")
    with Patient(broken, namespace, tmp_path / "log", lease_duration=LEASE, options=options) as operator:
        operator.waits_for("(401: Unauthorized)")


def test_sigterm_ends_it_cleanly_while_it_waits(operator: Patient, kubeconfig: Path) -> None:
    operator.waits_for(f"no usable credentials in {kubeconfig}")
    operator.process.terminate()
    assert operator.process.wait(timeout=10) == 0
    assert operator.log().splitlines()[-1].endswith("INFO stopped")


# At run time


@pytest.fixture
async def network(cluster: ControlPlane, kubeconfig: Path) -> AsyncIterator[Network]:
    """What stands between the operator and the API server."""
    async with Network(cluster.url) as network:
        redirected(cluster.kubeconfig, network.url, kubeconfig)
        yield network


async def _outage(network: Network, operator: Patient, seconds: float) -> list[str]:
    """Down for so long, and got over; the lines that were logged in the meantime."""
    await asyncio.to_thread(operator.await_leading)
    await asyncio.sleep(QUIET_SECONDS)
    before = len(operator.log().splitlines())
    await network.go_down()
    await asyncio.to_thread(operator.waits_for, f"the Kubernetes API server at {network.url} does not answer")
    await asyncio.sleep(seconds)
    await network.come_back()
    await asyncio.to_thread(operator.recovers)
    assert operator.ready()["epoch"] == 2
    return operator.log().splitlines()[before:]


def _assert_few(lines: list[str]) -> None:
    kinds = Counter(re.sub(r'"[^"]*"|\d+', "", line) for line in lines)
    assert len(lines) <= OUTAGE_LINES, "\n".join(lines)
    assert max(kinds.values()) <= OF_ONE_KIND, "\n".join(lines)


async def test_an_outage_longer_than_the_lease_is_got_over(operator: Patient, network: Network) -> None:
    lines = await _outage(network, operator, 0)
    _assert_few(lines)


@pytest.mark.soak
async def test_an_outage_of_a_minute_leaves_a_handful_of_lines(operator: Patient, network: Network) -> None:
    lines = await _outage(network, operator, 60)
    _assert_few(lines)


async def test_a_network_that_goes_silent_is_got_over(operator: Patient, network: Network) -> None:
    await asyncio.to_thread(operator.await_leading)
    network.go_silent()
    await asyncio.to_thread(operator.waits_for, "does not answer (TimeoutError)")
    await network.come_back()
    await asyncio.to_thread(operator.recovers)


def test_a_crd_that_is_deleted_and_made_again_is_got_over(
    cluster: ControlPlane, kubectl: Kubectl, operator: Patient, kubeconfig: Path
) -> None:
    kubeconfig.write_bytes(cluster.kubeconfig.read_bytes())
    operator.await_leading()
    try:
        delete_crds(kubectl, "crd", "placementgroups.drover.dev")
        operator.waits_for("CRDs missing at")
    finally:
        install_crds(kubectl, ROOT / "crds")
    operator.recovers()
    assert "Bearer" not in operator.log()


def test_rights_that_are_taken_away_and_given_back_are_got_over(
    cluster: ControlPlane, kubectl: Kubectl, operator: Patient, account: str, kubeconfig: Path
) -> None:
    _grant(kubectl, account)
    as_account(cluster.kubeconfig, kubectl("create", "token", account, "-n", account).strip(), kubeconfig)
    operator.await_leading()
    kubectl("delete", "clusterrolebinding", account)
    operator.waits_for("rights missing at")
    _grant(kubectl, account)
    operator.recovers()


def test_a_token_renewed_in_its_file_is_read_again_without_losing_the_lease(
    cluster: ControlPlane, kubectl: Kubectl, operator: Patient, account: str, kubeconfig: Path
) -> None:
    """Each token lives as long as the secret it is bound to; the API server notices in 10 seconds."""
    token = kubeconfig.with_name("token")
    _renew(kubectl, account, token, "first")
    _grant(kubectl, account)
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"] = [{"name": user["name"], "user": {"tokenFile": str(token)}} for user in config["users"]]
    kubeconfig.write_text(yaml.safe_dump(config))
    operator.await_leading()
    old = as_account(cluster.kubeconfig, token.read_text(), kubeconfig.with_name("old"))
    _renew(kubectl, account, token, "second")
    kubectl("delete", "secret", "first", "-n", account)
    earlier = Kubectl(cluster.kubectl, old)
    eventually(lambda: _refused(earlier), 40, lambda: "the first token is still accepted", every=1)
    refused_at = datetime.now(UTC)
    eventually(
        lambda: _renewed_at(kubectl, account) > refused_at, 20, lambda: f"the Lease is not renewed:\n{operator.log()}"
    )
    assert operator.leads()
    assert operator.ready()["epoch"] == 1, operator.log()
    assert "ERROR" not in operator.log()


def _renew(kubectl: Kubectl, account: str, file: Path, secret: str) -> None:
    kubectl("create", "secret", "generic", secret, "-n", account)
    bound = ("--bound-object-kind=Secret", f"--bound-object-name={secret}")
    file.write_text(kubectl("create", "token", account, "-n", account, *bound).strip())


def _renewed_at(kubectl: Kubectl, namespace: str) -> datetime:
    told = kubectl("get", "lease", "drover", "-n", namespace, "-o", "jsonpath={.spec.renewTime}")
    return datetime.fromisoformat(told)


def _refused(kubectl: Kubectl) -> bool:
    try:
        kubectl("get", "--raw", "/api")
    except KubectlError as error:
        return "logged in" in error.stderr or "Unauthorized" in error.stderr
    return False
