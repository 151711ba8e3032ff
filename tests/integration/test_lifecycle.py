"""A VM's life by kubectl: from a manifest to Running and away again, in as few writes as promised."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest
from audit import Audit, Write
from clouds import Cloud, Manifest, cloud_in, condition
from running import eventually

from conftest import Operator
from controlplane import Kubectl, KubectlError

KINDS = ("npool", "hst", "flv", "img", "vol", "vnet", "pg", "vm", "vmm", "mplan")
LONGEST_GATHERING = 10.0
"""Seconds that the operator gathers changes at most, before it writes a view of them."""


@pytest.fixture(scope="module")
def standing(operator: Operator, kubectl: Kubectl) -> Iterator[Cloud]:  # noqa: ARG001  # it runs the cloud
    """A cloud with an object of every kind, at rest; tests only look at it."""
    namespace = "test-standing"
    kubectl("create", "namespace", namespace)
    with cloud_in(kubectl, namespace) as cloud:
        base = cloud.pool(4), cloud.flavor(), cloud.image(), cloud.network(), cloud.group()
        volumes = [{"name": "data", "template": {"size": "10Gi"}}]
        vms = cloud.vm("vm-1"), cloud.vm("vm-2"), cloud.vm("vm-3", volumes=volumes)
        cloud.up(*base, *vms)
        cloud.up(cloud.plan(virtualMachines=[{"name": "vm-1"}]))
        yield cloud
    kubectl("delete", "namespace", namespace, "--wait=false")


def test_a_vm_takes_at_most_three_patches_from_apply_to_running(cloud: Cloud, audit: Audit) -> None:
    cloud.up(cloud.pool(), cloud.flavor(), cloud.image(), cloud.network())
    audit.mark()
    vms = [cloud.vm(f"vm-{index}") for index in range(10)]
    cloud.up(*vms)
    patches = Counter(write.name for write in audit.writes() if _patches_a_vm(write, cloud))
    assert set(patches) == {f"vm-{index}" for index in range(10)}
    assert max(patches.values()) <= 3, patches


def _patches_a_vm(write: Write, cloud: Cloud) -> bool:
    return write.namespace == cloud.namespace and write.resource == "virtualmachines" and write.verb == "patch"


@pytest.mark.parametrize("kind", KINDS)
def test_kubectl_wait_for_ready_works_on_every_kind(standing: Cloud, kind: str) -> None:
    names = _names(standing, kind)
    told = standing.kubectl("wait", "--for=condition=Ready", kind, *names, "-n", standing.namespace, "--timeout=20s")
    assert told.count("condition met") == len(names) > 0


def _names(cloud: Cloud, kind: str) -> list[str]:
    """Of the cloud's objects; those in no namespace have names that begin with it."""
    found = [one["metadata"] for one in cloud.list(kind)]
    return [one["name"] for one in found if one.get("namespace", one["name"]).startswith(cloud.namespace)]


def test_kubectl_get_drover_shows_every_kind_with_its_columns(standing: Cloud) -> None:
    told = standing.kubectl("get", "drover", "-A")
    print(told)
    row = next(line for line in told.splitlines() if "virtualmachine.drover.dev/vm-1 " in line)
    assert {"Running", "True", "test-standing"} <= set(row.split())
    for kind in (
        "nodepool",
        "host",
        "flavor",
        "image",
        "volume",
        "network",
        "placementgroup",
        "virtualmachinemigration",
        "migrationplan",
    ):
        assert f"{kind}.drover.dev/" in told, kind


def test_a_vm_is_stopped_and_started_and_keeps_its_address(cloud: Cloud) -> None:
    before = _running_vm(cloud)
    cloud.patch("vm", "vm", {"runStrategy": "Halted"})
    stopped = cloud.phase("vm", "vm", "Stopped")
    assert "hostName" not in stopped
    assert condition(stopped, "Ready")["status"] == "True"
    cloud.patch("vm", "vm", {"runStrategy": "Always"})
    started = cloud.phase("vm", "vm", "Running")
    assert started["interfaces"] == before["interfaces"]
    assert started["bootAttempt"] == before["bootAttempt"] + 1


def test_a_vm_is_paused_and_resumed_where_it_is(cloud: Cloud) -> None:
    before = _running_vm(cloud)
    cloud.patch("vm", "vm", {"paused": True})
    paused = cloud.phase("vm", "vm", "Paused")
    assert condition(paused, "Ready")["reason"] == "Paused"
    cloud.patch("vm", "vm", {"paused": False})
    resumed = cloud.phase("vm", "vm", "Running")
    assert (resumed["hostName"], resumed["lastStartTime"]) == (before["hostName"], before["lastStartTime"])


def test_a_vm_is_resized_by_its_next_restart(cloud: Cloud) -> None:
    before = _running_vm(cloud)
    larger = f"{cloud.namespace}-large"
    cloud.up(cloud.flavor(larger, cpus=4, memory="6Gi"))
    cloud.patch("vm", "vm", {"flavorRef": {"name": larger}})
    required = "--for=condition=RestartRequired"
    cloud.kubectl("wait", required, "vm/vm", "-n", cloud.namespace, "--timeout=20s")
    cloud.kubectl("annotate", "vm", "vm", "-n", cloud.namespace, "drover.dev/action=restart@1")
    eventually(lambda: cloud.status("vm").get("flavor", {}).get("name") == larger, 20, lambda: str(cloud.status("vm")))
    after = cloud.phase("vm", "vm", "Running")
    assert (after["flavor"]["vcpus"], after["flavor"]["memoryBytes"]) == (4, 6 * 2**30)
    assert after["bootAttempt"] == before["bootAttempt"] + 1
    assert not condition(after, "RestartRequired")


def test_room_that_comes_free_goes_to_the_vm_of_higher_priority(cloud: Cloud) -> None:
    urgent = f"{cloud.namespace}-urgent"
    cloud.up(cloud.pool(1, memory="2560Mi"), cloud.flavor(memory="2Gi"), cloud.image(), cloud.network(), cloud.vm())
    cloud.kubectl("create", "priorityclass", urgent, "--value=1000")
    try:
        for vm in (cloud.vm("older"), cloud.vm("urgent", priorityClassName=urgent)):
            cloud.apply(vm)
            cloud.phase("vm", vm["metadata"]["name"], "Unschedulable")
        cloud.kubectl("delete", "vm", "vm", "-n", cloud.namespace, "--timeout=20s")
        cloud.phase("vm", "urgent", "Running")
        assert cloud.status("vm", "older")["phase"] == "Unschedulable"
    finally:
        cloud.kubectl("delete", "priorityclass", urgent)


@pytest.mark.parametrize(
    "order", [("npool", "flv", "img", "vnet", "pg", "vol", "vm"), ("vm", "vol", "pg", "vnet", "img", "flv", "npool")]
)
def test_everything_can_be_deleted_in_any_order(cloud: Cloud, order: tuple[str, ...]) -> None:
    volumes = [{"name": "data", "template": {"size": "10Gi"}}]
    cloud.up(cloud.pool(), cloud.flavor(), cloud.image(), cloud.network(), cloud.group())
    grouped = {"nodePoolName": cloud.namespace, "placementGroupName": "group"}
    cloud.up(cloud.vm("vm-1", volumes=volumes), cloud.vm("vm-2", placement=grouped))
    for kind in order:
        mine = ("-l", f"cloud={cloud.namespace}") if kind in ("npool", "flv") else ("--all", "-n", cloud.namespace)
        cloud.kubectl("delete", kind, *mine, "--wait=false")
    eventually(lambda: not _left(cloud), 30, lambda: f"still there: {_left(cloud)}")


def _left(cloud: Cloud) -> list[str]:
    inside = cloud.kubectl("get", "vm,vol,vnet,pg,img,vmm,mplan", "-n", cloud.namespace, "-o", "name").split()
    hosts = [host for host in cloud.kubectl("get", "npool,flv,hst", "-o", "name").split() if cloud.namespace in host]
    return inside + hosts


def test_a_protected_vm_cannot_be_deleted_until_the_protection_is_off(cloud: Cloud) -> None:
    cloud.apply(cloud.vm(deletionProtection=True, runStrategy="Halted"))
    refusals: list[str] = []

    def refused() -> bool:  # a policy takes a moment until it is enforced
        try:
            cloud.kubectl("delete", "vm", "vm", "-n", cloud.namespace, "--dry-run=server")
        except KubectlError as error:
            refusals.append(error.stderr)
        return bool(refusals)

    eventually(refused, 20, lambda: "the deletion was not refused")
    assert f"spec.deletionProtection of VirtualMachine {cloud.namespace}/vm is true" in refusals[0]
    cloud.patch("vm", "vm", {"deletionProtection": False})
    cloud.kubectl("delete", "vm", "vm", "-n", cloud.namespace, "--timeout=20s")


def _running_vm(cloud: Cloud) -> Manifest:
    """Bring up one VM; its status."""
    cloud.up(cloud.pool(), cloud.flavor(), cloud.image(), cloud.network(), cloud.vm())
    status = cloud.status("vm")
    assert status["phase"] == "Running", json.dumps(status)
    return status


def test_a_retained_volume_outlives_its_vm_and_serves_the_next_of_that_name(cloud: Cloud) -> None:
    def disk(name: str) -> dict[str, object]:
        return {"name": name, "template": {"size": "10Gi"}}

    kept = disk("kept") | {"template": {"size": "10Gi", "reclaimPolicy": "Retain"}}
    vm = cloud.vm(volumes=[disk("scratch"), disk("late"), kept])
    cloud.up(cloud.pool(), cloud.flavor(), cloud.image(), cloud.network(), vm)
    uids = {volume["metadata"]["name"]: volume["metadata"]["uid"] for volume in cloud.list("vol")}
    assert uids.keys() == {"vm-kept", "vm-late", "vm-scratch"}
    cloud.patch("vol", "vm-late", {"reclaimPolicy": "Retain"})
    eventually(
        lambda: "ownerReferences" not in cloud.get("vol", "vm-late")["metadata"], 10, lambda: "vm-late is owned still"
    )
    cloud.kubectl("delete", "vm", "vm", "-n", cloud.namespace)
    cloud.kubectl("wait", "vol/vm-scratch", "--for=delete", "-n", cloud.namespace, "--timeout=20s")
    cloud.up(vm)
    after = {volume["metadata"]["name"]: volume["metadata"]["uid"] for volume in cloud.list("vol")}
    assert {name for name in uids if after[name] == uids[name]} == {"vm-kept", "vm-late"}


@pytest.mark.timeout(300)
def test_an_idle_operator_writes_nothing_and_an_unchanged_manifest_changes_nothing(
    standing: Cloud, audit: Audit
) -> None:
    """The last one here: what ended in the minute before is still on its way to the records."""
    eventually(lambda: not _unrecorded(standing), 90, lambda: f"not in a record yet: {_unrecorded(standing)}")
    audit.await_silence(LONGEST_GATHERING + 2.0, patience=60.0)
    audit.mark()
    standing.apply(standing.pool(4), standing.flavor(), standing.image(), standing.network(), standing.vm("vm-1"))
    # Silence is what is looked for: nothing may be gathering either.
    audit.await_silence(LONGEST_GATHERING + 2.0)
    assert audit.writes() == []


def _unrecorded(cloud: Cloud) -> list[str]:
    """What has usage that no record has taken, and records that go, whichever cloud's."""
    everything = json.loads(cloud.kubectl("get", "vm,vol,vnet,usagerec", "-A", "-o", "json"))["items"]
    records = [one for one in everything if one["kind"] == "UsageRecord"]
    settled = Counter[str]()
    for record in records:
        settled |= Counter(record.get("status", {}).get("settled", {}))
    waiting = [one for one in everything if _last_ended(one) > settled[one["metadata"]["uid"]]]
    going = [record for record in records if "deletionTimestamp" in record["metadata"]]
    return [f"{one['kind']} {one['metadata']['name']}" for one in (*waiting, *going)]


def _last_ended(resource: Manifest) -> int:
    """The number of the last interval of usage that is to be recorded; 0 where there is none."""
    pending = resource.get("status", {}).get("usage", {}).get("pending", [])
    return max((int(entry["seq"]) for entry in pending), default=0)
