"""One release of the chart on a real cluster for all tests, and a cloud of its own for each test that wants one."""

import os
import secrets
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from clouds import Cloud, cloud_in
from release import NAMESPACE, Release
from running import eventually

from chart.helm import Helm
from controlplane import Kubectl, KubectlError
from controlplane.assets import find_kubectl

HERE = Path(__file__).parent
LIMIT_SECONDS = 300
HOW = """\
tests/e2e use up a whole cluster that has the operator's image: `make e2e` makes both, as does
  PYTHONPATH=hack .venv/bin/python -m image
  PYTHONPATH=hack .venv/bin/python -m node run --images dist/images.tar -- .venv/bin/pytest tests/e2e
With a cluster of your own that is there for nothing else: E2E=1 KUBECONFIG=path .venv/bin/pytest tests/e2e"""

LOOKS = {
    "pods": ("get", "pods", "-o", "wide"),
    "events": ("get", "events", "--sort-by=.lastTimestamp"),
    "log": ("logs", "-l", "app.kubernetes.io/part-of=drover", "--prefix", "--tail=40"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All here carry the marker. Without leave to use a cluster they are skipped, and told how to run when called."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    allowed = bool(os.environ.get("E2E") and os.environ.get("KUBECONFIG"))
    if ours and ours == items and not allowed:
        raise pytest.UsageError(HOW)
    for item in ours:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.timeout(LIMIT_SECONDS))
        if not allowed:
            item.add_marker(pytest.mark.skip(reason="wants a whole cluster: make e2e"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a failure goes what the cluster tells of the operator's pods: nobody can look afterwards."""
    report = yield
    if report.failed and item.path.is_relative_to(HERE):
        for title, command in LOOKS.items():
            with suppress(KubectlError):
                report.sections.append((title, _kubectl()(*command, "-n", NAMESPACE)))
    return report


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    """Runs kubectl as an administrator of the cluster that KUBECONFIG names."""
    return _kubectl()


def _kubectl() -> Kubectl:
    return Kubectl(find_kubectl(), Path(os.environ["KUBECONFIG"]))


@pytest.fixture(scope="session")
def release(kubectl: Kubectl) -> Iterator[Release]:
    """The chart, installed with its defaults into a namespace that admits only restricted pods."""
    kubectl("create", "namespace", NAMESPACE)
    kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    made = Release(kubectl, Helm(kubectl.kubeconfig))
    made.first_install()
    yield made
    eventually(lambda: not kubectl("get", "npool,vm", "-A", "-o", "name"), 60, lambda: "clouds that do not end")
    made.uninstall()
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture
def cloud(release: Release) -> Iterator[Cloud]:
    """A cloud of the test's own; nothing is in it yet. The release has its default values again afterwards."""
    name = f"e2e-{secrets.token_hex(4)}"
    release.kubectl("create", "namespace", name)
    with cloud_in(release.kubectl, name) as made:
        yield made
        release.upgrade()
    release.kubectl("delete", "namespace", name, "--wait=false")
