"""All kinds deleted under a running operator: nothing is left Terminating, and installed again it goes on.

Deleting CRDs disturbs every other test, so this one has a control plane of its own.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clouds import Cloud
from running import eventually

from conftest import LEASE_SECONDS, ROOT, Operator, secluded
from controlplane import ControlPlane, Kubectl, KubectlError, crds_left, delete_crds, install_crds

CRDS = ("-f", str(ROOT / "crds"))
VMS = "customresourcedefinition.apiextensions.k8s.io/virtualmachines.drover.dev"

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
def cloud(operator: Operator, kubectl: Kubectl, namespace: str) -> Cloud:  # noqa: ARG001
    return Cloud(kubectl, namespace)


FROZEN = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "frozen"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": ["drover.dev"],
                    "apiVersions": ["*"],
                    "operations": ["UPDATE"],
                    "resources": ["virtualmachines"],
                }
            ]
        },
        "validations": [{"expression": "object.metadata.name != 'a'", "message": "a is frozen"}],
    },
}
FROZEN_BINDING = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "frozen"},
    "spec": {"policyName": "frozen", "validationActions": ["Deny"]},
}


def test_one_that_must_not_be_let_go_holds_no_other(cloud: Cloud, kubectl: Kubectl) -> None:
    cloud.up(cloud.pool(), cloud.flavor(), cloud.image(), cloud.network(), cloud.vm("a"), cloud.vm("b"))
    cloud.apply(FROZEN, FROZEN_BINDING)
    eventually(lambda: _is_frozen(cloud), 20, lambda: "the policy is not in force")
    kubectl("delete", *CRDS, "--wait=false")
    eventually(lambda: crds_left(kubectl, *CRDS) == [VMS], 60, lambda: f"still there: {crds_left(kubectl, *CRDS)}")
    eventually(lambda: len(cloud.list("vm")) == 1, 20, lambda: f"still there: {cloud.list('vm')}")
    kubectl("delete", "validatingadmissionpolicybinding", "frozen")
    eventually(lambda: not crds_left(kubectl, VMS), 60, lambda: f"still there: {VMS}")


def _is_frozen(cloud: Cloud) -> bool:
    try:
        cloud.kubectl("label", "vm", "a", "-n", cloud.namespace, "--overwrite", "frozen=yes")
    except KubectlError as error:
        return "a is frozen" in error.stderr
    return False


def test_all_kinds_can_be_deleted_at_once_with_everything_in_them(
    cloud: Cloud, operator: Operator, kubectl: Kubectl
) -> None:
    base = (cloud.pool(), cloud.flavor(), cloud.image(), cloud.network())
    cloud.up(*base, cloud.vm("a"), cloud.vm("b"), cloud.vm("c"))
    kubectl("delete", "vm", "a", "-n", cloud.namespace)  # so that there is a UsageRecord
    delete_crds(kubectl, *CRDS)
    assert "drover.dev" not in kubectl("get", "crd", "-o", "name")
    install_crds(kubectl, ROOT / "crds")
    operator.process.await_leading()
    cloud.up(*base, cloud.vm("a"))
