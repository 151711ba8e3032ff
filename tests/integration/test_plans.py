"""MigrationPlans by kubectl: approved, held by their window and budget, stopped and rolled back by a failure."""

import time
from datetime import UTC, datetime, timedelta

from clouds import PATIENCE, Cloud, Manifest, condition
from livemigration import at_pace
from running import eventually

BUSY = {"model": {"hotSet": "1Gi", "dirtyRate": "4G"}}
"""A guest that dirties memory faster than the link carries it."""


def test_a_plan_waits_for_approval_and_tells_what_it_will_take_and_then_what_it_took(cloud: Cloud) -> None:
    before = up(cloud, "vm-1", "vm-2")
    cloud.apply(cloud.plan(selector={}, approval="Manual", limits={"maxConcurrent": 1}))
    waiting = cloud.phase("mplan", "plan", "AwaitingApproval")
    assert "kubectl patch mplan plan -n" in condition(waiting, "Approved")["message"] + ready(waiting)
    assert [wave["virtualMachines"] for wave in waiting["waves"]] == [1, 1]
    assert waiting["estimate"]["startAfter"] <= waiting["estimate"]["finishBy"]
    assert cloud.list("vmm") == []
    cloud.patch("mplan", "plan", {"approved": True})
    ended = cloud.phase("mplan", "plan", "Succeeded")
    assert [wave["phase"] for wave in ended["waves"]] == ["Completed"] * 2
    assert " of pauses, predicted " in ready(ended)
    assert ended["efficacy"]["graded"] == 2
    assert all(cloud.status("vm", name)["hostName"] != status["hostName"] for name, status in before.items())
    cloud.told("MigrationPlan", "plan", "AwaitingApproval", "Approved", "WaveStarted", "WaveCompleted", "PlanSucceeded")


def test_a_failure_sends_home_what_has_moved(cloud: Cloud) -> None:
    before = up(cloud, "calm", busy=BUSY)
    spec = {"virtualMachines": [{"name": "calm"}, {"name": "busy"}], "order": "AsListed", "retry": {"limit": 0}}
    cloud.apply(cloud.plan(failurePolicy="Rollback", limits={"maxConcurrent": 1}, **spec))
    rolled_back = cloud.phase("mplan", "plan", "Failed")
    assert (rolled_back["returned"], rolled_back["failed"], rolled_back["succeeded"]) == (1, 1, 0)
    assert f"{cloud.namespace}/busy could not be moved" in ready(rolled_back)
    after = {name: cloud.status("vm", name) for name in before}
    assert {n: s["hostName"] for n, s in after.items()} == {n: s["hostName"] for n, s in before.items()}
    moves = {m["metadata"]["name"]: m["status"]["phase"] for m in cloud.list("vmm")}
    assert sorted(moves.values()) == ["Failed", "Succeeded", "Succeeded"]
    assert sum("-home-" in name for name in moves) == 1


def test_a_plan_keeps_to_its_window_and_expires_after_it(cloud: Cloud) -> None:
    up(cloud, "vm-1", "vm-2")
    cloud.apply(cloud.plan(selector={}, window=window(3600, 7200)))
    waiting = cloud.phase("mplan", "plan", "Queued")
    assert condition(waiting, "WithinWindow")["reason"] == "NotYetOpen"
    cloud.patch("mplan", "plan", {"paused": True, "window": (soon := window(1, 3))})
    closes = datetime.fromisoformat(soon["notAfter"])
    expired = cloud.phase("mplan", "plan", "Expired")
    assert datetime.fromisoformat(expired["endTimestamp"]) >= closes
    assert cloud.list("vmm") == []


def test_a_plan_above_its_budget_begins_once_it_is_raised(cloud: Cloud) -> None:
    up(cloud, "vm")
    cloud.apply(cloud.plan(virtualMachines=[{"name": "vm"}], limits={"maxDuration": "1s"}, ttlSecondsAfterFinished=1))
    waiting = cloud.phase("mplan", "plan", "Queued")
    assert condition(waiting, "WithinBudget")["status"] == "False"
    assert "raise it to" in ready(waiting)
    cloud.patch("mplan", "plan", {"limits": {"maxDuration": "1h"}})
    cloud.told("MigrationPlan", "plan", "PlanSucceeded")
    eventually(lambda: cloud.list("mplan") + cloud.list("vmm") == [], PATIENCE, lambda: "the plan outlives its time")


def test_a_paused_plan_holds_the_migrations_that_wait_for_a_slot(cloud: Cloud) -> None:
    up(cloud, *(f"vm-{index}" for index in range(4)), memory="6Gi", migration={"parallelMigrationsPerPool": 1})
    at_pace(cloud, 0.5)
    cloud.apply(cloud.plan(selector={}))
    cloud.phase("mplan", "plan", "Migrating")
    cloud.patch("mplan", "plan", {"paused": True})
    eventually(lambda: len(held(cloud)) == 3, PATIENCE, lambda: f"held: {held(cloud)}")
    assert all("spec.paused is true" in migration["status"]["queue"]["message"] for migration in held(cloud))
    at_pace(cloud, 4)
    eventually(lambda: cloud.status("mplan", "plan")["succeeded"] == 1, PATIENCE, lambda: "what runs does not end")
    time.sleep(1)
    assert len(held(cloud)) == 3, "what comes free is not taken"
    cloud.patch("mplan", "plan", {"paused": False})
    at_pace(cloud, 50)
    assert cloud.phase("mplan", "plan", "Succeeded")["succeeded"] == 4


def test_who_cannot_leave_a_host_is_listed_before_the_first_one_moves(cloud: Cloud) -> None:
    up(cloud, *(f"vm-{index}" for index in range(3)), hosts=2)
    host = cloud.status("vm", "vm-0")["hostName"]
    cloud.patch("vm", "vm-0", {"placement": {"nodePoolName": cloud.namespace, "nodeSelector": {"disk": "none"}}})
    cloud.observed("vm", "vm-0")
    cloud.patch("host", host, {"maintenance": {"mode": "Drain"}})
    draining = cloud.phase("host", host, "Draining")
    assert draining["drain"]["blockedBy"] == [f"{cloud.namespace}/vm-0: NoTarget"]
    cloud.told("Host", host, "DrainStarted", "DrainBlocked")
    cloud.patch("host", host, {"maintenance": {"mode": "None"}})
    cloud.phase("host", host, "Ready")


def held(cloud: Cloud) -> list[Manifest]:
    found = [migration for migration in cloud.list("vmm") if migration.get("status", {}).get("queue")]
    return [migration for migration in found if migration["status"]["queue"]["blockedBy"] == "Plan"]


def window(opens: float, closes: float) -> dict[str, str]:
    """So many seconds from now."""
    now = datetime.now(UTC)
    return {
        "notBefore": (now + timedelta(seconds=opens)).isoformat(),
        "notAfter": (now + timedelta(seconds=closes)).isoformat(),
    }


def ready(status: Manifest) -> str:
    message: str = condition(status, "Ready")["message"]
    return message


def up(
    cloud: Cloud, *names: str, hosts: int = 3, memory: str = "2Gi", busy: Manifest | None = None, **pool: object
) -> dict[str, Manifest]:
    """Bring up VMs of these names, and one that is busy; their status by name."""
    vms = [cloud.vm(name) for name in names] + ([cloud.vm("busy", **busy)] if busy else [])
    cloud.up(cloud.pool(hosts, **pool), cloud.flavor(memory=memory), cloud.image(), cloud.network(), *vms)
    return {vm["metadata"]["name"]: cloud.status("vm", vm["metadata"]["name"]) for vm in vms}
