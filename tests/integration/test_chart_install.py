"""The chart on a real API server: installed, upgraded, uninstalled, taken over, refused. No node runs its pods here.

Releases change what all of a cluster share, so these tests have a control plane of their own.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from clouds import Cloud, cloud_in
from rights import ROOT, as_account
from running import OperatorProcess, eventually

from chart.helm import Helm, HelmError
from chart.shared import CHART
from controlplane import Kubectl, KubectlError, crds_left, delete_crds, start
from drover import __version__

SYSTEM = "drover-system"
INSTALL = ("install", "drover", str(CHART), f"--namespace={SYSTEM}")
UPGRADE = ("upgrade", "drover", str(CHART), f"--namespace={SYSTEM}")
UNINSTALL = ("uninstall", "drover", f"--namespace={SYSTEM}")
OURS = "app.kubernetes.io/part-of=drover"
CRDS = ("crd", "-l", OURS)
KINDS = "crd,sa,svc,deploy,secret,role,rolebinding"
CLUSTER_WIDE = (
    "clusterrole,clusterrolebinding,validatingadmissionpolicies,validatingadmissionpolicybindings,"
    "validatingwebhookconfigurations"
)
PATIENCE = 60.0
pytestmark = pytest.mark.timeout(300)
SECRET_BYTES = 1024 * 1024
"""More fits into no Secret, and Helm keeps a release in one."""


@pytest.fixture(scope="module")
def kubectl() -> Iterator[Kubectl]:
    """An administrator of a cluster for this module alone; Drover is not in it."""
    if os.environ.get("CONTEXT") or os.environ.get("PROVIDER"):
        pytest.skip("installs and removes CRDs: not in a cluster that others may use")
    plane = start(ROOT / ".cache" / "integration" / f"{os.getpid()}-chart")
    try:
        yield Kubectl(plane.kubectl, plane.kubeconfig)
    finally:
        plane.stop()


@pytest.fixture
def helm(kubectl: Kubectl) -> Iterator[Helm]:
    """helm as that administrator. At the end nothing of Drover is left, whatever the test made of it."""
    kubectl("apply", "-f", str(ROOT / "config" / "rbac" / "namespace.yaml"))
    administrator = Helm(kubectl.kubeconfig)
    yield administrator
    administrator(*UNINSTALL, "--ignore-not-found")
    ours = ("-l", OURS, f"--timeout={PATIENCE:.0f}s")
    kubectl("delete", "deploy,svc,sa,secret,role,rolebinding", "-n", SYSTEM, *ours)
    kubectl("delete", CLUSTER_WIDE, *ours)
    delete_crds(kubectl, *CRDS, seconds=PATIENCE)


@pytest.fixture
def cloud(kubectl: Kubectl, helm: Helm, namespace: str) -> Iterator[Cloud]:  # noqa: ARG001
    with cloud_in(kubectl, namespace) as made:
        yield made


def _install(helm: Helm, kubectl: Kubectl, *options: str) -> str:
    """Install a release and wait until the API server serves its kinds; returns what helm said."""
    told = helm(*INSTALL, *options)
    _established(kubectl)
    return told


def _established(kubectl: Kubectl) -> None:
    kubectl("wait", "--for=condition=Established", *CRDS, "--timeout=20s")


def _released(kubectl: Kubectl) -> dict[str, str]:
    """Kind and name of each object of the release, and its resourceVersion."""
    mine = "app.kubernetes.io/managed-by=Helm"
    found = json.loads(kubectl("get", f"{KINDS},{CLUSTER_WIDE}", "-A", "-l", mine, "-o", "json"))["items"]
    return {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in found}


@pytest.mark.parametrize("webhook", ["false", "true"])
def test_an_upgrade_with_nothing_new_changes_nothing(webhook: str, helm: Helm, kubectl: Kubectl) -> None:
    values = f"--set=webhook.enabled={webhook}"
    told = _install(helm, kubectl, values)
    assert f"kubectl -n {SYSTEM} rollout status deployment/drover" in told
    before = _released(kubectl)
    assert len([name for name in before if name.startswith("CustomResourceDefinition/")]) == 12
    assert ("Secret/drover-webhook" in before) == (webhook == "true")
    helm(*UPGRADE, values)
    assert _released(kubectl) == before
    releases = kubectl("get", "secrets", "-n", SYSTEM, "-l", "owner=helm", "-o", "jsonpath={.items[*].data.release}")
    assert len(releases.split()) == 2
    assert max(len(release) for release in releases.split()) < SECRET_BYTES


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """The chart as an earlier version might have been: VMs have no priority, and are shown without their host."""
    chart = tmp_path / "drover"
    shutil.copytree(CHART, chart)
    about = chart / "Chart.yaml"
    about.write_text(about.read_text().replace(f"version: {__version__}", "version: 0.0.1"))
    path = chart / "files" / "crds" / "virtualmachines.yaml"
    crd = yaml.safe_load(path.read_text())
    (version,) = crd["spec"]["versions"]
    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].pop("priorityClassName")
    version["additionalPrinterColumns"] = [one for one in version["additionalPrinterColumns"] if one["name"] != "Host"]
    path.write_text("# An earlier one.\n" + yaml.safe_dump(crd, sort_keys=False))
    return chart


def test_an_upgrade_brings_new_fields_and_leaves_objects_as_they_are(
    previous: Path, helm: Helm, kubectl: Kubectl, cloud: Cloud
) -> None:
    helm("install", "drover", str(previous), f"--namespace={SYSTEM}")
    _established(kubectl)
    with pytest.raises(KubectlError, match=r'unknown field "spec\.priorityClassName"'):
        cloud.apply(cloud.vm(priorityClassName="urgent"))
    cloud.apply(cloud.pool(2), cloud.flavor(), cloud.image(), cloud.network(), cloud.vm())
    before = _objects(cloud)
    assert "HOST" not in cloud.shown("vm", "vm")
    helm(*UPGRADE)
    eventually(lambda: "HOST" in cloud.shown("vm", "vm"), PATIENCE, lambda: f"{cloud.shown('vm', 'vm')}")
    assert _objects(cloud) == before
    cloud.patch("vm", "vm", {"priorityClassName": "urgent"})
    assert cloud.get("vm", "vm")["spec"]["priorityClassName"] == "urgent"


def _objects(cloud: Cloud) -> list[dict[str, Any]]:
    text = cloud.kubectl("get", "npool,flv,img,vnet,vm", "-A", "--show-managed-fields", "-o", "json")
    found: list[dict[str, Any]] = json.loads(text)["items"]
    assert len(found) == 5
    return found


def test_uninstalling_keeps_the_cloud_and_installing_again_takes_it_over(
    helm: Helm, kubectl: Kubectl, cloud: Cloud, tmp_path: Path
) -> None:
    _install(helm, kubectl)
    with _operator(kubectl, tmp_path / "first") as operator:
        cloud.up(cloud.pool(2), cloud.flavor(), cloud.image(), cloud.network(), cloud.vm())
        assert _health_of(operator) == 0
    before = cloud.get("vm", "vm")
    helm(*UNINSTALL)
    assert _released(kubectl).keys() == {f"CustomResourceDefinition/{name}" for name in _crds()}
    assert cloud.get("vm", "vm") == before
    helm(*INSTALL)
    with _operator(kubectl, tmp_path / "second") as operator:
        after = cloud.get("vm", "vm")
        for same in ("phase", "hostName", "interfaces", "lastStartTime"):
            assert after["status"][same] == before["status"][same]
        # What was used is written down when a VM goes, and once more in the operator's namespace.
        for kinds in ("vm,img,vnet", "npool,flv", "usagerec", "usagerec"):
            cloud.kubectl("delete", kinds, "--all", "-A", "--timeout=30s")
        assert operator.leads()


@contextmanager
def _operator(kubectl: Kubectl, folder: Path) -> Iterator[OperatorProcess]:
    """`drover run` on the account and rights of the release, as its pod would; leading."""
    folder.mkdir()
    token = kubectl("create", "token", "drover", "-n", SYSTEM).strip()
    kubeconfig = as_account(kubectl.kubeconfig, token, folder / "kubeconfig")
    with OperatorProcess(kubeconfig, SYSTEM, folder / "log") as process:
        process.await_leading()
        yield process
        assert process.stop() == 0


def _health_of(operator: OperatorProcess) -> int:
    """What the script of `helm test` says to an operator that is well."""
    script = (CHART / "files" / "health.py").read_text()
    command = [sys.executable, "-c", script, f"http://127.0.0.1:{operator.port}"]
    return subprocess.run(command, timeout=90, check=False).returncode


def _crds() -> list[str]:
    return [yaml.safe_load(path.read_text())["metadata"]["name"] for path in (ROOT / "crds").glob("*.yaml")]


def test_crds_go_with_the_release_where_that_was_asked_for(helm: Helm, kubectl: Kubectl) -> None:
    _install(helm, kubectl, "--set=crds.keep=false")
    helm(*UNINSTALL)
    eventually(lambda: not crds_left(kubectl, *CRDS), PATIENCE, lambda: f"still there: {crds_left(kubectl, *CRDS)}")
    assert _released(kubectl) == {}


def test_what_kubectl_installed_becomes_the_releases(helm: Helm, kubectl: Kubectl, cloud: Cloud) -> None:
    kubectl("apply", "--server-side", "-k", str(ROOT / "config" / "base"))
    _established(kubectl)
    cloud.apply(cloud.pool(2), cloud.flavor(), cloud.image(), cloud.network(), cloud.vm())
    before = _objects(cloud)
    with pytest.raises(HelmError, match=r"exists and cannot be imported into the current release"):
        helm(*INSTALL)
    kubectl("delete", "-n", SYSTEM, "deployment/drover", "validatingadmissionpolicybinding/in-use.drover.dev")
    strict = "--set=admissionPolicies.inUse=Deny"
    helm("upgrade", "--install", *UPGRADE[1:], strict, "--take-ownership", "--force-conflicts")
    assert _objects(cloud) == before
    assert {f"CustomResourceDefinition/{name}" for name in _crds()} < _released(kubectl).keys()
    helm(*UPGRADE)  # what is in use only warns again, and nobody fights about a field


def test_a_certificate_that_cert_manager_left_is_not_kept_for_ever(helm: Helm, kubectl: Kubectl) -> None:
    """Nobody renews it any more; ``--take-ownership`` would let the chart have it."""
    install = (*INSTALL, "--set=webhook.enabled=true", "--take-ownership", "--dry-run=server")
    kubectl("create", "secret", "generic", "drover-webhook", "-n", SYSTEM, "--from-literal=ca.crt=a")
    try:
        helm(*install)
        kubectl("annotate", "secret/drover-webhook", "-n", SYSTEM, "cert-manager.io/certificate-name=drover-webhook")
        with pytest.raises(HelmError, match=f"first, `kubectl delete secret -n {SYSTEM} drover-webhook`"):
            helm(*install)
    finally:
        kubectl("delete", "secret", "drover-webhook", "-n", SYSTEM)
    helm(*install)


def test_a_second_release_is_refused(helm: Helm, kubectl: Kubectl, namespace: str) -> None:
    _install(helm, kubectl)
    with pytest.raises(HelmError) as refused:
        helm("install", "other", str(CHART), f"--namespace={namespace}")
    assert (
        f"release drover in namespace {SYSTEM} is Drover for this whole cluster already: upgrade that one, or"
        f" `helm uninstall drover -n {SYSTEM}` first"
    ) in refused.value.stderr
    assert kubectl("get", "sa,svc,deploy", "-n", namespace, "-l", OURS, "-o", "name") == ""


def test_rights_that_the_installing_user_lacks_are_named(
    helm: Helm, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    kubectl("create", "serviceaccount", "tenant", "-n", namespace)
    kubectl(
        "create",
        "rolebinding",
        "tenant",
        "--clusterrole=admin",
        f"--serviceaccount={namespace}:tenant",
        "-n",
        namespace,
    )
    token = kubectl("create", "token", "tenant", "-n", namespace).strip()
    tenant = Helm(as_account(kubectl.kubeconfig, token, tmp_path / "tenant"))
    install = ("install", "drover", str(CHART), f"--namespace={namespace}")
    with pytest.raises(HelmError) as refused:
        tenant(*install)
    assert len(refused.value.stderr.strip().splitlines()) == 1
    assert f'forbidden: User "system:serviceaccount:{namespace}:tenant" cannot get resource' in refused.value.stderr
    # What an administrator has made need not be the tenant's.
    _install(helm, kubectl)
    least = ROOT / "tests" / "unit" / "chart" / "values" / "least.yaml"
    tenant(*install, f"--values={least}")
    assert "deployment.apps/drover" in kubectl("get", "deploy", "-n", namespace, "-o", "name")
