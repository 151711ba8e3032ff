"""VMs and migrations under KubeVirt's names."""

from typing import Any

import pytest
from observed_pages import Scraped, state_of
from observed_worlds import CREATED, migration, vm, volume, world_of

from drover.api.meta import AnyResource
from drover.observe.families import KUBEVIRT
from drover.observe.families.kubevirt import STATUS_GROUPS

WEB = {"name": "web", "namespace": "team-a"}
MOVING = {**WEB, "node": "h1"}
PROGRESS = {
    "percent": 40,
    "iteration": 2,
    "totalBytes": 4000,
    "processedBytes": 5000,
    "remainingBytes": 600,
    "dirtyRateBytesPerSecond": 70,
    "bandwidthBytesPerSecond": 800,
}


async def told(*resources: AnyResource) -> Scraped:
    return await state_of(world_of(*resources), compat="kubevirt")


@pytest.mark.parametrize(
    ("phase", "group", "instance"),
    [
        ("Pending", "starting", "pending"),
        ("Unschedulable", "error", "scheduling"),
        ("Running", "running", "running"),
        ("Migrating", "migrating", "running"),
        ("Paused", "non_running", "running"),
        ("Stopped", "non_running", None),
        ("Failed", "error", None),
    ],
)
async def test_a_phase_is_one_of_kubevirts_groups(phase: str, group: str, instance: str | None) -> None:
    page = await told(vm("web", phase, None if phase in ("Pending", "Unschedulable", "Stopped", "Failed") else "h1"))
    (info,) = page.samples("kubevirt_vm_info")
    assert (info.labels["status"], info.labels["status_group"]) == (phase.lower(), group)
    assert [sample.labels["phase"] for sample in page.samples("kubevirt_vmi_info")] == ([instance] if instance else [])
    for other in STATUS_GROUPS:
        at = page.value(f"kubevirt_vm_{other}_status_last_transition_timestamp_seconds", **WEB)
        assert at == (1795248060 if other == group else 0)


async def test_a_vm_tells_what_it_asks_for_and_its_disks() -> None:
    page = await told(vm("web", "Running", "h1"), volume("data", "ssd", "10Gi"))
    requests = {sample.labels["resource"]: sample.value for sample in page.samples("kubevirt_vm_resource_requests")}
    assert requests == {"cpu": 2, "memory": 2**30}
    disk = {"persistentvolumeclaim": "data", "volume_mode": "Block", "device": "data"}
    assert page.value("kubevirt_vm_disk_allocated_size_bytes", **WEB, **disk) == 10 * 2**30


@pytest.mark.parametrize(("movable", "stays"), [("True", 0), ("False", 1)])
async def test_a_vm_that_should_move_and_cannot_is_not_evictable(movable: str, stays: int) -> None:
    condition = {
        "type": "LiveMigratable",
        "status": movable,
        "lastTransitionTime": CREATED,
        "reason": "R",
        "message": "",
    }
    page = await told(vm("web", "Running", "h1", conditions=[condition]))
    assert page.value("kubevirt_vmi_non_evictable", **MOVING) == stays
    assert [sample.labels["evictable"] for sample in page.samples("kubevirt_vmi_info")] == [movable.lower()]


async def test_a_migration_tells_how_far_its_copy_is() -> None:
    start = {"startTimestamp": "2026-11-21T08:00:00Z", "sourceHost": "h1"}
    page = await told(migration("m1", "PreCopy", progress=PROGRESS, **start))
    values = {name: page.value(f"kubevirt_vmi_migration_{name}", **MOVING) for name in (
        "data_bytes_total", "data_processed_bytes", "data_remaining_bytes",
        "dirty_memory_rate_bytes", "memory_transfer_rate_bytes",
    )}  # fmt: skip
    assert list(values.values()) == [4000, 5000, 600, 70, 800]
    assert page.value("kubevirt_vmi_migration_start_time_seconds", **MOVING, migration_name="m1") == 1795248000
    assert page.value("kubevirt_vmi_migrations_in_running_phase") == 1
    assert page.samples("kubevirt_vmi_migration_succeeded") == []


@pytest.mark.parametrize(("phase", "succeeded"), [("Succeeded", 1), ("Failed", 0), ("Cancelled", 0)])
async def test_a_migration_that_ended_tells_how(phase: str, succeeded: int) -> None:
    page = await told(migration("m1", phase, progress=PROGRESS, endTimestamp="2026-11-21T08:00:42Z", sourceHost="h1"))
    ended = {"vmi": "web", "vmim": "m1", "namespace": "team-a"}
    assert page.value("kubevirt_vmi_migration_succeeded", **ended) == succeeded
    assert page.value("kubevirt_vmi_migration_failed", **ended) == 1 - succeeded
    end = {**MOVING, "migration_name": "m1", "status": phase.lower()}
    assert page.value("kubevirt_vmi_migration_end_time_seconds", **end) == 1795248042
    assert page.samples("kubevirt_vmi_migration_data_remaining_bytes") == []
    assert page.value("kubevirt_vmi_migrations_in_running_phase") == 0


def everything() -> list[Any]:
    moving = migration("m1", "PreCopy", progress=PROGRESS, startTimestamp=CREATED, sourceHost="h1")
    return [
        vm("web", "Running", "h1"),
        volume("data", "ssd", "1Gi"),
        moving,
        migration("m2", "Failed", endTimestamp=CREATED),
    ]


@pytest.mark.parametrize("family", KUBEVIRT, ids=lambda family: family.name)
async def test_every_family_of_kubevirts_has_its_labels(family: Any) -> None:
    page = await told(*everything())
    assert page.samples(family.name)
    for sample in page.samples(family.name):
        assert tuple(sample.labels) == family.labels


async def test_nothing_of_kubevirts_is_told_unasked() -> None:
    page = await state_of(world_of(*everything()))
    assert [name for name in page.families if name.startswith("kubevirt")] == []
