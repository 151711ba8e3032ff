"""One real control plane a session, a namespace a test."""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from audit import Audit
from clouds import Cloud, cloud_in
from livemigration import HELD
from running import OperatorProcess, eventually

from controlplane import ControlPlane, Kubectl, find_binaries, install_crds, start, stop

ROOT = Path(__file__).parents[2]
# Beside the cluster of `make cluster-up`, one directory a test process: neither disturbs the other.
STATES = ROOT / ".cache" / "integration"
LEASE_SECONDS = 15
"""The product's default: a machine that stands still for a moment costs nobody the Lease."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the control plane, so everything carries the marker."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.integration)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the programs before the first test: a first build outlasts a test's time-out."""
    needed = any(item.get_closest_marker("integration") for item in session.items)
    if needed and not session.config.option.collectonly and not os.environ.get("CONTEXT"):
        capture = session.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            find_binaries()


@pytest.fixture(scope="session")
def cluster() -> Iterator[ControlPlane]:
    """A control plane of this session with Drover's CRDs Established, or the cluster that CONTEXT= names."""
    _stop_orphans()
    plane = start(
        STATES / str(os.getpid()),
        context=os.environ.get("CONTEXT", ""),
        provider=os.environ.get("PROVIDER", ""),
    )
    try:
        install_crds(Kubectl(plane.kubectl, plane.kubeconfig), ROOT / "crds")
        yield plane
    finally:
        plane.stop()
        with suppress(OSError):  # another session's directory may still be in it
            STATES.rmdir()


@contextmanager
def secluded(purpose: str) -> Iterator[ControlPlane]:
    """A control plane with the CRDs for one module alone, which changes there what others would stumble over."""
    if os.environ.get("CONTEXT") or os.environ.get("PROVIDER"):
        pytest.skip("changes what a whole cluster shares: not in one that others may use")
    plane = start(STATES / f"{os.getpid()}-{purpose}")
    try:
        install_crds(Kubectl(plane.kubectl, plane.kubeconfig), ROOT / "crds")
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def kubectl(cluster: ControlPlane) -> Kubectl:
    """Runs kubectl as an administrator of the cluster: ``kubectl("apply", "-f", "-", input=manifest)``."""
    return Kubectl(cluster.kubectl, cluster.kubeconfig)


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """The name of a fresh namespace. Its deletion is asked for, not awaited: Kubernetes takes 5 s or more."""
    name = f"test-{secrets.token_hex(4)}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


class Operator:
    """``drover run`` that can be killed and started again; a life's log in a file of its own."""

    def __init__(self, cluster: ControlPlane, logs: Path, lease_seconds: int, options: Sequence[str] = ()) -> None:
        self._cluster = cluster
        self._kubectl = Kubectl(cluster.kubectl, cluster.kubeconfig)
        self._lease_seconds = lease_seconds
        self._options = options
        self._logs = logs
        self._lives = 0
        self.start()

    def start(self) -> None:
        """Start it, and wait until it leads. Nobody waits for the Lease of a crashed one to run out: as if it had."""
        if self._lives:
            self._vacate_lease()
        self._lives += 1
        log = self._logs / f"operator-{self._lives}.log"
        self.process = OperatorProcess(
            self._cluster.kubeconfig,
            "drover-system",
            log,
            lease_duration=self._lease_seconds,
            options=self._options,
        )
        self.process.await_leading()

    def stop(self) -> int:
        """SIGTERM; gives the Lease back, so that the next one need not wait. Returns the exit code."""
        return self.process.stop()

    def crash(self) -> None:
        """SIGKILL."""
        self.process.process.kill()
        self.process.process.wait()

    def _vacate_lease(self) -> None:
        """In place of the last one, which has ended. The epochs go on: leaseTransitions stay."""
        free = '{"spec":{"holderIdentity":""}}'
        self._kubectl("patch", "lease", "drover", "-n", "drover-system", "--type=merge", "-p", free)

    def complaints(self) -> list[str]:
        """What it logged as an error, over all its lives, unless a test had it refused."""
        logs = [log.read_text() for log in sorted(self._logs.glob("operator-*.log"))]
        return [line for log in logs for line in log.splitlines() if " ERROR " in line and HELD not in line]


@pytest.fixture(scope="module")
def operator(
    cluster: ControlPlane, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Operator]:
    """The operator, for all tests of a module. At the end their clouds must be gone, and no error in its log.

    A module may say ``LEASE_SECONDS``, and ``OPTIONS`` of ``drover run``.
    """
    kubectl("apply", "--server-side", "-f", str(ROOT / "config" / "admission"))
    lease_seconds = getattr(request.module, "LEASE_SECONDS", LEASE_SECONDS)
    options = getattr(request.module, "OPTIONS", ())
    operator = Operator(cluster, tmp_path_factory.mktemp("operator"), lease_seconds, options)
    try:
        yield operator
        eventually(lambda: not _clouds(kubectl), 30, lambda: f"deleted, but still there: {_clouds(kubectl)}")
        assert operator.complaints() == []
        assert operator.stop() == 0
    finally:
        operator.crash()


def _clouds(kubectl: Kubectl) -> list[str]:
    """What the clouds of tests have left behind."""
    return [name for name in kubectl("get", "npool,hst,flv", "-o", "name").split() if "/test-" in name]


@pytest.fixture
def cloud(operator: Operator, kubectl: Kubectl, namespace: str) -> Iterator[Cloud]:
    """A cloud of the test's own, run by ``operator``; nothing is in it yet."""
    if operator.process.process.poll() is not None:  # a test failed while it was down
        operator.start()
    with cloud_in(kubectl, namespace) as made:
        yield made


@pytest.fixture
def audit(cluster: ControlPlane) -> Audit:
    """The operator's writes from now on, as the API server's audit log tells them."""
    if not cluster.audit_log.exists():
        pytest.skip("only a control plane started here keeps an audit log")
    log = Audit(cluster.audit_log)
    log.mark()
    return log


def _stop_orphans() -> None:
    """Stop the control planes of test processes that were killed before they could: PID, or PID-PURPOSE."""
    for state in STATES.glob("[0-9]*"):
        if not _alive(int(state.name.partition("-")[0])):
            stop(state)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
