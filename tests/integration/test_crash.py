"""SIGKILL at the worst moments, then a restart: nothing is allocated twice, nothing is lost, every migration ends."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from audit import Audit
from clouds import PATIENCE, Cloud, Manifest, assert_no_double_allocation
from conftest import Operator
from running import eventually

from controlplane import Kubectl


def test_killed_during_placements_it_places_every_vm_exactly_once(
    operator: Operator, cloud: Cloud, audit: Audit, kubectl: Kubectl
) -> None:
    # 3 hosts of 10 VMs' memory each: one VM claimed twice, or one claim forgotten, and not all fit.
    memory = "20992Mi"  # 10 x 2Gi, and the 512Mi that a host keeps for itself
    cloud.up(cloud.pool(3, memory=memory), cloud.flavor(cpus=1), cloud.image(), cloud.network())
    names = {f"vm-{index}" for index in range(30)}
    audit.mark()
    with ThreadPoolExecutor() as background:
        background.submit(cloud.apply, *(cloud.vm(name) for name in names))
        eventually(lambda: _placed(audit, cloud) >= 6, PATIENCE, lambda: f"{_placed(audit, cloud)} placed")
        operator.crash()
    held = {vm["metadata"]["name"]: vm["status"].get("hostName") for vm in cloud.list("vm")}
    placed = {name for name, host in held.items() if host}
    assert 0 < len(placed) < 30, "the crash was to come between the first and the last placement"
    assert_no_double_allocation(kubectl, cloud.namespace)
    operator.start()
    cloud.phases("vm", Running=30)
    assert {vm["metadata"]["name"] for vm in cloud.list("vm")} == names
    assert {name: cloud.status("vm", name)["hostName"] for name in placed} == {name: held[name] for name in placed}
    assert_no_double_allocation(kubectl, cloud.namespace)


def _placed(audit: Audit, cloud: Cloud) -> int:
    """VMs whose first status was written; that is the placement."""
    writes = audit.writes()
    return len(
        {w.name for w in writes if (w.namespace, w.resource) == (cloud.namespace, "virtualmachines") and w.subresource}
    )


def test_killed_during_pre_copy_the_migration_goes_on_where_it_would_be(
    operator: Operator, cloud: Cloud, kubectl: Kubectl
) -> None:
    before = _running(cloud, memory="12Gi", model={})
    cloud.patch("npool", cloud.namespace, {"driver": {"timeScale": "2"}})
    with _phases_of_migrations(cloud) as phases:
        cloud.apply(cloud.plan(virtualMachines=[{"name": "vm"}]))
        _kill_in("PreCopy", phases, operator)
    assert cloud.list("vmm")[0]["status"]["phase"] == "PreCopy"
    assert_no_double_allocation(kubectl, cloud.namespace)
    operator.start()
    _assert_moved_undisturbed(cloud, before)
    assert_no_double_allocation(kubectl, cloud.namespace)


def test_killed_during_stop_and_copy_the_guest_is_not_lost(operator: Operator, cloud: Cloud, kubectl: Kubectl) -> None:
    # Its hot set takes most of the 300 ms that the last phase may: a third of a second at a timeScale of 0.6.
    model = {"hotSet": "255Mi", "dirtyRate": "0", "dirtyNoise": "0", "zeroPageRatio": "0"}
    before = _running(cloud, memory="256Mi", model=model)
    cloud.patch("npool", cloud.namespace, {"driver": {"timeScale": "0.6"}})
    with _phases_of_migrations(cloud) as phases:
        cloud.apply(cloud.plan(virtualMachines=[{"name": "vm"}]))
        _kill_in("StopAndCopy", phases, operator)
    assert cloud.list("vmm")[0]["status"]["phase"] == "StopAndCopy"
    assert cloud.status("vm")["hostName"] == before["hostName"]
    assert_no_double_allocation(kubectl, cloud.namespace)
    operator.start()
    _assert_moved_undisturbed(cloud, before)
    assert_no_double_allocation(kubectl, cloud.namespace)


def _running(cloud: Cloud, memory: str, model: Manifest) -> Manifest:
    """Bring up one VM; its status."""
    flavor = cloud.flavor(memory=memory, model=model)
    cloud.up(cloud.pool(2), flavor, cloud.image(), cloud.network(), cloud.vm())
    return cloud.status("vm")


@contextmanager
def _phases_of_migrations(cloud: Cloud) -> Iterator[Iterator[str]]:
    """The phases that the migrations of the cloud go through, each as soon as it is written."""
    options = ["--kubeconfig", str(cloud.kubectl.kubeconfig), "-n", cloud.namespace]
    output = ["--watch", "-o", 'jsonpath={.status.phase}{"\\n"}']
    command = [str(cloud.kubectl.path), "get", "vmm", *options, *output]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        try:
            yield (line.strip() for line in watch.stdout)
        finally:
            watch.kill()


def _kill_in(wanted: str, phases: Iterator[str], operator: Operator) -> None:
    seen = []
    for phase in phases:
        seen.append(phase)
        if phase == wanted:
            operator.crash()
            return
        assert phase not in ("Succeeded", "Failed", "Cancelled"), f"{seen}: never {wanted}"


def _assert_moved_undisturbed(cloud: Cloud, before: Manifest) -> None:
    """The one migration ended well, and the guest neither stopped nor booted on the way."""
    cloud.phase("mplan", "plan", "Succeeded")
    [migration] = cloud.list("vmm")
    after = cloud.phase("vm", "vm", "Running")
    assert migration["status"]["phase"] == "Succeeded"
    assert migration["status"]["result"]["durationErrorPercent"] is not None
    assert after["hostName"] == migration["status"]["targetHost"] != before["hostName"]
    cloud.patch("npool", cloud.namespace, {"driver": {"timeScale": "50"}})  # so that its end takes no time
    same = ("lastStartTime", "interfaces", "restarts", "bootAttempt")
    assert {field: after[field] for field in same} == {field: before[field] for field in same}
