"""What VMs may ask of placement, on the real API server: kept apart, kept together, preferred, and kept restartable."""

from collections import Counter
from collections.abc import Iterator

import pytest
import yaml
from clouds import PATIENCE, Cloud, Manifest, condition
from running import eventually

from controlplane import Kubectl

GPU = "nvidia.com/L40S"
FOUR_VMS = "8704Mi"
"""Memory of a host that holds four VMs of 2Gi: 512Mi is what it keeps for itself."""


def test_of_four_vms_kept_apart_by_zone_three_run_and_the_fourth_says_what_it_waits_for(cloud: Cloud) -> None:
    apart = {"type": "AntiAffinity", "enforcement": "Required", "topologyKey": "FailureDomain"}
    term = {**apart, "labelSelector": {"matchLabels": {"app": "test"}}}
    names = [f"db-{number}" for number in range(4)]
    zones = [{"name": f"z{number}"} for number in (1, 2, 3)]
    cloud.up(_pool(cloud, 3, failureDomains=zones), cloud.flavor(), cloud.image(), cloud.network())
    cloud.apply(*(cloud.vm(name, placement=_here(cloud, affinity=[term])) for name in names))
    cloud.phases("vm", Running=3, Unschedulable=1)
    rows = [cloud.shown("vm", name) for name in names]
    columns = Counter((row["STATUS"], row["READY"], row["REASON"], row["ZONE"]) for row in rows)
    running = [("Running", "True", "Running", f"z{number}") for number in (1, 2, 3)]
    assert columns == Counter([*running, ("Unschedulable", "False", "Unschedulable", "")])
    waiting = next(name for name, row in zip(names, rows, strict=True) if row["STATUS"] == "Unschedulable")
    scheduled = condition(cloud.status("vm", waiting), "Scheduled")
    assert (scheduled["status"], scheduled["reason"]) == ("False", "AffinityUnsatisfiable")
    # No single change of its own would help: those that run keep it away as it does them.
    assert scheduled["message"] == "0/3 hosts available: 3 not satisfying anti-affinity to app=test by FailureDomain"
    cloud.told("VirtualMachine", waiting, "FailedScheduling")


def test_a_vm_of_higher_priority_takes_the_place_of_no_more_than_needed(cloud: Cloud, urgent: str) -> None:
    small = [f"batch-{number}" for number in range(8)]
    double = cloud.flavor(f"{cloud.namespace}-double", memory="4Gi")
    cloud.up(_pool(cloud, 2, memory=FOUR_VMS), cloud.flavor(), double, cloud.image(), cloud.network())
    cloud.up(*(cloud.vm(name, preemptible=True) for name in small))
    before = {name: cloud.status("vm", name) for name in small}
    cloud.up(cloud.vm("urgent", flavorRef={"name": f"{cloud.namespace}-double"}, priorityClassName=urgent))
    cloud.phases("vm", Running=7, Unschedulable=2)
    after = {name: cloud.status("vm", name) for name in small}
    victims = [name for name in small if after[name]["phase"] == "Unschedulable"]
    assert {before[name]["hostName"] for name in victims} == {cloud.status("vm", "urgent")["hostName"]}
    kept = [name for name in small if name not in victims]
    assert [after[name]["lastStartTime"] for name in kept] == [before[name]["lastStartTime"] for name in kept]
    cloud.told("VirtualMachine", "urgent", "Preempting", "Scheduled")
    for name in victims:
        assert condition(after[name], "Scheduled")["reason"] == "NoCapacity"
        cloud.told("VirtualMachine", name, "Preempted", "FailedScheduling")
    cloud.kubectl("scale", "npool", cloud.namespace, "--replicas=3")
    cloud.phases("vm", Running=9)
    assert {cloud.status("vm", name)["hostName"] for name in victims} == {cloud.host(2)}


def test_a_group_of_twelve_goes_where_all_fit_and_not_where_its_first_member_would(cloud: Cloud) -> None:
    # An even host is in z1, an odd one in z2. z1 has the emptiest host, with room for 7; z2 two with room for 6 each.
    cloud.up(_pool(cloud, 4), cloud.flavor(), cloud.image(), cloud.network())
    _cordon(cloud, 0, 2)
    cloud.up(cloud.vm("other-0"), cloud.vm("other-1"))
    assert {cloud.status("vm", f"other-{number}")["hostName"] for number in (0, 1)} == {cloud.host(1), cloud.host(3)}
    _cordon(cloud, 0, unschedulable=False)
    names = [f"gang-{number}" for number in range(12)]
    # The group comes last, so that all of its members are there when the first one is placed.
    cloud.apply(*(cloud.vm(name, placement=_here(cloud, placementGroupName="gang")) for name in names))
    cloud.phases("vm", Running=2, Pending=12)
    cloud.up(cloud.group("gang", policy="Affinity", topologyKey="FailureDomain"))
    cloud.phases("vm", Running=14)
    hosts = Counter(cloud.status("vm", name)["hostName"] for name in names)
    assert hosts == {cloud.host(1): 6, cloud.host(3): 6}
    cloud.shows("pg", "gang", Policy="Affinity", Topology="FailureDomain", Members="12", State="Satisfied")


def test_a_pool_that_keeps_room_for_a_host_failure_restarts_every_vm_after_one(cloud: Cloud) -> None:
    names = [f"vm-{number}" for number in range(9)]
    pool = _pool(cloud, 3, memory=FOUR_VMS, admissionControl={"policy": "HostFailures"})
    cloud.up(pool, cloud.flavor(), cloud.image(), cloud.network())
    cloud.apply(*(cloud.vm(name, placement=_here(cloud)) for name in names))
    cloud.phases("vm", Running=8, Unschedulable=1)
    before = {name: cloud.status("vm", name) for name in names}
    (waiting,) = (name for name in names if before[name]["phase"] == "Unschedulable")
    scheduled = condition(before.pop(waiting), "Scheduled")
    assert (scheduled["status"], scheduled["reason"]) == ("False", "FailoverCapacityWouldBeLost")
    assert scheduled["message"] == (
        "0/3 hosts available: 3 held back for failover (1 host failure); it would fit: with what is held back for "
        f"failover: 3 hosts; one more host like {cloud.host(0)} in pool {cloud.namespace}"
    )
    lost = Counter(status["hostName"] for status in before.values()).most_common(1)[0][0]
    cloud.patch("host", lost, {"fault": {"type": "Crash"}})
    wanted = {name: int(status["hostName"] == lost) for name, status in before.items()}
    eventually(lambda: _restarts(cloud) == wanted, PATIENCE, lambda: f"{_restarts(cloud)}, not {wanted}")
    assert lost not in {cloud.status("vm", name)["hostName"] for name in before}
    assert cloud.status("vm", waiting)["phase"] == "Unschedulable"


def test_the_status_tells_how_a_host_was_chosen_and_what_the_vm_was_given_there(cloud: Cloud) -> None:
    fine, picky = f"{cloud.namespace}-fine", f"{cloud.namespace}-picky"
    cpu = {"guest": 4, "dedicatedCPUPlacement": True, "numaNodes": 1}
    gpus = [{"name": "gpu", "deviceName": GPU, "count": 2}]
    flavors = (
        cloud.flavor(fine, memory="5Gi", cpu=cpu, gpus=gpus),
        cloud.flavor(picky, memory="6Gi", cpus=4, traits={"required": ["CUSTOM_SSD"]}),
    )
    cloud.up(_pool_of_gpus(cloud, 2), *flavors, cloud.image(), cloud.network())
    cloud.up(cloud.vm("fine", flavorRef={"name": fine}, placement=_here(cloud)))
    cloud.apply(cloud.vm("picky", flavorRef={"name": picky}, placement=_here(cloud)))
    cloud.phase("vm", "picky", "Unschedulable")
    shown = yaml.safe_load(cloud.kubectl("get", "vm", "-n", cloud.namespace, "-o", "yaml"))["items"]
    told = {vm["metadata"]["name"]: vm["status"] for vm in shown}
    _assert_told_of_the_choice(told["fine"]["placement"], cloud)
    given = told["fine"]["flavor"] | {name: told["fine"][name] for name in ("numaCells", "cpuModel")}
    wanted = {"gpus": {GPU: 2}, "milliThreads": 4000, "numaNodes": 1, "numaCells": [0], "cpuModel": "Icelake-Server"}
    assert {name: given[name] for name in wanted} == wanted
    refused = told["picky"]["placement"]
    assert (refused["evaluated"], refused["feasible"]) == (2, 0)
    assert refused["rejections"] == {"lacking trait CUSTOM_SSD": 2}
    # The other flavor wants both GPUs of a host, and one host has given them away.
    without = "without required trait CUSTOM_SSD: 2 hosts"
    assert refused["wouldFitIf"] == [f"flavor {fine} instead of {picky}: 1 host", without]


def _assert_told_of_the_choice(placement: Manifest, cloud: Cloud) -> None:
    """Of two empty hosts that are alike."""
    assert placement["strategy"] == "Balance"
    assert placement["weights"] == {"cpu": 1, "memory": 1, "disk": 0, "network": 0}
    assert (placement["evaluated"], placement["feasible"]) == (2, 2)
    top = placement["topHosts"]
    assert [host["host"] for host in top] == [cloud.host(0), cloud.host(1)]
    assert placement["score"] == top[0]["score"] == top[1]["score"]
    for host in top:
        assert host["parts"].keys() == {"cpu", "memory", "balance"}
        assert sum(host["parts"].values()) == pytest.approx(host["score"], abs=1e-5)


# The worlds of the tests


@pytest.fixture
def urgent(kubectl: Kubectl, namespace: str) -> Iterator[str]:
    """The name of a PriorityClass above all others."""
    kubectl("create", "priorityclass", namespace, "--value=1000")
    yield namespace
    kubectl("delete", "priorityclass", namespace)


def _pool(cloud: Cloud, hosts: int, **spec: object) -> Manifest:
    """A pool whose hosts are the only ones for VMs ``_here``, whatever other clouds are being taken down."""
    pool = cloud.pool(hosts, **spec)  # type: ignore[arg-type]
    pool["spec"]["template"]["labels"] = {"cloud": cloud.namespace}
    return pool


def _pool_of_gpus(cloud: Cloud, hosts: int) -> Manifest:
    """Each host has two GPUs and two NUMA cells."""
    pool = _pool(cloud, hosts)
    cpu = {"sockets": 2, "coresPerSocket": 4, "model": "Icelake-Server"}
    pool["spec"]["template"] |= {"cpu": cpu, "gpus": [{"deviceName": GPU, "count": 2}]}
    return pool


def _here(cloud: Cloud, **placement: object) -> Manifest:
    return {"nodePoolName": cloud.namespace, "nodeSelector": {"cloud": cloud.namespace}, **placement}


def _cordon(cloud: Cloud, *hosts: int, unschedulable: bool = True) -> None:
    """Cordon hosts, or uncordon them, and wait until the operator knows."""
    for host in map(cloud.host, hosts):
        cloud.patch("host", host, {"unschedulable": unschedulable})
        wanted = f"--for=condition=Schedulable={not unschedulable}"
        cloud.kubectl("wait", wanted, f"host/{host}", f"--timeout={PATIENCE:.0f}s")


def _restarts(cloud: Cloud) -> dict[str, int]:
    """Of the VMs that run."""
    running = [vm for vm in cloud.list("vm") if vm["status"]["phase"] == "Running"]
    return {vm["metadata"]["name"]: vm["status"]["restarts"] for vm in running}
