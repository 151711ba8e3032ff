"""SIGKILL in every phase of a live migration and of a plan: the guest has one host, and everything ends."""

import pytest
from clouds import Cloud, Manifest, assert_no_double_allocation
from livemigration import (
    EASY,
    FINAL,
    HARD,
    SOON_PAUSED,
    SOON_POST_COPY,
    at_pace,
    await_phase,
    commitment_held,
    hosts_of,
    migrations_of,
    move,
    one_by_one,
    set_pace,
    steps_of,
    up,
    writer,
)

from conftest import Operator
from controlplane import Kubectl

MEMORY = "8Gi"
pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(
    ("settings", "last"),
    [
        pytest.param(SOON_PAUSED, "StopAndCopy", id="pre-copy", marks=pytest.mark.soak),
        pytest.param(SOON_POST_COPY, "PostCopy", id="post-copy"),
    ],
)
def test_a_migration_ends_well_though_the_operator_is_killed_in_each_of_its_phases(
    operator: Operator, cloud: Cloud, kubectl: Kubectl, settings: Manifest, last: str
) -> None:
    flavor = cloud.flavor(memory=MEMORY, model=writer(MEMORY))
    cloud.up(cloud.pool(2), flavor, cloud.image(), cloud.network(), cloud.vm())
    before = cloud.status("vm")
    at_pace(cloud, 0.4)  # so that PreparingTarget, 2 s by the model, takes 5 s
    with steps_of(cloud) as steps:
        with commitment_held(cloud):
            cloud.apply(move(cloud, "vm", overrides=settings))
            for phase, percent in {"PreparingTarget": 0, "PreCopy": 1, last: 0}.items():
                steps.until(phase, percent=percent)
                _killed_in(phase, operator, cloud, kubectl, before)
                set_pace(cloud, 1)
                operator.start()
            steps.until("Commitment")
            _killed_in("Commitment", operator, cloud, kubectl, before)
            set_pace(cloud, 0.02)  # so that Activation, 50 ms by the model, takes 2.5 s
        operator.start()
        steps.until("Activation")
        operator.crash()
        assert_no_double_allocation(kubectl, cloud.namespace)
        operator.start()
        at_pace(cloud, 50)
        assert steps.until(*FINAL).phase == "Succeeded"
    after, ended = cloud.phase("vm", "vm", "Running"), migrations_of(cloud)["vm"]
    assert after["hostName"] == ended["targetHost"] != before["hostName"]
    same = ("lastStartTime", "interfaces", "restarts", "bootAttempt")
    assert {field: after[field] for field in same} == {field: before[field] for field in same}
    for figure in ("percent", "passes", "sent"):
        course = [getattr(step, figure) for step in steps.seen]
        assert course == sorted(course), figure
    assert abs(ended["result"]["durationErrorPercent"]) < 1
    assert cloud.phase("mplan", "vm", "Succeeded")["succeeded"] == 1


@pytest.mark.soak
def test_a_plan_that_is_cancelled_ends_though_the_operator_is_killed_in_each_of_its_phases(
    operator: Operator, cloud: Cloud, kubectl: Kubectl
) -> None:
    names = ["vm-1", "vm-2", "vm-3"]
    before = up(cloud, {"vm-1": EASY, "vm-2": HARD, "vm-3": EASY})
    at_pace(cloud, 0.5)
    with steps_of(cloud, "MigrationPlan") as steps:
        one_by_one(cloud, names)
        for phase in ("Queued", "Migrating"):
            steps.until(phase)
            _restarted(operator, cloud, kubectl)
        await_phase(cloud, "vm-2", "PreCopy")
        operator.crash()
        cloud.patch("mplan", "plan", {"cancel": True})
        operator.start()
        steps.until("Cancelling")
        _restarted(operator, cloud, kubectl)
    plan = cloud.phase("mplan", "plan", *FINAL)
    assert plan["phase"] == "Cancelled"
    assert [entry["phase"] for entry in plan["migrations"]] == ["Succeeded", "Cancelled", "Cancelled"]
    cloud.phases("vm", Running=3)
    after = hosts_of(cloud)
    assert [name for name in names if after[name] != before[name]] == ["vm-1"]
    assert {vm: status["phase"] for vm, status in migrations_of(cloud).items()} == {
        "vm-1": "Succeeded",
        "vm-2": "Cancelled",
    }


def test_a_rollback_ends_with_all_at_home_though_the_operator_is_killed_on_the_way(
    operator: Operator, cloud: Cloud, kubectl: Kubectl
) -> None:
    before = up(cloud, {"vm-1": EASY, "hard": HARD, "vm-2": EASY})
    at_pace(cloud, 2)
    with steps_of(cloud) as steps:
        one_by_one(cloud, ["vm-1", "hard", "vm-2"], failurePolicy="Rollback")
        steps.until("Failed", of="-hard-")
        _restarted(operator, cloud, kubectl)
        steps.until("PreCopy", of="-home-")
        _restarted(operator, cloud, kubectl)
    plan = cloud.phase("mplan", "plan", *FINAL)
    assert (plan["phase"], plan["returned"]) == ("Failed", 1)
    cloud.phases("vm", Running=3)
    assert hosts_of(cloud) == before
    assert len(cloud.list("vmm")) == 3


def _restarted(operator: Operator, cloud: Cloud, kubectl: Kubectl) -> None:
    operator.crash()
    assert_no_double_allocation(kubectl, cloud.namespace)
    operator.start()


def _killed_in(phase: str, operator: Operator, cloud: Cloud, kubectl: Kubectl, before: Manifest) -> None:
    operator.crash()
    assert migrations_of(cloud)["vm"]["phase"] == phase
    assert cloud.status("vm")["hostName"] == before["hostName"]
    assert_no_double_allocation(kubectl, cloud.namespace)
