"""Volume: provisioning, its source, attachments, growth, deletion."""

from __future__ import annotations

import pytest
from worlds import (
    NOW,
    assert_settled,
    edited,
    finished,
    image,
    imported,
    later,
    message,
    owned_by,
    pool,
    provisioned,
    reasons,
    taken,
    told,
    vm,
    volume,
    world_of,
)

from drover.api.virtualmachine import VirtualMachine
from drover.control.outcome import Outcome
from drover.control.volume import CONTROLLER, reconcile

FROM_IMAGE = {"type": "Image", "ref": {"name": "debian"}}


def holder(name: str = "a", disk: str = "data") -> VirtualMachine:
    """A VM that holds the volume "data"."""
    asked = [{"name": disk, "volume_ref": {"name": "data"}}]
    return vm(name, volumes=asked, status={"volumes": [{"name": disk, "volume": "data"}]})


def test_a_blank_volume_is_provisioned_and_becomes_available() -> None:
    disk = volume()
    world = world_of(disk)
    outcome = reconcile(disk, world, NOW)
    disk = taken(world, disk, outcome)
    assert disk.status.phase == "Provisioning"
    assert reasons(outcome)["Reconciling"] == ("True", "Provisioning")
    at = finished(world, outcome)
    assert at == later(1.5)
    outcome = reconcile(disk, world, at)
    disk = taken(world, disk, outcome)
    assert disk.status.phase == "Available"
    assert disk.status.capacity == "10Gi"
    assert reasons(outcome) == {
        "Ready": ("True", "Provisioned"),
        "Resized": ("True", "UpToDate"),
        "Attached": ("False", "Detached"),
        "Migratable": ("True", "Shared"),
    }
    assert told(outcome) == ["ProvisioningSucceeded"]
    assert_settled(reconcile, disk, world, at)


def test_provisioning_is_settled_while_it_lasts() -> None:
    disk = volume()
    assert_settled(reconcile, disk, world_of(disk), NOW)


def test_filling_from_an_image_takes_its_bytes_at_the_write_rate() -> None:
    disk = volume(source=FROM_IMAGE)
    world = world_of(disk, image(status=imported()), pool(driver={"time_scale": "2"}))
    outcome = reconcile(disk, world, NOW)
    assert finished(world, outcome) == later((1.5 + 0.5) / 2)
    assert outcome.requeue_at == later(0.25)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (None, "image default/debian does not exist"),
        ({"phase": "Importing"}, "image default/debian is Importing"),
        ({"phase": "Deactivated"}, "is Deactivated"),
    ],
)
def test_it_waits_for_its_image_and_says_what_that_is_doing(source: dict[str, str] | None, says: str) -> None:
    disk = volume(source=FROM_IMAGE)
    world = world_of(disk, *([] if source is None else [image(status=source)]))
    outcome = reconcile(disk, world, NOW)
    assert outcome.status is not None
    assert outcome.status.phase == "Pending"
    assert reasons(outcome)["Ready"] == ("False", "SourceNotReady")
    assert says in message(outcome, "Ready")
    assert outcome.work == frozenset()
    assert_settled(reconcile, disk, world, NOW)


def test_an_image_larger_than_the_volume_stalls_it_until_the_size_is_raised() -> None:
    disk = volume(size="2Gi", source=FROM_IMAGE)
    world = world_of(disk, image(status=imported()))
    outcome = reconcile(disk, world, NOW)
    disk = taken(world, disk, outcome)
    assert disk.status.phase == "Failed"
    assert reasons(outcome)["Ready"] == ("False", "ProvisioningFailed")
    assert reasons(outcome)["Stalled"] == ("True", "ProvisioningFailed")
    assert "needs 4Gi, the volume has 2Gi" in message(outcome, "Ready")
    assert told(outcome) == ["ProvisioningFailed"]
    assert_settled(reconcile, disk, world, NOW)
    assert reconcile(edited(disk, spec={"size": "4Gi"}), world, NOW).work


def test_the_smallest_disk_an_image_asks_for_counts() -> None:
    disk = volume(size="10Gi", source=FROM_IMAGE)
    outcome = reconcile(disk, world_of(disk, image(min_disk="20Gi", status=imported())), NOW)
    assert "needs 20Gi" in message(outcome, "Ready")


def test_wait_for_first_consumer_waits_until_a_vm_names_it() -> None:
    disk = volume(binding_mode="WaitForFirstConsumer")
    world = world_of(disk)
    outcome = reconcile(disk, world, NOW)
    assert outcome.status is not None
    assert outcome.status.phase == "WaitForFirstConsumer"
    assert reasons(outcome)["Ready"] == ("False", "WaitingForFirstConsumer")
    assert_settled(reconcile, disk, world, NOW)
    world.observe(vm("a", volumes=[{"name": "data", "volume_ref": {"name": "data"}}]))
    assert reconcile(disk, world, NOW).work


def test_attachments_are_what_vms_hold_not_what_they_ask_for() -> None:
    disk = volume(status=provisioned())
    asking = vm("b", volumes=[{"name": "x", "volume_ref": {"name": "data"}}])
    world = world_of(disk, holder("a", "root"), asking)
    outcome = reconcile(disk, world, NOW)
    disk = taken(world, disk, outcome)
    assert disk.status.phase == "InUse"
    assert [(a.virtual_machine, a.device, a.since) for a in disk.status.attachments] == [("a", "root", NOW)]
    assert reasons(outcome)["Attached"] == ("True", "Attached")
    assert told(outcome) == ["Attached"]
    assert_settled(reconcile, disk, world, later(100))
    world.gone(holder("a").key, holder("a").uid)
    outcome = reconcile(disk, world, later(200))
    assert outcome.status is not None
    assert outcome.status.phase == "Available"
    assert told(outcome) == ["Detached"]


def test_two_holders_of_a_read_write_once_volume_are_a_conflict() -> None:
    disk = volume(access_mode="ReadWriteOnce", status=provisioned())
    outcome = reconcile(disk, world_of(disk, holder("a"), holder("b")), NOW)
    assert reasons(outcome)["Attached"] == ("False", "AttachConflict")
    assert "a, b" in message(outcome, "Attached")


def test_a_volume_grows_in_use_and_stays_ready_meanwhile() -> None:
    disk = volume(size="20Gi", status=provisioned("10Gi"))
    world = world_of(disk, holder())
    outcome = reconcile(disk, world, NOW)
    disk = taken(world, disk, outcome)
    assert disk.status.phase == "Resizing"
    assert reasons(outcome)["Ready"] == ("True", "Provisioned")
    assert reasons(outcome)["Resized"] == ("False", "InProgress")
    assert "10Gi to 20Gi" in message(outcome, "Resized")
    assert "ResizeStarted" in told(outcome)
    assert_settled(reconcile, disk, world, NOW)
    at = finished(world, outcome)
    outcome = reconcile(disk, world, at)
    disk = taken(world, disk, outcome)
    assert disk.status.phase == "InUse"
    assert disk.status.capacity == "20Gi"
    assert told(outcome) == ["ResizeSucceeded"]
    assert_settled(reconcile, disk, world, at)


def test_a_size_written_differently_is_no_growth() -> None:
    disk = volume(size="10240Mi", status=provisioned("10Gi"))
    outcome = reconcile(disk, world_of(disk), NOW)
    assert outcome.work == frozenset()
    assert reasons(outcome)["Resized"] == ("True", "UpToDate")


def test_a_held_volume_is_not_deleted() -> None:
    disk = volume(deleting=True, status=provisioned())
    world = world_of(disk, holder())
    outcome = reconcile(disk, world, NOW)
    assert reasons(outcome)["Terminating"] == ("True", "InUse")
    assert "default/a" in message(outcome, "Terminating")
    assert "DeletionBlocked" in told(outcome)
    assert_settled(reconcile, disk, world, NOW)


@pytest.mark.parametrize("status", [None, provisioned()])
def test_a_volume_nobody_holds_goes(status: dict[str, object] | None) -> None:
    disk = volume(deleting=True, status=status)
    assert reconcile(disk, world_of(disk), NOW) == Outcome(protect=False)


def test_a_volume_stays_until_the_write_that_releases_it_is_answered() -> None:
    disk, user = volume(deleting=True, status=provisioned()), holder()
    world = world_of(disk, user)
    released = user.model_copy(update={"status": user.status.model_copy(update={"volumes": ()})})
    world.assume(released)
    assert reconcile(disk, world, NOW) == Outcome()
    world.observe(edited(released))
    world.settle(user.key)
    assert reconcile(disk, world, NOW) == Outcome(protect=False)


def test_an_image_that_becomes_ready_wakes_the_volumes_made_from_it() -> None:
    disk = volume(source=FROM_IMAGE)
    before, after = image(status={"phase": "Importing"}), image(status=imported())
    world = world_of(disk, after)
    watch = next(watch for watch in CONTROLLER.watches if watch.kind == "Image")
    assert watch.affected(before, after, world) == [disk.key]
    assert watch.affected(after, after, world) == []


@pytest.mark.parametrize(("policy", "disown"), [("Retain", True), ("Delete", False)])
def test_a_volume_to_be_retained_lets_go_of_its_vm(policy: str, disown: bool) -> None:
    disk = volume(reclaim_policy=policy, owner_references=[owned_by(vm("a"))])
    assert reconcile(disk, world_of(disk), NOW).disown is disown
