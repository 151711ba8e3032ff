"""Very many VMs wait for a pool that comes: each is placed once, in few writes, and no host is overfull."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from audit import Audit
from clouds import Cloud, Manifest, assert_no_double_allocation
from running import eventually

from conftest import Operator
from controlplane import Kubectl
from drover.api.meta import API_VERSION

PER_HOST = 4
"""VMs that fill a host's memory to the last byte, so that one claim too many or too few shows."""
AT_ONCE = 100
"""Objects that one kubectl creates; several run side by side."""
POLL_SECONDS = 1.0


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("hosts", "patience"),
    [pytest.param(100, 120, id="400-on-100"), pytest.param(500, 400, id="2000-on-500", marks=pytest.mark.soak)],
)
def test_waiting_vms_are_all_placed_and_running_once_their_pool_is_there(
    hosts: int, patience: float, operator: Operator, cloud: Cloud, kubectl: Kubectl, audit: Audit
) -> None:
    network = cloud.object("Network", "net", {"subnets": [{"name": "v4", "cidr": "10.0.0.0/16"}]})
    cloud.up(cloud.flavor(cpus=1), cloud.image(), network)
    names = {f"vm-{index}" for index in range(PER_HOST * hosts)}
    _create(kubectl, [cloud.vm(name) for name in sorted(names)])
    _await_all(cloud, "Unschedulable", patience)
    audit.mark()
    begun, cpu = time.monotonic(), _cpu_seconds(operator, kubectl)
    memory = f"{PER_HOST * 2048 + 512}Mi"  # 512Mi is what a host keeps for itself
    cloud.apply(cloud.pool(hosts, memory=memory, time_scale="100"))
    _await_all(cloud, "Running", patience)
    seconds = time.monotonic() - begun
    spent = [f"{after - cpu[who]:.0f} s of CPU by the {who}" for who, after in _cpu_seconds(operator, kubectl).items()]
    print(f"{len(names)} VMs on {hosts} hosts: {seconds:.0f} s from the pool to all Running; {', '.join(spent)}")
    patches = Counter(write.name for write in audit.writes() if write.resource == "virtualmachines")
    print(f"PATCHes a VM: {Counter(patches.values())}")
    # Starting, Running, and for the first ones looked at a new refusal: hosts are there, and none is ready.
    assert set(patches) == names
    assert max(patches.values()) <= 3
    assert Counter(Counter(vm["status"]["hostName"] for vm in cloud.list("vm")).values()) == {PER_HOST: hosts}
    assert_no_double_allocation(kubectl, cloud.namespace)
    _clear(cloud, patience)


def _create(kubectl: Kubectl, manifests: list[Manifest]) -> None:
    lists = [
        json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests[start : start + AT_ONCE]})
        for start in range(0, len(manifests), AT_ONCE)
    ]
    with ThreadPoolExecutor(4) as kubectls:
        list(kubectls.map(lambda items: kubectl("create", "-f", "-", input=items), lists))


def _clear(cloud: Cloud, patience: float) -> None:
    """So many take longer to go than the end of the module waits."""
    cloud.kubectl("delete", "vm", "--all", "-n", cloud.namespace, "--wait=false", timeout=patience)
    eventually(lambda: not _one(cloud), patience, lambda: f"still there: {_one(cloud)}", POLL_SECONDS)
    cloud.kubectl("delete", "npool", cloud.namespace, f"--timeout={patience:.0f}s", timeout=patience)


def _await_all(cloud: Cloud, phase: str, patience: float) -> None:
    """Wait until the API server knows of no VM in another phase."""
    others = f"status.phase!={phase}"
    eventually(lambda: not _one(cloud, others), patience, lambda: f"not {phase}: {_one(cloud, others)}", POLL_SECONDS)


def _one(cloud: Cloud, selector: str = "") -> list[Manifest]:
    """A VM that the field selector selects, if there is any: all of them would be much to list again and again."""
    found = json.loads(cloud.kubectl("get", "--raw", f"{_path(cloud)}?limit=1&fieldSelector={selector}"))
    items: list[Manifest] = found["items"]
    return items


def _path(cloud: Cloud) -> str:
    return f"/apis/{API_VERSION}/namespaces/{cloud.namespace}/virtualmachines"


def _cpu_seconds(operator: Operator, kubectl: Kubectl) -> dict[str, float]:
    pages = {"operator": operator.process.get("/metrics")[1], "API server": kubectl("get", "--raw", "/metrics")}
    return {who: _sample(page, "process_cpu_seconds_total") for who, page in pages.items()}


def _sample(page: str, name: str) -> float:
    return next(float(line.split()[1]) for line in page.splitlines() if line.startswith(f"{name} "))
