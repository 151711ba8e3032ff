"""Volume: a disk on shared storage that outlives the VMs it is attached to."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.meta import Model, NamespacedRef, Resource, Status, Time
from drover.api.quantity import Quantity
from drover.api.schema import (
    Column,
    ListMap,
    ObjectName,
    Rule,
    ShortName,
    above_zero,
    immutable,
    quantity_rule,
)
from drover.api.usage import MeteredUsage

AccessMode = Literal["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"]
BindingMode = Literal["Immediate", "WaitForFirstConsumer"]
ReclaimPolicy = Literal["Delete", "Retain"]
VolumeSourceType = Literal["Blank", "Image"]
VolumePhase = Literal[
    "Pending",
    "WaitForFirstConsumer",
    "Provisioning",
    "Available",
    "Attaching",
    "InUse",
    "Detaching",
    "Resizing",
    "Failed",
    "Terminating",
]

_NEW_VOLUME = "create a new volume"


class VolumeSource(Model):
    """What the volume is filled with."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule("self.type != 'Image' || has(self.ref)", "source.type Image needs source.ref.name, the image"),
        Rule(
            "self.type != 'Blank' || !has(self.ref)",
            "source.ref is not for source.type Blank: set type Image",
        ),
    )

    type: VolumeSourceType = "Blank"
    """Blank (empty) or Image (a copy of one)."""
    ref: NamespacedRef | None = None
    """The image, for type Image; one of another namespace may be named."""


class VolumeSpec(Model):
    """The disk wanted."""

    size: Annotated[
        Quantity,
        above_zero("size"),
        quantity_rule(
            "quantity(self).compareTo(quantity(oldSelf)) >= 0",
            "size can grow but not shrink: create a smaller volume and copy to it",
        ),
    ]
    """Size; it may grow, also in use, never shrink."""
    class_name: Annotated[ShortName, immutable("className", _NEW_VOLUME)] = "standard"
    """Storage class, a name by which usage is summed up. Immutable."""
    access_mode: Annotated[AccessMode, immutable("accessMode", _NEW_VOLUME)] = "ReadWriteMany"
    """ReadWriteOnce: one VM at a time. Immutable."""
    source: Annotated[VolumeSource, immutable("source", _NEW_VOLUME)] = VolumeSource()
    """What the volume is filled with. Immutable."""
    binding_mode: Annotated[BindingMode, immutable("bindingMode", _NEW_VOLUME)] = "Immediate"
    """WaitForFirstConsumer: provisioned when the first VM asks for it. Immutable."""
    reclaim_policy: ReclaimPolicy = "Delete"
    """What becomes of a volume made from a VM's template when that VM is deleted. Retain lets it stay; the VM then no
    longer owns it, and another of the same name takes it up."""


class VolumeAttachment(Model):
    """A virtual machine that holds the volume."""

    virtual_machine: ObjectName
    """Name of the VM, in the volume's namespace."""
    device: Annotated[str, Field(max_length=63)] | None = None
    """Name of the disk inside the VM."""
    since: Time | None = None
    """When it was attached."""


class VolumeStatus(Status):
    """What the operator knows of a volume."""

    phase: VolumePhase | None = None
    """Where the volume is in its life."""
    capacity: Quantity | None = None
    """Size provisioned; behind spec.size while it grows."""
    progress: Annotated[str, Field(max_length=8)] | None = None
    """Share provisioned, such as 42%."""
    provisioning_started_at: Time | None = None
    """When provisioning began."""
    resize_started_at: Time | None = None
    """When the growth under way began."""
    attachments: Annotated[tuple[VolumeAttachment, ...], ListMap(("virtualMachine",)), Field(max_length=64)] = ()
    """The VMs that hold it; at most one for ReadWriteOnce."""
    usage: MeteredUsage | None = None
    """What is charged for it: its capacity, from provisioned until gone."""


class Volume(Resource[VolumeSpec, VolumeStatus]):
    """A disk on shared storage: made empty or from an image, attached to virtual machines, grown in use."""

    KIND: ClassVar[str] = "Volume"
    PLURAL: ClassVar[str] = "volumes"
    SINGULAR: ClassVar[str] = "volume"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("vol",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Size", ".status.capacity"),
        Column("Class", ".spec.className"),
        Column("Phase", ".status.phase"),
        Column("VM", ".status.attachments[0].virtualMachine"),
        Column("Access", ".spec.accessMode", priority=1),
        Column("Progress", ".status.progress", priority=1),
    )

    spec: VolumeSpec
    status: VolumeStatus = VolumeStatus()
