"""What VMs may ask of placement, seen on the whole system in virtual time."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.sim import cloud
from drover.sim.clock import START
from drover.sim.rest import unrest
from drover.sim.simulation import Simulation

TEAM = "team-a"


class Cloud:
    """A data centre of one pool, two flavors (1 and 4 vCPUs) and an image that is there at once."""

    def __init__(self, hosts: int = 6, zones: int = 3, **pool: Any) -> None:
        self.sim = Simulation(1)
        made = cloud.pool("a", hosts, 1, "20")
        made["spec"]["template"]["memory"] = "8704Mi"  # 8Gi for VMs
        made["spec"]["template"] |= pool.pop("template", {})
        made["spec"]["failureDomains"] = [{"name": f"z{number}"} for number in range(1, zones + 1)]
        made["spec"] |= pool
        for raw in (made, cloud.flavor("small"), cloud.flavor("large"), cloud.image("blank", TEAM)):
            self.create(raw)
        for name, value in cloud.PRIORITIES.items():
            self.create(cloud.priority_class(name, value))
        self.sim.start()
        self.sim.run_until(START + timedelta(minutes=1))

    def create(self, raw: dict[str, Any]) -> Key:
        return self.sim.store.create(raw, self.sim.now).key

    def vm(self, name: str, flavor: str = "small", labels: dict[str, str] | None = None, **spec: Any) -> Key:
        wanted = {"flavorRef": {"name": flavor}, "imageRef": {"name": "blank"}, **spec}
        return self.create(cloud.manifest("VirtualMachine", name, wanted, TEAM, labels=labels or {}))

    def rest(self, minutes: float = 20) -> None:
        self.sim.run_until(self.sim.now + timedelta(minutes=minutes))
        assert unrest(self.sim.store) == []

    def seen(self, name: str) -> VirtualMachine:
        found = self.sim.store.get(Key("VirtualMachine", TEAM, name))
        assert isinstance(found, VirtualMachine)
        return found

    def phases(self, *names: str) -> list[str | None]:
        return [self.seen(name).status.phase for name in names]

    def hosts_of(self, *names: str) -> list[str | None]:
        return [self.seen(name).status.host_name for name in names]

    def change_host(self, name: str, **spec: Any) -> None:
        self.sim.store.patch(Key("Host", "", name), {"spec": spec})


def apart(topology: str, **labels: str) -> dict[str, Any]:
    term = {"type": "AntiAffinity", "enforcement": "Required", "labelSelector": {"matchLabels": labels}}
    return {"affinity": [{**term, "topologyKey": topology}]}


def together(topology: str, **labels: str) -> dict[str, Any]:
    term = {"type": "Affinity", "enforcement": "Required", "labelSelector": {"matchLabels": labels}}
    return {"affinity": [{**term, "topologyKey": topology}]}


def test_anti_affinity_over_zones_places_one_vm_a_zone_and_says_why_the_fourth_waits() -> None:
    site = Cloud()
    for number in range(4):
        site.vm(f"db-{number}", labels={"app": "db"}, placement=apart("FailureDomain", app="db"))
    site.rest()
    vms = [site.seen(f"db-{number}") for number in range(4)]
    placed = [vm for vm in vms if vm.status.phase == "Running"]
    assert sorted(str(vm.status.failure_domain) for vm in placed) == ["z1", "z2", "z3"]
    (fourth,) = (vm for vm in vms if vm not in placed)
    scheduled = fourth.status.condition("Scheduled")
    assert scheduled is not None
    assert (fourth.status.phase, scheduled.reason) == ("Unschedulable", "AffinityUnsatisfiable")
    told = "0/6 hosts available: 6 not satisfying anti-affinity to app=db by FailureDomain"
    assert scheduled.message.startswith(told)
    site.sim.store.delete(placed[0].key, site.sim.now)
    site.rest()
    assert site.phases(fourth.name) == ["Running"]


def test_anti_affinity_binds_the_vm_that_did_not_ask_for_it_too() -> None:
    site = Cloud(hosts=1, zones=1)
    site.vm("loner", placement=apart("Host", app="web"))
    site.rest(5)
    site.vm("web", labels={"app": "web"})
    site.rest()
    assert site.phases("loner", "web") == ["Running", "Unschedulable"]


def test_a_vm_with_affinity_waits_for_the_one_it_wants_to_be_beside() -> None:
    site = Cloud()
    site.vm("cache", placement=together("FailureDomain", app="db"))
    site.rest(5)
    assert site.phases("cache") == ["Unschedulable"]
    site.vm("db", labels={"app": "db"})
    site.rest()
    assert site.phases("cache") == ["Running"]
    assert site.seen("cache").status.failure_domain == site.seen("db").status.failure_domain


def test_a_hard_spread_keeps_zones_within_the_skew() -> None:
    site = Cloud()
    spread = {
        "topologyKey": "FailureDomain",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    names = [f"web-{number}" for number in range(8)]
    for name in names:
        site.vm(name, labels={"app": "web"}, placement={"topologySpread": [spread]})
    site.rest()
    assert set(site.phases(*names)) == {"Running"}
    assert sorted(Counter(site.seen(name).status.failure_domain for name in names).values()) == [2, 3, 3]


def test_a_group_of_twelve_is_placed_whole_where_its_first_member_alone_would_have_gone_elsewhere() -> None:
    # Zone z1 has most room on one host, which the first member would choose; only z2 has room for all twelve.
    site = Cloud(hosts=6, zones=2, placement={"strategy": "Balance"})
    site.vm("a-0", "large", placement={"nodeSelector": {"disk": "ssd"}})
    site.create(cloud.manifest("PlacementGroup", "gang", {"policy": "Affinity", "topologyKey": "FailureDomain"}, TEAM))
    for name in ("a-2", "a-4"):
        site.change_host(name, unschedulable=name == "a-2")
    site.rest(5)
    names = [f"gang-{number}" for number in range(12)]
    for name in names:
        site.vm(name, placement={"placementGroupName": "gang"})
    site.rest()
    assert set(site.phases(*names)) == {"Running"}
    assert {site.seen(name).status.failure_domain for name in names} == {"z2"}


@pytest.mark.parametrize(("limit", "running"), [(1, 6), (2, 12)])
def test_a_group_kept_apart_has_at_most_so_many_members_on_a_host(limit: int, running: int) -> None:
    site = Cloud()
    site.create(cloud.manifest("PlacementGroup", "web", {"policy": "AntiAffinity", "maxPerDomain": limit}, TEAM))
    names = [f"web-{number}" for number in range(13)]
    for name in names:
        site.vm(name, placement={"placementGroupName": "web"})
    site.rest()
    phases = site.phases(*names)
    assert phases.count("Running") == running
    assert max(Counter(host for host in site.hosts_of(*names) if host).values()) == limit


def test_a_vm_of_higher_priority_takes_the_place_of_preemptible_ones_and_of_no_more_than_needed() -> None:
    site = Cloud(hosts=2, zones=1)
    filler = [f"batch-{number}" for number in range(16)]
    for name in filler:
        site.vm(name, priorityClassName="batch", preemptible=True)
    site.rest()
    assert set(site.phases(*filler)) == {"Running"}
    site.vm("loud", "large", priorityClassName="urgent")
    site.vm("meek", "large")
    site.rest()
    assert site.phases("loud", "meek") == ["Running", "Running"]
    assert site.phases(*filler).count("Running") == 16 - 6 - 6
    assert set(site.phases(*filler)) == {"Running", "Unschedulable"}


def test_nobody_is_stopped_for_a_vm_whose_class_never_preempts_or_who_is_not_preemptible() -> None:
    site = Cloud(hosts=1, zones=1)
    patient = cloud.priority_class("patient", 5000)
    site.create({**patient, "preemptionPolicy": "Never"})
    site.vm("pet", "large")
    site.vm("spot", priorityClassName="batch", preemptible=True)
    site.vm("second", priorityClassName="batch", preemptible=True)
    site.rest()
    site.vm("big", "large", priorityClassName="urgent")
    site.vm("slow", "large", priorityClassName="patient")
    site.rest()
    assert site.phases("pet", "spot", "second") == ["Running"] * 3
    assert site.phases("big", "slow") == ["Unschedulable"] * 2


def test_room_that_comes_free_goes_to_as_many_as_fit_of_a_hundred_that_wait() -> None:
    site = Cloud(hosts=1, zones=1)
    site.change_host("a-0", unschedulable=True)
    site.sim.run_until(site.sim.now + timedelta(minutes=1))
    names = [f"vm-{number}" for number in range(100)]
    for name in names:
        site.vm(name)
    site.rest()
    assert set(site.phases(*names)) == {"Unschedulable"}
    site.change_host("a-0", unschedulable=False)
    site.rest()
    assert site.phases(*names).count("Running") == 8


def test_a_pool_that_tolerates_a_host_failure_restarts_all_its_vms_after_one() -> None:
    site = Cloud(hosts=4, zones=1, admissionControl={"policy": "HostFailures"})
    names = [f"vm-{number}" for number in range(32)]
    for name in names:
        site.vm(name)
    site.rest()
    running = [name for name in names if site.phases(name) == ["Running"]]
    assert len(running) == 24
    waiting = site.seen(next(name for name in names if name not in running)).status.condition("Scheduled")
    assert waiting is not None
    assert waiting.reason == "FailoverCapacityWouldBeLost"
    site.change_host("a-1", fault={"type": "Crash"})
    site.rest()
    assert [name for name in names if site.phases(name) == ["Running"]] == running


def test_taints_traits_gpus_and_numa_cells_decide_who_may_go_where() -> None:
    template = {
        "gpus": [{"deviceName": "nvidia.com/H100", "count": 2}],
        "traits": ["CUSTOM_FAST"],
        "cpu": {"sockets": 2, "coresPerSocket": 4, "threadsPerCore": 1, "model": "Icelake-Server"},
    }
    site = Cloud(hosts=2, zones=1, template=template)
    for name, more in {
        "gpu": {"gpus": [{"name": "g", "deviceName": "nvidia.com/H100", "count": 2}]},
        "fast": {"traits": {"required": ["CUSTOM_FAST"]}},
        "slow": {"traits": {"forbidden": ["CUSTOM_FAST"]}},
        "numa": {"cpu": {"guest": 4, "dedicatedCPUPlacement": True, "numaNodes": 1}},
        "milan": {"cpu": {"guest": 1, "model": "EPYC-Milan"}},
    }.items():
        made = cloud.flavor("small")
        made["metadata"]["name"] = name
        made["spec"] |= more
        site.create(made)
    site.change_host("a-0", taints=[{"key": "gpu", "value": "only", "effect": "NoSchedule"}])
    site.rest(5)
    tolerant = {"tolerations": [{"key": "gpu", "operator": "Exists"}]}
    site.vm("gpu-0", "gpu", placement=tolerant)
    site.vm("gpu-1", "gpu", placement=tolerant)
    site.vm("gpu-2", "gpu", placement=tolerant)
    site.vm("fast", "fast")
    site.vm("slow", "slow")
    site.vm("milan", "milan")
    site.rest()
    assert sorted(map(str, site.hosts_of("gpu-0", "gpu-1", "gpu-2"))) == ["None", "a-0", "a-1"]
    assert site.hosts_of("fast", "slow", "milan") == ["a-1", None, None]
    why = {name: site.seen(name).status.condition("Scheduled") for name in ("slow", "milan")}
    assert {name: found.reason for name, found in why.items() if found} == dict.fromkeys(why, "NoHostWithTraits")
    site.vm("pinned-0", "numa", placement=tolerant)
    site.vm("pinned-1", "numa", placement=tolerant)
    site.rest()
    assert [len(site.seen(f"pinned-{number}").status.numa_cells) for number in range(2)] == [1, 1]
