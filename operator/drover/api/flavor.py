"""Flavor: a named VM size. Virtual machines hold a resolved copy, so a flavor's size never changes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.meta import Model, Ref, Resource, Status
from drover.api.quantity import Quantity, Ratio
from drover.api.schema import (
    Column,
    Count,
    Rule,
    above_zero,
    fixed_presence,
    immutable,
    quantity_rule,
    ratio_rule,
)

FlavorState = Literal["Active", "Deprecated", "Obsolete"]
FlavorPhase = Literal["Active", "Deprecated", "Obsolete", "Terminating"]

_NEW_FLAVOR = "create a new flavor and point spec.flavorRef of the VMs at it"

ZeroPageRatio = Annotated[
    Ratio, ratio_rule("double(self) <= 1.0", "zeroPageRatio is a share of memory: write a number from 0 to 1")
]
DirtyNoise = Annotated[Ratio, ratio_rule("double(self) <= 2.0", "dirtyNoise must be at most 2 (log-normal sigma)")]


class FlavorCPU(Model):
    """Virtual processors."""

    guest: Annotated[int, Field(ge=1, le=1024)]
    """vCPUs the guest sees."""


class FlavorMemory(Model):
    """Memory."""

    guest: Annotated[
        Quantity,
        quantity_rule("quantity(self).compareTo(quantity('16Mi')) >= 0", "memory.guest must be at least 16Mi"),
    ]
    """Memory the guest sees, such as 4Gi."""


class FlavorDisk(Model):
    """The disk a VM of this flavor boots from, on the host it runs on."""

    size: Annotated[Quantity, above_zero("rootDisk.size")]
    """Size of the root disk; an image larger than this is refused."""


class FlavorNetwork(Model):
    """Network share."""

    bandwidth: Quantity = Quantity("0")
    """Bytes per second the guest may use; 0 = unlimited and nothing reserved."""


class WorkloadModel(Model):
    """How the modelled guest writes its memory, which decides how it live-migrates."""

    hot_set: Quantity = Quantity("64Mi")
    """Memory rewritten faster than one pass can send (the writable working set)."""
    dirty_rate: Quantity = Quantity("8Mi")
    """Unique memory dirtied outside the hot set, in bytes per second."""
    zero_page_ratio: ZeroPageRatio = Ratio("0.05")
    """Share of memory that is zero pages, which cost nothing to send; 0 to 1."""
    dirty_noise: DirtyNoise = Ratio("0.2")
    """Log-normal sigma of the hot set between passes."""


class FlavorLifecycle(Model):
    """Whether new VMs may use the flavor."""

    state: FlavorState = "Active"
    """Active; Deprecated (works, VMs are told); Obsolete (no new VM, existing ones run on)."""
    replacement_ref: Ref | None = None
    """The flavor to use instead; named in the messages of VMs."""


class FlavorSpec(Model):
    """The size, and how its guests behave."""

    RULES: ClassVar[tuple[Rule, ...]] = (fixed_presence("rootDisk", _NEW_FLAVOR),)

    cpu: Annotated[FlavorCPU, immutable("cpu", _NEW_FLAVOR)]
    """Virtual processors. Immutable."""
    memory: Annotated[FlavorMemory, immutable("memory", _NEW_FLAVOR)]
    """Memory. Immutable."""
    root_disk: Annotated[FlavorDisk | None, immutable("rootDisk", _NEW_FLAVOR)] = None
    """Root disk; absent for VMs that boot from a volume. Immutable."""
    network: FlavorNetwork = FlavorNetwork()
    """Network share."""
    model: WorkloadModel = WorkloadModel()
    """How the modelled guest writes its memory."""
    lifecycle: FlavorLifecycle = FlavorLifecycle()
    """Whether new VMs may use the flavor."""


class FlavorStatus(Status):
    """What the operator knows of a flavor."""

    phase: FlavorPhase | None = None
    """spec.lifecycle.state, or Terminating."""
    instances: Count = 0
    """Virtual machines of this flavor."""


class Flavor(Resource[FlavorSpec, FlavorStatus]):
    """A named VM size: vCPUs, memory, root disk, bandwidth and the memory behaviour of its guests."""

    KIND: ClassVar[str] = "Flavor"
    PLURAL: ClassVar[str] = "flavors"
    SINGULAR: ClassVar[str] = "flavor"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("flv",)
    NAMESPACED: ClassVar[bool] = False
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("CPU", ".spec.cpu.guest", "integer"),
        Column("Memory", ".spec.memory.guest"),
        Column("Disk", ".spec.rootDisk.size"),
        Column("VMs", ".status.instances", "integer"),
        Column("State", ".status.phase"),
    )

    spec: FlavorSpec
    status: FlavorStatus = FlavorStatus()
