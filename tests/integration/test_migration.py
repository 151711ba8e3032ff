"""Live migrations by kubectl: planned, rehearsed, cancelled, and hosts that are drained or die."""

import json

import pytest
from clouds import PATIENCE, Cloud, Manifest, condition
from running import eventually

from controlplane import KubectlError


def test_a_plan_of_one_vm_moves_it_and_tells_the_outcome_beside_the_estimate(cloud: Cloud) -> None:
    before = _up(cloud, "vm")["vm"]
    cloud.up(cloud.plan(virtualMachines=[{"name": "vm"}]))
    after, plan = cloud.status("vm"), cloud.status("mplan", "plan")
    assert after["phase"] == "Running"
    assert after["hostName"] != before["hostName"]
    assert (after["interfaces"], after["lastStartTime"]) == (before["interfaces"], before["lastStartTime"])
    assert (plan["phase"], plan["succeeded"], plan["percent"]) == ("Succeeded", 1, 100)
    [migration] = cloud.list("vmm")
    estimate, result = migration["status"]["estimate"], migration["status"]["result"]
    assert estimate["verdict"] == "Converges"
    assert (result["passes"], estimate["passes"]) == (1, 1)
    assert result["transferredBytes"] > 1.9 * 2**30
    assert 0 < result["downtimeMilliseconds"] < 400
    assert abs(result["durationErrorPercent"]) < 25
    assert plan["result"]["transferredBytes"] == result["transferredBytes"]
    assert plan["result"]["durationSeconds"] >= result["durationSeconds"]
    cloud.told("VirtualMachine", "vm", "Scheduled", "Started", "Migrating", "Migrated")
    cloud.told("VirtualMachineMigration", migration["metadata"]["name"], "SuccessfulMigration")
    cloud.told("MigrationPlan", "plan", "PlanSucceeded")


def test_a_plan_of_many_moves_all_that_match_within_the_pools_limits(cloud: Cloud) -> None:
    before = _up(cloud, *(f"vm-{i}" for i in range(6)), migration={"parallelMigrationsPerPool": 2})
    cloud.apply(cloud.plan(selector={"matchLabels": {"app": "test"}}))
    cloud.phase("mplan", "plan", "Succeeded")
    moves = [_span(migration["status"]) for migration in cloud.list("vmm")]
    assert len(moves) == 6
    at_once = [sum(begun <= start < ended for begun, ended in moves) for start, _ in moves]
    assert max(at_once) == 2
    after = {vm["metadata"]["name"]: vm["status"] for vm in cloud.list("vm")}
    assert all(after[name]["hostName"] != before[name]["hostName"] for name in before)
    assert {status["phase"] for status in after.values()} == {"Running"}


def test_a_dry_run_estimates_and_moves_nothing(cloud: Cloud) -> None:
    before = _up(cloud, "vm-1", "vm-2")
    cloud.up(cloud.plan(mode="DryRun", selector={}))
    plan = cloud.status("mplan", "plan")
    assert (plan["phase"], condition(plan, "Ready")["reason"]) == ("Planned", "DryRunComplete")
    assert plan["estimate"]["verdict"] == "Converges"
    assert plan["estimate"]["transferBytes"] > 3.8 * 2**30
    assert plan["estimate"]["durationSeconds"]["p50"] > 3
    assert [entry["target"] for entry in plan["migrations"]] != [None, None]
    assert cloud.list("vmm") == []
    assert {name: cloud.status("vm", name)["hostName"] for name in before} == {
        name: status["hostName"] for name, status in before.items()
    }


def test_a_migration_cancelled_in_mid_copy_leaves_the_vm_on_its_source(cloud: Cloud) -> None:
    before = _copying(cloud)
    target = cloud.list("vmm")[0]["status"]["targetHost"]
    cloud.patch("mplan", "plan", {"cancel": True})
    plan = cloud.phase("mplan", "plan", "Cancelled")
    assert condition(plan, "Ready")["reason"] == "Cancelled"
    assert cloud.list("vmm")[0]["status"]["phase"] == "Cancelled"
    _assert_undisturbed(cloud, before)
    eventually(lambda: _allocated(cloud, target) == "0", 10, lambda: f"{target} gives {_allocated(cloud, target)}")
    with pytest.raises(KubectlError, match="cancel cannot be withdrawn"):
        cloud.patch("mplan", "plan", {"cancel": False})


def test_a_target_that_crashes_in_mid_copy_leaves_the_vm_on_its_source(cloud: Cloud) -> None:
    before = _copying(cloud)
    target = cloud.list("vmm")[0]["status"]["targetHost"]
    cloud.patch("host", target, {"fault": {"type": "Crash"}})
    plan = cloud.phase("mplan", "plan", "Failed")
    assert f"{cloud.namespace}/vm: TargetHostFailed" in condition(plan, "Ready")["message"]
    failed = cloud.list("vmm")[0]["status"]
    assert failed["failureReason"] == "TargetHostFailed"
    assert f"target host {target} is lost; vm goes on running on" in condition(failed, "Ready")["message"]
    _assert_undisturbed(cloud, before)


def test_a_host_is_drained_into_maintenance_and_returned(cloud: Cloud) -> None:
    before = _up(cloud, *(f"vm-{i}" for i in range(4)), hosts=2)
    host = cloud.host(0)
    moved = [name for name, status in before.items() if status["hostName"] == host]
    assert moved
    cloud.patch("host", host, {"maintenance": {"mode": "Drain", "reason": "new memory"}})
    drained = cloud.phase("host", host, "Maintenance")
    assert condition(drained, "Drained")["status"] == "True"
    assert drained["virtualMachines"] == 0
    assert {m["spec"]["virtualMachineName"]: m["status"]["phase"] for m in cloud.list("vmm")} == dict.fromkeys(
        moved, "Succeeded"
    )
    assert {vm["status"]["hostName"] for vm in cloud.list("vm")} == {cloud.host(1)}
    assert all(cloud.status("vm", name)["lastStartTime"] == before[name]["lastStartTime"] for name in moved)
    cloud.patch("host", host, {"maintenance": {"mode": "None"}})
    assert condition(cloud.phase("host", host, "Ready"), "Schedulable")["status"] == "True"


def test_the_vms_of_a_crashed_host_restart_elsewhere(cloud: Cloud) -> None:
    before = _up(cloud, *(f"vm-{i}" for i in range(4)), hosts=2)
    lost = [name for name, status in before.items() if status["hostName"] == cloud.host(0)]
    assert lost
    cloud.patch("host", cloud.host(0), {"fault": {"type": "Crash"}})
    cloud.phase("host", cloud.host(0), "Failed")
    for name in lost:
        _await_restart(cloud, name)
    cloud.phases("vm", Running=4)
    after = {name: cloud.status("vm", name) for name in before}
    assert {status["hostName"] for status in after.values()} == {cloud.host(1)}
    assert {name: s["interfaces"] for name, s in after.items()} == {n: s["interfaces"] for n, s in before.items()}
    assert {name: s["restarts"] for name, s in after.items()} == {name: int(name in lost) for name in before}


def _up(cloud: Cloud, *names: str, hosts: int = 3, memory: str = "2Gi", **pool: object) -> dict[str, Manifest]:
    """Bring up VMs of these names; their status by name."""
    vms = [cloud.vm(name) for name in names]
    cloud.up(cloud.pool(hosts, **pool), cloud.flavor(memory=memory), cloud.image(), cloud.network(), *vms)
    return {name: cloud.status("vm", name) for name in names}


def _await_restart(cloud: Cloud, name: str) -> None:
    eventually(
        lambda: cloud.status("vm", name)["restarts"] == 1, PATIENCE, lambda: json.dumps(cloud.status("vm", name))
    )


def _span(status: Manifest) -> tuple[str, str]:
    """When a migration claimed its target, and when it ended; as RFC 3339, which sorts by time."""
    return status["startTimestamp"], status["endTimestamp"]


def _copying(cloud: Cloud) -> Manifest:
    """Bring up a VM whose first pass takes 13 modelled seconds, and begin that slowly; its status from before."""
    before = _up(cloud, "vm", memory="12Gi")["vm"]
    cloud.patch("npool", cloud.namespace, {"driver": {"timeScale": "2"}})
    cloud.apply(cloud.plan(virtualMachines=[{"name": "vm"}], retry={"limit": 0}))
    cloud.phase("mplan", "plan", "PreCopy")
    cloud.phase("vm", "vm", "Migrating")
    return before


def _assert_undisturbed(cloud: Cloud, before: Manifest) -> None:
    after = cloud.phase("vm", "vm", "Running")
    same = ("hostName", "lastStartTime", "interfaces", "restarts", "bootAttempt")
    assert {field: after[field] for field in same} == {field: before[field] for field in same}


def _allocated(cloud: Cloud, host: str) -> str:
    return str(cloud.status("host", host)["allocated"]["memory"])
