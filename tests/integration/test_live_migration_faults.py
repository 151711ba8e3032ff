"""Hosts that crash in each phase of a live migration: what becomes of the guest, of the migration and of its plan."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from clouds import PATIENCE, Cloud, Manifest, assert_no_double_allocation
from livemigration import (
    FINAL,
    SOON_PAUSED,
    SOON_POST_COPY,
    at_pace,
    await_phase,
    commitment_held,
    migrations_of,
    move,
    pair,
    pool_of,
    steps_of,
    writer,
)
from running import eventually

from controlplane import Kubectl

Side = Literal["source", "target"]
MEMORY = "8Gi"
PACE = {"PreparingTarget": 0.5, "PreCopy": 1.5, "StopAndCopy": 1.5, "PostCopy": 1.5}
"""At which a phase takes some seconds, and those before it not too long."""


@dataclass(frozen=True)
class Case:
    phase: str
    """In which the host crashes."""
    lost: Side
    settings: Manifest
    reason: str
    """Of the migration's failure."""
    restarts: int
    """Of the guest: 0 if it goes on as if nothing had happened."""


CASES = {
    "a": Case("PreparingTarget", "target", SOON_PAUSED, "TargetHostFailed", 0),
    "b": Case("PreCopy", "target", SOON_PAUSED, "TargetHostFailed", 0),
    "c": Case("StopAndCopy", "target", SOON_PAUSED, "TargetHostFailed", 0),
    "d": Case("PostCopy", "target", SOON_POST_COPY, "PostCopyInterrupted", 1),
    "e": Case("PreparingTarget", "source", SOON_PAUSED, "SourceHostFailed", 1),
    "f": Case("PreCopy", "source", SOON_PAUSED, "SourceHostFailed", 1),
    "g": Case("StopAndCopy", "source", SOON_PAUSED, "SourceHostFailed", 1),
    "h": Case("PostCopy", "source", SOON_POST_COPY, "PostCopyInterrupted", 1),
}


def test_a_guest_outlives_the_loss_of_a_host_or_restarts_whatever_the_phase(cloud: Cloud, kubectl: Kubectl) -> None:
    pairs = [manifest for name in CASES for manifest in pair(cloud, name)]
    flavor = cloud.flavor(memory=MEMORY, model=writer(MEMORY))
    cloud.up(flavor, cloud.image(), cloud.network(), *pairs)
    before = {name: cloud.status("vm", name) for name in CASES}
    for name, case in CASES.items():
        at_pace(cloud, PACE[case.phase], pool_of(cloud, name))
    with steps_of(cloud) as steps, ThreadPoolExecutor() as crashes:
        cloud.apply(*(move(cloud, name, overrides=case.settings) for name, case in CASES.items()))
        waiting, lost_hosts = dict(CASES), list[str]()
        while waiting:
            step = next(steps)
            name = step.name.partition("-")[0]
            if name in waiting and step.phase == waiting[name].phase:
                lost = waiting.pop(name).lost
                lost_hosts.append(step.source if lost == "source" else step.target)
                crashes.submit(crash, cloud, lost_hosts[-1])
    for host in lost_hosts:
        cloud.host_phase(host, "Failed")
    for name in CASES:
        at_pace(cloud, 50, pool_of(cloud, name))
        cloud.phase("mplan", name, *FINAL)
    cloud.phases("vm", Running=len(CASES))
    ended = migrations_of(cloud)
    assert {name: (status["phase"], status.get("failureReason")) for name, status in ended.items()} == {
        name: ("Failed", case.reason) for name, case in CASES.items()
    }
    for name, case in CASES.items():
        assert ended[name]["phaseTransitions"][-2]["phase"] == case.phase, name
        after, other = cloud.status("vm", name), {"source": "targetHost", "target": "sourceHost"}[case.lost]
        assert (after["hostName"], after["restarts"]) == (ended[name][other], case.restarts), name
        assert after["interfaces"] == before[name]["interfaces"], name
        kept = after["lastStartTime"] == before[name]["lastStartTime"]
        assert kept == (case.restarts == 0), name
        assert_no_double_allocation(kubectl, pool_of(cloud, name))


def test_a_target_that_crashes_around_the_commit_takes_the_guest_only_if_it_runs_there(cloud: Cloud) -> None:
    settings = {"copied": SOON_PAUSED, "pulled": SOON_POST_COPY, "moved": SOON_PAUSED}
    pairs = [manifest for name in settings for manifest in pair(cloud, name)]
    cloud.up(cloud.flavor(model=writer("2Gi")), cloud.image(), cloud.network(), *pairs)
    before = {name: cloud.status("vm", name) for name in settings}
    with commitment_held(cloud):
        cloud.apply(*(move(cloud, name, overrides=overrides) for name, overrides in settings.items()))
        standing = {name: await_phase(cloud, name, "Commitment") for name in settings}
        crash(cloud, standing["copied"]["targetHost"])
        crash(cloud, standing["pulled"]["targetHost"])
        assert await_phase(cloud, "copied", *FINAL)["failureReason"] == "TargetHostFailed"
        assert await_phase(cloud, "pulled", *FINAL)["failureReason"] == "PostCopyInterrupted"
        at_pace(cloud, 0.02, pool_of(cloud, "moved"))  # so that its Activation, 50 ms by the model, takes 2.5 s
    await_phase(cloud, "moved", "Activation")
    crash(cloud, standing["moved"]["targetHost"])
    at_pace(cloud, 50, pool_of(cloud, "moved"))
    assert await_phase(cloud, "moved", *FINAL)["phase"] == "Succeeded"
    for name, restarts in {"copied": 0, "pulled": 1, "moved": 1}.items():
        after = _await_restart(cloud, name, restarts)
        assert after["hostName"] == standing[name]["sourceHost"], name
        assert (after["lastStartTime"] == before[name]["lastStartTime"]) == (restarts == 0), name
        assert after["interfaces"] == before[name]["interfaces"], name


def _await_restart(cloud: Cloud, vm: str, restarts: int) -> Manifest:
    eventually(lambda: cloud.status("vm", vm)["restarts"] == restarts, PATIENCE, lambda: str(cloud.status("vm", vm)))
    return cloud.phase("vm", vm, "Running")


def crash(cloud: Cloud, host: str) -> None:
    cloud.patch("host", host, {"fault": {"type": "Crash"}})
