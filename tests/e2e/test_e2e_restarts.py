"""What becomes of guests while operator pods are replaced, deleted, killed for want of memory, or ill-configured."""

import json

import pytest
from clouds import Cloud, assert_no_double_allocation
from livemigration import await_phase, hosts_of, move, writer
from release import NAME, NAMESPACE, Release, claims, guests, ready
from running import eventually

from controlplane import KubectlError

EAT = """
import os, time
for _ in range(100):
    if os.fork() == 0:
        block = b"x" * (24 << 20)
        break
time.sleep(60)
"""
"""Takes more than the limit in parts so small that the operator is the largest process, which the kernel ends."""


def some_vms(cloud: Cloud, count: int = 6) -> list[str]:
    """Bring up so many VMs; their names."""
    names = [f"vm-{index}" for index in range(count)]
    cloud.up(cloud.pool(3), cloud.flavor(), cloud.image(), cloud.network(), *(cloud.vm(name) for name in names))
    return names


def test_a_rolling_upgrade_hands_over_and_no_guest_notices(release: Release, cloud: Cloud) -> None:
    release.upgrade("replicaCount=2")
    some_vms(cloud)
    before, held, leader = guests(cloud), claims(cloud), release.leader()
    release.upgrade("replicaCount=2", "operator.logLevel=debug")
    assert release.leader() != leader
    assert (guests(cloud), claims(cloud)) == (before, held)
    cloud.up(cloud.vm("later"))
    assert_no_double_allocation(release.kubectl, cloud.namespace)


def test_a_pod_deleted_in_the_middle_of_a_migration_leaves_it_to_the_next(release: Release, cloud: Cloud) -> None:
    flavor = cloud.flavor(memory="8Gi", model=writer("64Mi"))
    cloud.up(cloud.pool(2, memory="32Gi", time_scale="1"), flavor, cloud.image(), cloud.network(), cloud.vm())
    before, source, leader = guests(cloud), hosts_of(cloud)["vm"], release.leader()
    cloud.apply(move(cloud, "vm"))
    await_phase(cloud, "vm", "PreCopy")
    release.kubectl("delete", "pod", leader, "-n", NAMESPACE)
    release.settle()
    ended = await_phase(cloud, "vm", "Succeeded", "Failed", "Cancelled")
    assert ended["phase"] == "Succeeded", ended
    assert release.leader() != leader
    assert guests(cloud) == before
    assert hosts_of(cloud) == {"vm": ended["targetHost"]} != {"vm": source}
    assert len(cloud.list("vmm")) == 1


def test_killed_for_want_of_memory_it_restarts_and_goes_on_where_it_was(release: Release, cloud: Cloud) -> None:
    names = some_vms(cloud)
    before, held, pod = guests(cloud), claims(cloud), release.leader()
    restarts = _container(release, pod)["restartCount"]
    with pytest.raises(KubectlError, match="137"):
        release.execute("python3", "-c", EAT)
    cloud.apply(cloud.vm("meanwhile"))
    eventually(lambda: _container(release, pod)["restartCount"] > restarts, 60, lambda: str(_container(release, pod)))
    assert _container(release, pod)["lastState"]["terminated"]["reason"] == "OOMKilled"
    release.settle()
    cloud.ready(cloud.vm("meanwhile"))
    assert {name: guests(cloud)[name] for name in names} == before
    assert {name: claims(cloud)[name] for name in names} == held
    assert_no_double_allocation(release.kubectl, cloud.namespace)


def test_an_upgrade_to_a_pod_that_cannot_start_leaves_the_old_one_leading(release: Release, cloud: Cloud) -> None:
    some_vms(cloud, 1)
    held, leader = claims(cloud), release.leader()
    limits = ["--set=resources.limits.memory=48Mi", "--set=resources.requests.memory=48Mi"]
    release.helm("upgrade", NAME, "charts/drover", "--namespace", NAMESPACE, *limits)

    def killed() -> bool:
        return any("OOMKilled" in json.dumps(pod["status"]) for pod in release.pods().values())

    eventually(killed, 60, lambda: str(release.pods()))
    assert release.leader() == leader
    assert ready(release.pods()[leader])
    cloud.up(cloud.vm("meanwhile"))
    release.helm("rollback", NAME, "--namespace", NAMESPACE)
    release.settle()
    assert release.leader() == leader
    assert claims(cloud)["vm-0"] == held["vm-0"]


def _container(release: Release, pod: str) -> dict[str, object]:
    found: dict[str, object] = release.pods()[pod]["status"]["containerStatuses"][0]
    return found
