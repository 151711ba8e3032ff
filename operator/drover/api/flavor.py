"""Flavor: a named VM size. Virtual machines hold a resolved copy, so a flavor's size never changes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.hardware import CPUModel, DeviceName
from drover.api.meta import Model, Ref, Resource, Status, Time
from drover.api.quantity import Quantity, Ratio
from drover.api.scheduling import Tolerations, Traits
from drover.api.schema import (
    Column,
    Count,
    ListMap,
    NodeSelector,
    Rule,
    ShortName,
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

FlavorAllocationRatio = Annotated[
    Ratio,
    ratio_rule(
        "double(self) >= 0.1",
        "cpu.allocationRatio must be at least 0.1: raise it, or remove it for the host's overcommit.cpu",
    ),
]


class FlavorCPU(Model):
    """Virtual processors."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!self.dedicatedCPUPlacement || !has(self.allocationRatio)"
            " || !self.allocationRatio.matches('^[0-9]+([.][0-9]+)?$') || double(self.allocationRatio) == 1.0",
            "dedicated CPUs cannot be overcommitted: remove cpu.allocationRatio, set it to 1, or set"
            " cpu.dedicatedCPUPlacement to false",
        ),
        Rule(
            "!has(self.numaNodes) || self.numaNodes != 2 || self.guest % 2 == 0",
            "cpu.numaNodes 2 takes half of cpu.guest from each of two cells: make cpu.guest even or set numaNodes to 1",
        ),
    )

    guest: Annotated[int, Field(ge=1, le=1024)]
    """vCPUs the guest sees."""
    model: CPUModel | None = None
    """CPU model the guest must be given, such as Cascadelake-Server; the pool's baseline or the host's when absent."""
    dedicated_cpu_placement: Annotated[bool, Field(alias="dedicatedCPUPlacement")] = False
    """True: each vCPU has a hardware thread of its own."""
    allocation_ratio: FlavorAllocationRatio | None = None
    """vCPUs per hardware thread for VMs of this flavor, in place of the host's overcommit.cpu."""
    numa_nodes: Annotated[int, Field(ge=1, le=2)] | None = None
    """NUMA cells of the host that vCPUs and memory come from (Nova's hw:numa_nodes): 1, all from one; 2, half from
    each of two; any mix when absent."""


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


class FlavorGPU(Model):
    """GPUs of one kind that a VM of this flavor is given whole."""

    name: ShortName
    """Name of the entry, unique in the flavor."""
    device_name: DeviceName
    """Name of the kind of device, as hosts have it in hardware.gpus, such as nvidia.com/H100."""
    count: Annotated[int, Field(ge=1, le=16)] = 1
    """GPUs of this kind."""


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
    """Active; Deprecated (works; its Ready condition names what to use instead); Obsolete (no new VM, existing ones run
    on)."""
    replacement_ref: Ref | None = None
    """The flavor to use instead; named in the messages of VMs."""


class FlavorSpec(Model):
    """The size, and how its guests behave."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        fixed_presence("rootDisk", _NEW_FLAVOR),
        fixed_presence("gpus", _NEW_FLAVOR),
    )

    cpu: Annotated[FlavorCPU, immutable("cpu", _NEW_FLAVOR)]
    """Virtual processors. Immutable."""
    memory: Annotated[FlavorMemory, immutable("memory", _NEW_FLAVOR)]
    """Memory. Immutable."""
    root_disk: Annotated[FlavorDisk | None, immutable("rootDisk", _NEW_FLAVOR)] = None
    """Root disk; absent for VMs that boot from a volume. Immutable."""
    gpus: Annotated[tuple[FlavorGPU, ...], ListMap(("name",)), Field(max_length=8), immutable("gpus", _NEW_FLAVOR)] = ()
    """GPUs. Immutable."""
    network: FlavorNetwork = FlavorNetwork()
    """Share of the host's network card."""
    traits: Traits = Traits()
    """Traits a host must and must not have."""
    node_selector: NodeSelector = Field(default_factory=dict)
    """Hosts with these labels only, beside the VM's own selector."""
    tolerations: Tolerations = ()
    """Taints that do not keep VMs of this flavor off a host, beside the VM's own."""
    model: WorkloadModel = WorkloadModel()
    """How the modelled guest writes its memory."""
    lifecycle: FlavorLifecycle = FlavorLifecycle()
    """Whether new VMs may use the flavor."""


class FlavorCapacity(Model):
    """How many more VMs of the flavor fit."""

    placeable: Count = 0
    """VMs that fit now, one after another."""
    placeable_after_host_failure: Count = 0
    """VMs that fit after the loss of the host whose loss costs most."""
    limiting_resource: Annotated[str, Field(max_length=64)] | None = None
    """What runs out first, such as memory."""
    computed_at: Time
    """When this was counted."""


class FlavorStatus(Status):
    """What the operator knows of a flavor."""

    phase: FlavorPhase | None = None
    """spec.lifecycle.state, or Terminating."""
    instances: Count = 0
    """Virtual machines of this flavor."""
    capacity: FlavorCapacity | None = None
    """How many more fit."""


class Flavor(Resource[FlavorSpec, FlavorStatus]):
    """A named VM size: vCPUs, memory, root disk, GPUs, bandwidth, the hosts it needs and how its guests use memory."""

    KIND: ClassVar[str] = "Flavor"
    PLURAL: ClassVar[str] = "flavors"
    SINGULAR: ClassVar[str] = "flavor"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("flv",)
    NAMESPACED: ClassVar[bool] = False
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("CPU", ".spec.cpu.guest", "integer"),
        Column("Memory", ".spec.memory.guest"),
        Column("Disk", ".spec.rootDisk.size"),
        Column("GPUs", ".spec.gpus[0].count", "integer", 1),
        Column("VMs", ".status.instances", "integer"),
        Column("Placeable", ".status.capacity.placeable", "integer"),
        Column("Limit", ".status.capacity.limitingResource", priority=1),
        Column("State", ".status.phase"),
    )

    spec: FlavorSpec
    status: FlavorStatus = FlavorStatus()
