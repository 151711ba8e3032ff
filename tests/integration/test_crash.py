"""SIGKILL in the middle of placements, then a restart: nothing is allocated twice, nothing is lost."""

from concurrent.futures import ThreadPoolExecutor

from audit import Audit
from clouds import PATIENCE, Cloud, assert_no_double_allocation
from running import eventually

from conftest import Operator
from controlplane import Kubectl


def test_killed_during_placements_it_places_every_vm_exactly_once(
    operator: Operator, cloud: Cloud, audit: Audit, kubectl: Kubectl
) -> None:
    # 3 hosts of 10 VMs' memory each: one VM claimed twice, or one claim forgotten, and not all fit.
    memory = "20992Mi"  # 10 x 2Gi, and the 512Mi that a host keeps for itself
    cloud.up(cloud.pool(3, memory=memory), cloud.flavor(cpus=1), cloud.image(), cloud.network())
    names = [f"vm-{index}" for index in range(30)]
    audit.mark()
    with ThreadPoolExecutor() as background:
        background.submit(cloud.apply, *map(cloud.vm, names[:15]))
        eventually(lambda: _placed(audit, cloud) >= 6, PATIENCE, lambda: f"{_placed(audit, cloud)} placed")
        operator.crash()
    cloud.apply(*map(cloud.vm, names[15:]))
    held = {vm["metadata"]["name"]: vm["status"].get("hostName") for vm in cloud.list("vm")}
    placed = {name for name, host in held.items() if host}
    assert placed, "the crash was to come after the first placements"
    assert_no_double_allocation(kubectl, cloud.namespace)
    operator.start()
    cloud.phases("vm", Running=30)
    assert {vm["metadata"]["name"] for vm in cloud.list("vm")} == set(names)
    assert {name: cloud.status("vm", name)["hostName"] for name in placed} == {name: held[name] for name in placed}
    assert_no_double_allocation(kubectl, cloud.namespace)


def _placed(audit: Audit, cloud: Cloud) -> int:
    """VMs whose first status was written; that is the placement."""
    writes = audit.writes()
    return len(
        {w.name for w in writes if (w.namespace, w.resource) == (cloud.namespace, "virtualmachines") and w.subresource}
    )
