"""Volume: a disk provisioned once, attached to VMs, grown in use.

::

    Pending --> WaitForFirstConsumer --> Provisioning --> Available <--a VM lists it--> InUse
       \\---(image ready, or none)----------^    |           ^  |                       |  ^
        \\                                      |           |  v                       v  |
         +--- image larger than the volume --> Failed       Resizing (spec.size was raised)
    (any) --deleted--> Terminating --no VM holds it--> gone

Who holds a volume is what the VMs' status says; ``status.attachments`` is a view of that.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import cast

from drover.api.image import Image
from drover.api.meta import AnyResource, Key
from drover.api.quantity import Quantity, human
from drover.api.usage import Charge
from drover.api.virtualmachine import VirtualMachine
from drover.api.volume import Volume, VolumeAttachment
from drover.control.conditions import Verdict, false, true
from drover.control.driver import (
    PROVISION_BYTES_PER_SECOND,
    PROVISION_SECONDS,
    ProvisionVolume,
    ResizeVolume,
)
from drover.control.metering.charging import charged
from drover.control.outcome import Controller, Event, Outcome, Watch, warning
from drover.control.progress import quarters
from drover.control.stage import Hold, Stage, conclude, counted, named, progressing, ready, stalled, waiting
from drover.control.watching import on_change
from drover.control.world import World
from drover.control.world.claims import images_of_volume, volumes_held_by, volumes_of_vm

GATHER_SECONDS = 0.25
MAX_ATTACHMENTS = 64
"""As many as the status can list; the VMs' own statuses are what counts."""
"""A volume is often attached to several VMs at once."""


def reconcile(volume: Volume, world: World, now: datetime) -> Outcome:
    attachments = _attachments(volume, world, now)
    stage = _stage(volume, attachments, world, now)
    verdicts = (*stage.verdicts, _attached(volume, attachments), true("Migratable", "Shared", "shared storage"))
    capacity = cast("Quantity | None", stage.fields.get("capacity", volume.status.capacity))
    usage = charged(volume.status.usage, now, "Provisioned", _charges(volume, capacity))
    stage = replace(
        stage,
        verdicts=verdicts,
        fields={**stage.fields, "attachments": attachments, "usage": usage},
        events=(*stage.events, *_attachment_events(volume, attachments)),
    )
    free = not world.books.attachments.holders(volume.key)
    outcome = conclude(volume, stage, now, _hold(volume, attachments), released=free)
    return replace(outcome, disown=volume.spec.reclaim_policy == "Retain")


def _stage(volume: Volume, attachments: tuple[VolumeAttachment, ...], world: World, now: datetime) -> Stage:
    if volume.status.capacity is None:
        return _not_provisioned(volume, world, now)
    if volume.spec.size.bytes > volume.status.capacity.bytes:
        return _growing(volume, attachments, world, now)
    return _usable(attachments)


def _charges(volume: Volume, capacity: Quantity | None) -> tuple[Charge, ...]:
    """Its capacity, attached or not."""
    if capacity is None:
        return ()
    return (Charge(meter="volume", sku=volume.spec.class_name, rate=capacity.bytes),)


# Provisioning


def _not_provisioned(volume: Volume, world: World, now: datetime) -> Stage:
    begun = volume.status.provisioning_started_at is not None
    if not begun and volume.spec.binding_mode == "WaitForFirstConsumer" and not world.vms_of_volume[volume.key]:
        why = "it is provisioned when the first VM names it in spec.volumes"
        return Stage("WaitForFirstConsumer", waiting("WaitingForFirstConsumer", why))
    source = next(iter(images_of_volume(volume)), None)
    if source is None:
        return _provisioning(volume, 0, world, now)
    image = world.image(source.namespace, source.name)
    obstacle = _obstacle(volume, source, image, begun)
    if obstacle is not None:
        return obstacle
    content = image.status.size_bytes if image is not None else None
    return _provisioning(volume, content or 0, world, now)


def _obstacle(volume: Volume, source: Key, image: Image | None, begun: bool) -> Stage | None:
    """Why the volume cannot be filled from its image; None where it can, or where that has begun."""
    where = f"image {source.namespace}/{source.name}"
    if image is None or (image.deleting and not begun):
        return _source_not_ready(_no_source(where, image))
    if not begun and not image.status.is_true("Ready"):
        why = image.status.condition("Ready")
        detail = f": {why.message}" if why is not None and image.status.phase == "Failed" else ""
        return _source_not_ready(f"{where} is {image.status.phase or 'Pending'}{detail}")
    small = _too_small(volume, where, image)
    if small is None:
        return None
    events = () if volume.status.phase == "Failed" else (warning("ProvisioningFailed", small),)
    return Stage("Failed", stalled("ProvisioningFailed", small), {"provisioning_started_at": None}, events)


def source_fault(volume: Volume, world: World) -> tuple[str, str] | None:
    """(reason, message) where the volume cannot be filled from its image, and waiting does not mend it."""
    for source in images_of_volume(volume):
        where, image = f"image {source.namespace}/{source.name}", world.image(source.namespace, source.name)
        if image is None or image.deleting:
            return "SourceNotReady", _no_source(where, image)
        if (small := _too_small(volume, where, image)) is not None:
            return "ProvisioningFailed", small
    return None


def _source_not_ready(message: str) -> Stage:
    return Stage("Pending", waiting("SourceNotReady", message), {"provisioning_started_at": None})


def _no_source(where: str, image: Image | None) -> str:
    what = "does not exist" if image is None else "is being deleted"
    return f"{where} {what}: create it, or a new volume with another source"


def _too_small(volume: Volume, where: str, image: Image) -> str | None:
    needed = max(image.status.virtual_size_bytes or 0, image.spec.min_disk.bytes if image.spec.min_disk else 0)
    if needed <= volume.spec.size.bytes:
        return None
    return (
        f"{where} needs {human(needed)}, the volume has {human(volume.spec.size.bytes)}: "
        f"raise spec.size to at least {human(needed)}"
    )


def _provisioning(volume: Volume, copy_bytes: int, world: World, now: datetime) -> Stage:
    pace = world.pace()
    since = volume.status.provisioning_started_at or now
    command = ProvisionVolume(volume.uid, since, pace, copy_bytes)
    if world.completion(command) is not None:
        fields = {"capacity": volume.spec.size, "progress": "100%", "provisioning_started_at": None}
        done = Event("ProvisioningSucceeded", f"{human(volume.spec.size.bytes)} provisioned")
        return replace(_usable(()), fields=fields, events=(done,))
    whole = pace.wall(PROVISION_SECONDS + copy_bytes / PROVISION_BYTES_PER_SECOND)
    percent, next_quarter = quarters(since, whole, now) if copy_bytes else (0, None)
    filled = f", {human(copy_bytes)} of it from its image" if copy_bytes else ""
    return Stage(
        phase="Provisioning",
        verdicts=progressing("Provisioning", f"making {human(volume.spec.size.bytes)}{filled}"),
        fields={"provisioning_started_at": since, "progress": f"{percent}%"},
        requeue_at=next_quarter,
        work=frozenset({command}),
    )


# Provisioned


def _usable(attachments: tuple[VolumeAttachment, ...]) -> Stage:
    return Stage(
        phase="InUse" if attachments else "Available",
        verdicts=(*ready("Provisioned", "VMs can use it"), true("Resized", "UpToDate", "as large as asked for")),
        fields={"resize_started_at": None},
    )


def _growing(volume: Volume, attachments: tuple[VolumeAttachment, ...], world: World, now: datetime) -> Stage:
    """Ready stays True: the volume can be used while it grows."""
    since = volume.status.resize_started_at or now
    wanted = volume.spec.size
    command = ResizeVolume(volume.uid, since, world.pace(), wanted.bytes)
    old = human(volume.status.capacity.bytes) if volume.status.capacity else "0"
    how = f"{old} to {human(wanted.bytes)}"
    if world.completion(command) is not None:
        fields = {"capacity": wanted, "resize_started_at": None}
        return replace(_usable(attachments), fields=fields, events=(Event("ResizeSucceeded", how),))
    started = volume.status.resize_started_at is None
    return Stage(
        phase="Resizing",
        verdicts=(
            *ready("Provisioned", "VMs can use it"),
            false("Resized", "InProgress", how),
            true("Reconciling", "Resizing", how),
        ),
        fields={"resize_started_at": since},
        events=(Event("ResizeStarted", how),) if started else (),
        work=frozenset({command}),
    )


# Attachments


def _attachments(volume: Volume, world: World, now: datetime) -> tuple[VolumeAttachment, ...]:
    """The VMs whose status lists the volume, oldest view first kept: ``since`` is when it was first seen."""
    known = {attachment.virtual_machine: attachment for attachment in volume.status.attachments}
    found = []
    for vm in world.vms(world.vms_of_volume[volume.key]):
        if volume.key not in volumes_held_by(vm):
            continue
        device = next(disk.name for disk in vm.status.volumes if disk.volume == volume.name)
        before = known.get(vm.name)
        since = before.since if before is not None and before.device == device else now
        found.append(VolumeAttachment(virtual_machine=vm.name, device=device, since=since))
    return tuple(found[:MAX_ATTACHMENTS])


def _attached(volume: Volume, attachments: tuple[VolumeAttachment, ...]) -> Verdict:
    if not attachments:
        return false("Attached", "Detached", "no VM holds it")
    who = ", ".join(attachment.virtual_machine for attachment in attachments)
    if len(attachments) > 1 and volume.spec.access_mode == "ReadWriteOnce":
        return false("Attached", "AttachConflict", f"ReadWriteOnce, but held by {who}: delete all but one")
    return true("Attached", "Attached", f"held by {who}")


def _attachment_events(volume: Volume, attachments: tuple[VolumeAttachment, ...]) -> tuple[Event, ...]:
    before = {attachment.virtual_machine for attachment in volume.status.attachments}
    after = {attachment.virtual_machine for attachment in attachments}
    return (
        *(Event("Attached", f"to {name}") for name in sorted(after - before)),
        *(Event("Detached", f"from {name}") for name in sorted(before - after)),
    )


def _hold(volume: Volume, attachments: tuple[VolumeAttachment, ...]) -> Hold | None:
    if not attachments:
        return None
    users = named(Key("VirtualMachine", volume.namespace, held.virtual_machine) for held in attachments)
    return Hold(f"attached to {counted(len(attachments), 'VM')}: {users}; delete them first")


def _filled_from(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Volumes of an image that appeared, went, or can be used now."""
    old, new = cast("Image | None", before), cast("Image | None", after)
    if old is not None and new is not None and _view(old) == _view(new):
        return []
    image = cast(Image, new if new is not None else old)
    return world.volumes_of_image[image.key]


def _view(image: Image) -> object:
    return image.status.phase, image.status.virtual_size_bytes, image.spec.min_disk, image.deleting


def _asked_and_held(vm: VirtualMachine) -> object:
    return vm.spec.volumes, vm.status.volumes


CONTROLLER = Controller(
    kind=Volume.KIND,
    reconcile=reconcile,
    watches=(
        Watch(VirtualMachine.KIND, on_change(volumes_of_vm, of=_asked_and_held), after=GATHER_SECONDS),
        Watch(Image.KIND, _filled_from),
    ),
)
