"""One live migration by kubectl: phases and writes of pre-copy and post-copy, and guests that are hard to move."""

from datetime import datetime

import pytest
from audit import Audit
from clouds import Cloud, Manifest, condition
from livemigration import FINAL, SOON_POST_COPY, at_pace, migrations_of, move, pair, pool_of, steps_of, writer

REPORT_SECONDS = 2.0
BEGINNING, END = ["PreparingTarget", "PreCopy", "StopAndCopy"], ["Commitment", "Activation", "Succeeded"]

HELP: dict[str, tuple[str, Manifest]] = {
    "plain": ("DoesNotConverge", {}),
    "longer-pause": ("Converges", {"maxDowntimeMs": 2500}),
    "post-copy": ("Converges", {"allowPostCopy": True}),
    "auto-converge": ("Converges", {"allowAutoConverge": True}),
    "suspended": ("ConvergesWithLongerDowntime", {"allowWorkloadDisruption": True}),
}
"""What a policy may allow, and the verdict on it."""


@pytest.mark.parametrize(
    ("settings", "phases"),
    [
        pytest.param({"maxDowntimeMs": 2500}, [*BEGINNING, *END], id="pre-copy"),
        pytest.param(SOON_POST_COPY, [*BEGINNING, "PostCopy", *END], id="post-copy"),
    ],
)
def test_a_migration_goes_through_its_phases_and_writes_progress_each_two_seconds_at_most(
    cloud: Cloud, audit: Audit, settings: Manifest, phases: list[str]
) -> None:
    flavor = cloud.flavor(memory="4Gi", model=writer("2Gi"))
    cloud.up(cloud.pool(2), flavor, cloud.image(), cloud.network(), cloud.vm())
    at_pace(cloud, 1.5 if "PostCopy" in phases else 10)
    audit.mark()
    with steps_of(cloud) as steps:
        cloud.apply(move(cloud, "vm", overrides=settings))
        steps.until(*FINAL)
    seen = steps.seen
    assert list(dict.fromkeys(step.phase for step in seen if step.phase)) == phases
    assert [step.percent for step in seen] == sorted(step.percent for step in seen)
    assert [step.sent for step in seen] == sorted(step.sent for step in seen)
    status = migrations_of(cloud)["vm"]
    assert status["result"]["transferredBytes"] == status["progress"]["processedBytes"] == seen[-1].sent
    assert status["progress"]["percent"] == 100
    written = [write for write in audit.writes() if write.namespace == cloud.namespace and write.subresource]
    reports = sum(write.resource == "virtualmachinemigrations" for write in written) - len(phases)
    assert 1 <= reports <= _seconds(status) / REPORT_SECONDS
    # The plan: planned, begun, at most each phase of its one migration, over.
    assert sum(write.resource == "migrationplans" for write in written) <= 2 + len(phases)
    assert sum(write.resource == "virtualmachines" for write in written) <= 2 + ("PostCopy" in phases)


def test_a_guest_that_writes_faster_than_the_link_is_called_so_before_and_moves_only_with_help(cloud: Cloud) -> None:
    """What a longer pause, post-copy, auto-converge and a suspended guest do to it: verdict before, result after."""
    before = _moved_with_help(cloud)
    rehearsed = cloud.phase("mplan", "rehearsal", "Planned")
    feasible = condition(rehearsed, "Feasible")
    assert (feasible["status"], feasible["reason"]) == ("False", "DoesNotConverge")
    for words in ("2.0 GiB remain", "at 1.0 GB/s", "the guest dirties", "maxDowntime 2.1 s", "auto-converge"):
        assert words in feasible["message"]
    ended = migrations_of(cloud)
    expected = {name: verdict for name, (verdict, _) in HELP.items()}
    assert {name: status["estimate"]["verdict"] for name, status in ended.items()} == expected
    assert {name: status["result"]["verdict"] for name, status in ended.items()} == expected
    assert {name for name, status in ended.items() if status["phase"] != "Succeeded"} == {"plain"}
    # At the pool's pace the control plane's own time, which plans allow for, is a second of the model.
    errors = {name: status["result"]["durationErrorPercent"] for name, status in ended.items()}
    assert max(map(abs, errors.values())) < 5, errors
    assert ended["plain"]["failureReason"] == "NotConverging"
    assert "2.0 GiB remain" in condition(ended["plain"], "Ready")["message"]
    assert cloud.phase("vm", "plain", "Running")["hostName"] == before["plain"]["hostName"]
    pauses = {name: status["result"]["downtimeMilliseconds"] for name, status in ended.items()}
    assert pauses["plain"] == 0 < pauses["post-copy"] < 100 < pauses["auto-converge"] <= 900 + 51
    assert 900 < pauses["longer-pause"] <= 2500
    assert pauses["suspended"] > 900
    assert ended["auto-converge"]["progress"]["throttlePercent"] > 0


def _moved_with_help(cloud: Cloud) -> dict[str, Manifest]:
    """Move guests that rewrite 2 GiB all the time, each by a policy of its own; the VMs' statuses before."""
    nobody = {"virtualMachineSelector": {"by-name-only": cloud.namespace}}
    pairs, policies = [], []
    for name, (_, settings) in HELP.items():
        pairs += pair(cloud, name, model=writer("2Gi"))
        policies.append(cloud.object("MigrationPolicy", pool_of(cloud, name), {"selectors": nobody, **settings}))
    cloud.up(cloud.flavor(memory="4Gi"), cloud.image(), cloud.network(), *policies, *pairs)
    before = {name: cloud.status("vm", name) for name in HELP}
    cloud.up(cloud.plan("rehearsal", mode="DryRun", virtualMachines=[{"name": "plain"}]))
    cloud.apply(*(move(cloud, name, policyName=pool_of(cloud, name)) for name in HELP))
    for name in HELP:
        cloud.phase("mplan", name, *FINAL)
    return before


def _seconds(status: Manifest) -> float:
    """Wall seconds it took."""
    start, end = (datetime.fromisoformat(status[field]) for field in ("startTimestamp", "endTimestamp"))
    return (end - start).total_seconds()
