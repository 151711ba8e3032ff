"""Hosts that crash or are cut off on the real API server: fenced, left, and seen again."""

import json
from datetime import datetime, timedelta

import pytest
from clouds import PATIENCE, Cloud, Manifest, condition
from running import eventually

from drover.control.driver import FENCE_SECONDS
from drover.control.hosthealth import GRACE_SECONDS

TIME_SCALE = 50
TOLD = {
    "Crash": ["HostFailed", "HostFenced"],
    "NetworkPartition": ["HostNotReady", "HostFailed", "HostFenced"],
}
"""What is told of the host."""
TOLD_OF_VM = ["HostLost", "Evacuated", "Scheduled", "Started"]


@pytest.mark.parametrize("fault", TOLD)
def test_a_lost_host_is_fenced_and_only_then_do_its_vms_restart_elsewhere(cloud: Cloud, fault: str) -> None:
    before = _up(cloud, "vm-1", "vm-2", "vm-3")
    lost = [name for name, status in before.items() if status["hostName"] == cloud.host(0)]
    assert lost
    cloud.patch("host", cloud.host(0), {"fault": {"type": fault}})
    for name in lost:
        _await(cloud, name, "restarts", 1)
    cloud.phases("vm", Running=3)
    host = cloud.status("host", cloud.host(0))
    ready, fenced = condition(host, "Ready"), condition(host, "Fenced")
    assert (host["phase"], ready["status"], ready["reason"]) == ("Failed", "False", "HostFailed")
    assert (fenced["status"], fenced["reason"]) == ("True", "Fenced")
    assert _at(fenced["lastTransitionTime"]) == _cut_off(host) + _fence_of(fault)
    for name in lost:
        after = cloud.status("vm", name)
        assert after["hostName"] == cloud.host(1)
        assert after["interfaces"] == before[name]["interfaces"]
        assert after["hostFailures"] == [ready["lastTransitionTime"]]
        phases = after["phaseTransitions"][-4:]
        assert [moment["phase"] for moment in phases] == ["Running", "Unknown", "Starting", "Running"]
        assert _at(phases[2]["at"]) >= _at(fenced["lastTransitionTime"])
        _await_events(cloud, name, TOLD[fault])
    cloud.patch("host", cloud.host(0), {"fault": {"type": "None"}})
    assert condition(cloud.phase("host", cloud.host(0), "Ready"), "Fenced") == {}


def test_a_host_that_is_seen_again_in_time_has_kept_its_vms_running(cloud: Cloud) -> None:
    before = _up(cloud, "vm")["vm"]
    cloud.patch("npool", cloud.namespace, {"driver": {"timeScale": "1"}})  # a whole minute until it is fenced
    cloud.observed("npool", cloud.namespace)
    cloud.patch("host", before["hostName"], {"fault": {"type": "NetworkPartition"}})
    unseen = condition(cloud.phase("vm", "vm", "Unknown"), "Ready")
    assert (unseen["status"], unseen["reason"]) == ("Unknown", "HostUnreachable")
    host = cloud.status("host", before["hostName"])
    assert (host["phase"], condition(host, "Ready")["reason"]) == ("NotReady", "NetworkPartition")
    cloud.patch("host", before["hostName"], {"fault": {"type": "None"}})
    after = cloud.phase("vm", "vm", "Running")
    kept = ("hostName", "lastStartTime", "interfaces", "restarts", "bootAttempt", "usage")
    assert {field: after.get(field) for field in kept} == {field: before.get(field) for field in kept}
    assert condition(after, "Ready")["status"] == "True"


def _up(cloud: Cloud, *names: str) -> dict[str, Manifest]:
    """Bring up VMs of these names on two hosts; their status by name."""
    pool = cloud.pool(2, time_scale=str(TIME_SCALE))
    cloud.up(pool, cloud.flavor(), cloud.image(), cloud.network(), *(cloud.vm(name) for name in names))
    return {name: cloud.status("vm", name) for name in names}


def _await(cloud: Cloud, name: str, field: str, value: object) -> None:
    eventually(lambda: cloud.status("vm", name)[field] == value, PATIENCE, lambda: json.dumps(cloud.status("vm", name)))


def _at(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


def _cut_off(host: Manifest) -> datetime:
    """When the host's phase last left Ready."""
    phases = host["phaseTransitions"]
    last = max(number for number, moment in enumerate(phases) if moment["phase"] == "Ready")
    return _at(phases[last + 1]["at"])


def _fence_of(fault: str) -> timedelta:
    """Wall time from a fault to the end of the fence."""
    grace = GRACE_SECONDS if fault == "NetworkPartition" else 0.0
    return timedelta(seconds=(grace + FENCE_SECONDS) / TIME_SCALE)


def _await_events(cloud: Cloud, vm: str, reasons: list[str]) -> None:
    """Wait until these are the last events of the first host, and TOLD_OF_VM those of the VM, each in the order of the
    API server's taking them. The fence comes before the VM is evacuated.
    """
    seen: list[list[tuple[str, str]]] = []

    def told() -> bool:
        everything = json.loads(cloud.kubectl("get", "events", "-A", "-o", "json"))["items"]
        about = [e for e in everything if _about(e) in ((cloud.namespace, vm), ("", cloud.host(0)))]
        about.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
        seen.append([(event["involvedObject"]["name"], event["reason"]) for event in about])
        of_host, of_vm = ([reason for name, reason in seen[-1] if name == wanted] for wanted in (cloud.host(0), vm))
        return (of_host[-len(reasons) :], of_vm[-len(TOLD_OF_VM) :]) == (reasons, TOLD_OF_VM)

    eventually(told, PATIENCE, lambda: f"events of {vm}: {seen[-1]}")
    order = [reason for _, reason in seen[-1]]
    assert order.index("HostFenced") < order.index("Evacuated"), order


def _about(event: Manifest) -> tuple[str, str]:
    involved = event["involvedObject"]
    return involved.get("namespace", ""), involved["name"]
