"""What kubectl shows of placement: groups, room by flavor, what a pool can lose, racks and devices."""

import json

from clouds import PATIENCE, Cloud, Manifest, condition
from running import eventually

GPU = "nvidia.com/L40S"


def test_a_group_shows_who_stands_where_it_should_not_and_is_kept_while_vms_name_it(cloud: Cloud) -> None:
    cloud.up(cloud.pool(1), cloud.flavor(), cloud.image(), cloud.network(), cloud.group())
    vms = [cloud.vm("db-0", placement=_in_group(cloud)), cloud.vm("db-1")]
    cloud.up(*vms)
    cloud.shows("pg", "group", Policy="AntiAffinity", Topology="Host", Members="1", State="Satisfied")
    cloud.patch("vm", "db-1", {"placement": _in_group(cloud)})
    cloud.shows("pg", "group", Members="2", State="Violated")
    status = cloud.status("pg", "group")
    assert status["violations"] == [f"db-0 and db-1 on {cloud.host(0)}"]
    ready = condition(status, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Violated")
    cloud.told("PlacementGroup", "group", "GroupViolated")
    cloud.kubectl("delete", "pg", "group", "-n", cloud.namespace, "--wait=false")
    cloud.phase("pg", "group", "Terminating")
    cloud.told("PlacementGroup", "group", "DeletionBlocked")
    cloud.kubectl("delete", "vm", "--all", "-n", cloud.namespace, "--timeout=20s")
    cloud.kubectl("wait", "--for=delete", "pg/group", "-n", cloud.namespace, "--timeout=20s")


def test_a_vm_waits_for_its_group_to_be_created(cloud: Cloud) -> None:
    cloud.up(cloud.pool(1), cloud.flavor(), cloud.image(), cloud.network())
    cloud.apply(cloud.vm(placement=_in_group(cloud)))
    waiting = cloud.phase("vm", "vm", "Pending")
    assert "placement group group does not exist" in condition(waiting, "Ready")["message"]
    cloud.apply(cloud.group())
    cloud.phase("vm", "vm", "Running")


def test_a_flavor_shows_how_many_more_fit_now_and_after_the_loss_of_a_host(cloud: Cloud) -> None:
    """Three hosts of 15.5 GiB for VMs; only this cloud's flavors may go there, and nowhere else."""
    small, large = _flavor(cloud, "small", "2Gi"), _flavor(cloud, "large", "15Gi")
    cloud.up(_pool(cloud, 3), small, large, cloud.image(), cloud.network())
    cloud.shows("flv", _name(small), VMs="0", Placeable="21", Limit="memory", State="Active")
    placeable = condition(cloud.status("flv", _name(small)), "Placeable")
    assert (placeable["status"], placeable["reason"]) == ("True", "CapacityAvailable")
    assert placeable["message"] == "21 more fit now, 14 after the loss of any one host; memory runs out first"
    cloud.shows("flv", _name(large), Placeable="3")  # so that running out is a change, and told
    vms = [cloud.vm(f"vm-{n}", flavorRef={"name": _name(large)}) for n in range(3)]
    cloud.up(*vms)
    cloud.shows("flv", _name(large), VMs="3", Placeable="0", Limit="memory")
    full = condition(cloud.status("flv", _name(large)), "Placeable")
    assert (full["status"], full["reason"]) == ("False", "NoCapacity")
    assert "insufficient memory" in full["message"]
    assert full["message"].endswith("each takes 15Gi of memory")
    cloud.told("Flavor", _name(large), "CapacityExhausted")
    cloud.kubectl("delete", "vm", "vm-0", "-n", cloud.namespace, "--timeout=20s")
    cloud.shows("flv", _name(large), VMs="2", Placeable="1")
    alone = cloud.status("flv", _name(large))
    assert alone["capacity"]["placeableAfterHostFailure"] == 0
    assert condition(alone, "Placeable")["reason"] == "OnlyWithoutFailover"
    cloud.told("Flavor", _name(large), "CapacityRestored")


def test_a_pool_shows_how_many_hosts_it_can_lose_and_warns_when_they_become_too_few(cloud: Cloud) -> None:
    control = {"policy": "HostFailures", "hostFailuresToTolerate": 1}
    cloud.up(_pool(cloud, 3, admissionControl=control), cloud.flavor(), cloud.image(), cloud.network())
    cloud.up(cloud.vm("vm-1"), cloud.vm("vm-2"))
    cloud.shows("npool", cloud.namespace, Hosts="3", VMs="2", Failover="2")
    status = cloud.status("npool", cloud.namespace)
    assert status["failover"] == {"tolerated": 2, "required": 1}
    tolerates = condition(status, "FailoverCapacityAvailable")
    assert (tolerates["status"], tolerates["reason"]) == ("True", "Tolerates")
    assert tolerates["message"].startswith("2 of 1 required")
    assert condition(status, "CapacityAvailable")["reason"] == "Available"
    assert condition(status, "Balanced")["reason"] in ("WithinThreshold", "Imbalanced")
    cloud.patch("npool", cloud.namespace, {"admissionControl": {"hostFailuresToTolerate": 3}})
    cloud.told("NodePool", cloud.namespace, "FailoverCapacityLost")
    lost = condition(cloud.status("npool", cloud.namespace), "FailoverCapacityAvailable")
    assert (lost["status"], lost["reason"]) == ("False", "Insufficient")
    cloud.patch("npool", cloud.namespace, {"admissionControl": {"policy": "Disabled"}})
    cloud.shows("npool", cloud.namespace, Failover="")


def test_hosts_stand_in_racks_and_devices_are_counted(cloud: Cloud) -> None:
    zones = [{"name": "z1", "racks": 2}, {"name": "z2"}]
    pool = _pool(cloud, 5, failureDomains=zones)
    pool["spec"]["template"]["gpus"] = [{"deviceName": GPU, "count": 4}]
    sized = _flavor(cloud, "gpu", "2Gi", gpus=[{"name": "gpu", "deviceName": GPU, "count": 3}])
    cloud.up(pool, sized, cloud.image(), cloud.network())
    racks = [cloud.get("host", cloud.host(n))["spec"].get("rack") for n in range(5)]
    assert racks == ["r1", None, "r2", None, "r1"]
    cloud.shows("flv", _name(sized), GPUs="3", Placeable="5", Limit=GPU)
    cloud.up(cloud.vm(flavorRef={"name": _name(sized)}))
    host = cloud.status("vm")["hostName"]

    def counted() -> bool:
        statuses = cloud.status("host", host), cloud.status("npool", cloud.namespace)
        return [status["allocated"].get("gpus") for status in statuses] == [{GPU: 3}, {GPU: 3}]

    eventually(counted, PATIENCE, lambda: json.dumps(cloud.status("host", host)))
    assert cloud.status("npool", cloud.namespace)["capacity"]["gpus"] == {GPU: 20}
    cloud.shows("flv", _name(sized), VMs="1", Placeable="4")


def _in_group(cloud: Cloud) -> Manifest:
    return {"nodePoolName": cloud.namespace, "placementGroupName": "group"}


def _pool(cloud: Cloud, hosts: int, **spec: object) -> Manifest:
    """A pool whose hosts can be told from those of other clouds."""
    pool = cloud.pool(hosts, **spec)  # type: ignore[arg-type]
    pool["spec"]["template"]["labels"] = {"cloud": cloud.namespace}
    return pool


def _flavor(cloud: Cloud, size: str, memory: str, **spec: object) -> Manifest:
    return cloud.flavor(f"{cloud.namespace}-{size}", memory=memory, nodeSelector={"cloud": cloud.namespace}, **spec)


def _name(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])
