"""What the ValidatingAdmissionPolicies refuse or warn of, in the words that users get."""

import re
import subprocess
from collections.abc import Iterator

import pytest
from clouds import Cloud
from rights import ROOT

from controlplane import Kubectl, KubectlError

PRODUCTION = ROOT / "config" / "overlays" / "production"


@pytest.fixture
def used(cloud: Cloud) -> Cloud:
    """A cloud with a VM in it that uses everything."""
    disk = {"name": "data", "volumeRef": {"name": "data"}}
    cloud.up(cloud.pool(1), cloud.flavor(), cloud.image(), cloud.network(), cloud.object("Volume", "data", _SIZE))
    cloud.up(cloud.vm(volumes=[disk]))
    for plural, name, count in (
        ("flv", cloud.namespace, "{.status.instances}"),
        ("img", "debian", "{.status.inUseBy}"),
        ("vnet", "net", "{.status.ports}"),
        ("npool", cloud.namespace, "{.status.virtualMachines}"),
        ("hst", cloud.host(0), "{.status.virtualMachines}"),
    ):
        cloud.kubectl("wait", plural, name, "-n", cloud.namespace, f"--for=jsonpath={count}=1", "--timeout=20s")
    return cloud


_SIZE = {"size": "1Gi"}


def _words(cloud: Cloud) -> dict[tuple[str, str], str]:
    return {
        ("flv", cloud.namespace): f"Flavor {cloud.namespace} is in use (VMs: 1)",
        ("img", "debian"): "Image debian is in use (VMs and volumes: 1)",
        ("vnet", "net"): "Network net is in use (VM interfaces: 1)",
        ("vol", "data"): "Volume data is in use (VMs: 1)",
        ("npool", cloud.namespace): f"NodePool {cloud.namespace} is in use (VMs: 1)",
        ("hst", cloud.host(0)): f"Host {cloud.host(0)} is in use (VMs: 1)",
    }


def test_deleting_what_is_in_use_warns_with_numbers(used: Cloud) -> None:
    for (plural, name), words in _words(used).items():
        told = _stderr(used, "delete", plural, name, "-n", used.namespace, "--dry-run=server")
        assert f"{words}: it goes when they are gone, and takes no new ones" in told, told


@pytest.fixture
def strict(kubectl: Kubectl, used: Cloud) -> Iterator[Cloud]:
    """The bindings of the production overlay: what the base warns of is refused."""
    rendered = kubectl("kustomize", str(PRODUCTION))
    bindings = [one for one in rendered.split("\n---\n") if "kind: ValidatingAdmissionPolicyBinding" in one]
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input="\n---\n".join(bindings))
    yield used
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "config" / "admission"))


def test_production_refuses_to_delete_what_is_in_use_and_lets_it_go_afterwards(strict: Cloud) -> None:
    for (plural, name), words in _words(strict).items():
        with pytest.raises(KubectlError, match=re.escape(f"{words}: it goes when they are gone")):
            _until_refused(strict, plural, name)
    where = ("-n", strict.namespace, "--timeout=30s")
    strict.kubectl("delete", "vm", "vm", *where)
    strict.kubectl("wait", "flv", strict.namespace, "--for=jsonpath={.status.instances}=0", "--timeout=20s")
    strict.kubectl("wait", "vol/data", "--for=jsonpath={.status.phase}=Available", *where)
    strict.kubectl("delete", "vol", "data", *where)
    strict.kubectl("delete", "flv", strict.namespace, "--timeout=30s")
    # So that its pool may be deleted in the end.
    strict.kubectl("wait", "npool", strict.namespace, "--for=jsonpath={.status.virtualMachines}=0", "--timeout=20s")


def test_a_protected_vm_is_not_deleted_until_its_protection_is_off(cloud: Cloud) -> None:
    cloud.apply(cloud.vm(deletionProtection=True))
    with pytest.raises(KubectlError) as refused:
        cloud.kubectl("delete", "vm", "vm", "-n", cloud.namespace)
    assert (
        f"spec.deletionProtection of VirtualMachine {cloud.namespace}/vm is true: set it to false, then delete it"
    ) in refused.value.stderr
    cloud.patch("vm", "vm", {"deletionProtection": False})
    cloud.kubectl("delete", "vm", "vm", "-n", cloud.namespace, "--timeout=20s")


def _until_refused(cloud: Cloud, plural: str, name: str) -> None:
    """Ask again while the API server still knows the binding as it was: it takes a new one up within a second."""
    for _ in range(50):
        cloud.kubectl("delete", plural, name, "-n", cloud.namespace, "--dry-run=server")


def _stderr(cloud: Cloud, *arguments: str) -> str:
    command = [str(cloud.kubectl.path), f"--kubeconfig={cloud.kubectl.kubeconfig}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stderr
