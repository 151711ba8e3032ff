"""Plans and drains by kubectl: predicted and real, held up, given up, cancelled in the middle, and taken back."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from clouds import PATIENCE, Cloud, Manifest, assert_no_double_allocation, condition
from livemigration import EASY, FINAL, HARD, at_pace, hosts_of, migrations_of, one_by_one, up
from running import eventually

from controlplane import Kubectl


def test_a_host_of_twenty_vms_is_empty_about_when_it_was_predicted(cloud: Cloud, kubectl: Kubectl) -> None:
    names = [f"vm-{index}" for index in range(20)]
    up(cloud, dict.fromkeys(names, EASY), hosts=1)
    cloud.patch("npool", cloud.namespace, {"replicas": 4})
    at_pace(cloud, 10)
    cloud.patch("host", cloud.host(0), {"maintenance": {"mode": "Drain"}})
    seen: list[Manifest] = []

    def empty() -> bool:
        seen.append(cloud.status("host", cloud.host(0)))
        return seen[-1]["phase"] == "Maintenance"

    eventually(empty, 2 * PATIENCE, lambda: str(seen[-1]))
    drains = [status["drain"] for status in seen if status.get("drain", {}).get("estimatedCompletionTime")]
    predicted = datetime.fromisoformat(drains[0]["estimatedCompletionTime"])
    plan = _plan_of(cloud, drains[0]["planRef"])
    began, ended = (datetime.fromisoformat(plan[field]) for field in ("startTimestamp", "endTimestamp"))
    # How much later it is depends on how busy this machine is; it cannot be much earlier.
    assert ended >= predicted - 0.1 * (predicted - began) - timedelta(seconds=1)
    assert plan["result"]["durationErrorPercent"] > -10
    assert plan["efficacy"]["graded"] == 20
    assert [wave["phase"] for wave in plan["waves"]] == ["Completed"] * plan["estimate"]["waves"]
    left = [drain["remainingVirtualMachines"] for drain in drains]
    assert left == sorted(left, reverse=True)
    assert cloud.host(0) not in hosts_of(cloud).values()
    assert_no_double_allocation(kubectl, cloud.namespace)


def test_a_plan_waits_for_its_approval_its_window_and_its_budget_in_turn(cloud: Cloud) -> None:
    before = up(cloud, {"vm": EASY})
    window, limits = {"notBefore": _in(3600)}, {"maxTotalDowntime": "1ms"}
    cloud.apply(cloud.plan(virtualMachines=[{"name": "vm"}], approval="Manual", window=window, limits=limits))
    waiting = cloud.phase("mplan", "plan", "AwaitingApproval")
    assert "1 of 1 VM to move, 1 wave" in condition(waiting, "Ready")["message"]
    assert "approve it: kubectl patch mplan plan" in condition(waiting, "Ready")["message"]
    cloud.patch("mplan", "plan", {"approved": True})
    _await_told(cloud, "WithinWindow", "the window opens at")
    cloud.patch("mplan", "plan", {"window": {"notBefore": _in(2)}})
    _await_told(cloud, "WithinWindow", "migrations may start for good")
    _await_told(cloud, "Executing", "limits.maxTotalDowntime is 1ms: raise it to")
    assert cloud.list("vmm") == []
    assert hosts_of(cloud) == before
    cloud.patch("mplan", "plan", {"limits": {"maxTotalDowntime": "10s"}})
    cloud.phase("mplan", "plan", "Succeeded")
    assert hosts_of(cloud) != before


def test_a_window_that_closes_lets_end_what_runs_and_leaves_the_rest(cloud: Cloud) -> None:
    before = up(cloud, {"vm-1": EASY, "vm-2": EASY})
    at_pace(cloud, 0.5)
    one_by_one(cloud, ["vm-1", "vm-2"], window={"notAfter": _in(3600)})
    eventually(lambda: "vm-1" in _phases(cloud), PATIENCE, lambda: str(_phases(cloud)))
    cloud.patch("mplan", "plan", {"window": {"notAfter": _in(0)}})
    _await_told(cloud, "WithinWindow", "closed")
    at_pace(cloud, 50)
    plan = cloud.phase("mplan", "plan", *FINAL, "Expired")
    assert (plan["phase"], plan["succeeded"]) == ("Expired", 1)
    assert "the window has closed" in condition(plan, "Ready")["message"]
    after = hosts_of(cloud)
    assert after["vm-1"] != before["vm-1"]
    assert after["vm-2"] == before["vm-2"]


def test_a_cancelled_plan_keeps_what_has_moved_and_returns_what_is_in_copy(cloud: Cloud, kubectl: Kubectl) -> None:
    names = ["vm-1", "vm-2", "vm-3"]
    before = up(cloud, {"vm-1": EASY, "vm-2": HARD, "vm-3": EASY})
    at_pace(cloud, 0.7)
    one_by_one(cloud, names)
    eventually(lambda: _phases(cloud).get("vm-2") == "PreCopy", PATIENCE, lambda: str(_phases(cloud)))
    cloud.patch("mplan", "plan", {"cancel": True})
    plan = cloud.phase("mplan", "plan", "Cancelled")
    assert {entry["virtualMachine"]: entry["phase"] for entry in plan["migrations"]} == {
        "vm-1": "Succeeded",
        "vm-2": "Cancelled",
        "vm-3": "Cancelled",
    }
    assert set(migrations_of(cloud)) == {"vm-1", "vm-2"}
    cloud.phases("vm", Running=3)
    after = hosts_of(cloud)
    assert [name for name in names if after[name] != before[name]] == ["vm-1"]
    assert_no_double_allocation(kubectl, cloud.namespace)


def test_a_failure_stops_a_plan_that_says_so(cloud: Cloud) -> None:
    before = up(cloud, {"hard": HARD, "easy": EASY})
    one_by_one(cloud, ["hard", "easy"], failurePolicy="Stop")
    plan = cloud.phase("mplan", "plan", *FINAL)
    assert [(entry["phase"], entry.get("reason")) for entry in plan["migrations"]] == [
        ("Failed", "NotConverging"),
        ("Cancelled", "Cancelled"),
    ]
    assert plan["phase"] == "Failed"
    assert "stopped, as" in condition(plan, "Ready")["message"]
    assert hosts_of(cloud) == before
    assert set(migrations_of(cloud)) == {"hard"}


def test_a_failure_sends_home_what_has_moved_where_a_plan_says_so(cloud: Cloud, kubectl: Kubectl) -> None:
    before = up(cloud, {"vm-1": EASY, "vm-2": EASY, "hard": HARD, "vm-3": EASY})
    one_by_one(cloud, ["vm-1", "vm-2", "hard", "vm-3"], failurePolicy="Rollback")
    plan = cloud.phase("mplan", "plan", *FINAL)
    assert (plan["phase"], plan["returned"]) == ("Failed", 2)
    assert "rollback, as" in condition(plan, "Ready")["message"]
    assert hosts_of(cloud) == before
    cloud.phases("vm", Running=4)
    moves = Counter(found["spec"]["virtualMachineName"] for found in cloud.list("vmm"))
    assert moves == {"vm-1": 2, "vm-2": 2, "hard": 1}
    assert_no_double_allocation(kubectl, cloud.namespace)


def _plan_of(cloud: Cloud, ref: Manifest) -> Manifest:
    """The status of a drain's plan, once it has ended; it is not in the namespace of the cloud."""
    elsewhere = Cloud(cloud.kubectl, ref["namespace"])
    return elsewhere.phase("mplan", ref["name"], *FINAL)


def _await_told(cloud: Cloud, type_: str, words: str) -> None:
    """Wait until a condition of the plan says these words."""
    eventually(
        lambda: words in condition(cloud.status("mplan", "plan"), type_).get("message", ""),
        PATIENCE,
        lambda: f"{type_} does not say {words!r}: {cloud.status('mplan', 'plan')}",
    )


def _in(seconds: float) -> str:
    return f"{datetime.now(UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def _phases(cloud: Cloud) -> dict[str, str]:
    return {name: status["phase"] for name, status in migrations_of(cloud).items() if "phase" in status}
