"""One real control plane a session, a namespace a test."""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from controlplane import ControlPlane, Kubectl, find_binaries, install_crds, start, stop

ROOT = Path(__file__).parents[2]
# Beside the cluster of `make cluster-up`, one directory a test process: neither disturbs the other.
STATES = ROOT / ".cache" / "integration"


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


def _stop_orphans() -> None:
    """Stop the control planes of test processes that were killed before they could."""
    for state in STATES.glob("[0-9]*"):
        if not _alive(int(state.name)):
            stop(state)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
