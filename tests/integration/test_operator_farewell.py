"""All kinds deleted under a running operator: nothing is left Terminating, and installed again it goes on.

Deleting CRDs disturbs every other test, so this one has a control plane of its own.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clouds import Cloud, cloud_in
from conftest import LEASE_SECONDS, ROOT, Operator, secluded

from controlplane import ControlPlane, Kubectl, install_crds

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def cluster() -> Iterator[ControlPlane]:
    with secluded("farewell") as plane:
        yield plane


@pytest.fixture
def kubectl(cluster: ControlPlane) -> Kubectl:
    return Kubectl(cluster.kubectl, cluster.kubeconfig)


@pytest.fixture
def operator(cluster: ControlPlane, tmp_path: Path) -> Iterator[Operator]:
    running = Operator(cluster, tmp_path, LEASE_SECONDS)
    yield running
    running.crash()


@pytest.fixture
def cloud(operator: Operator, kubectl: Kubectl, namespace: str) -> Iterator[Cloud]:  # noqa: ARG001
    with cloud_in(kubectl, namespace) as made:
        yield made


def test_all_kinds_can_be_deleted_at_once_with_everything_in_them(
    cloud: Cloud, operator: Operator, kubectl: Kubectl
) -> None:
    base = (cloud.pool(), cloud.flavor(), cloud.image(), cloud.network())
    cloud.up(*base, cloud.vm("a"), cloud.vm("b"), cloud.vm("c"))
    kubectl("delete", "vm", "a", "-n", cloud.namespace)  # so that there is a UsageRecord
    kubectl("delete", "-f", str(ROOT / "crds"), "--timeout=60s")
    assert "drover.dev" not in kubectl("get", "crd", "-o", "name")
    install_crds(kubectl, ROOT / "crds")
    operator.process.await_leading()
    cloud.up(*base, cloud.vm("a"))
