"""The shape of a modelled host, shared by NodePool (the template) and Host (the instance)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.meta import Model
from drover.api.quantity import Quantity, Ratio
from drover.api.scheduling import Taints, Trait
from drover.api.schema import Count, Labels, ListMap, ListSet, Rule, ShortName, above_zero, ratio_rule

NICRole = Literal["Tenant", "Migration", "Storage", "Shared"]

AllocationRatio = Annotated[Ratio, ratio_rule("double(self) >= 0.1", "overcommit ratios must be at least 0.1")]

CPUModel = Annotated[str, Field(min_length=1, max_length=64)]
"""A named CPU model, as libvirt names them: ``Cascadelake-Server``, ``EPYC-Milan``."""

DeviceName = Annotated[str, Field(min_length=1, max_length=253)]
"""The name of a kind of device, as KubeVirt names them: ``nvidia.com/H100``."""

DeviceCounts = Annotated[dict[str, Count], Field(max_length=8)]
"""Device names to numbers of them."""


class HostCPU(Model):
    """Processors of a host."""

    model: CPUModel | None = None
    """CPU model, which decides between which hosts a running guest can move."""
    sockets: Annotated[int, Field(ge=1, le=16)] = 2
    """Processor sockets. Each socket is one NUMA cell, with an equal share of the host's memory."""
    cores_per_socket: Annotated[int, Field(ge=1, le=512)]
    """Cores of each socket."""
    threads_per_core: Annotated[int, Field(ge=1, le=8)] = 2
    """Hardware threads of each core."""


class HostGPU(Model):
    """The GPUs of one kind in a host."""

    device_name: DeviceName
    """Name of the kind of device, which flavors ask for, such as nvidia.com/H100."""
    count: Annotated[int, Field(ge=1, le=64)]
    """How many the host has."""


class NIC(Model):
    """A network card of a host."""

    name: ShortName
    """Name of the card, unique on the host."""
    bandwidth: Annotated[
        Quantity,
        above_zero("nics[].bandwidth"),
    ]
    """Bytes per second, each way."""
    role: NICRole = "Shared"
    """What it carries; Migration and Shared cards carry live migrations."""


class Overcommit(Model):
    """Allocation ratios: how much more may be given to guests than is there."""

    cpu: AllocationRatio = Ratio("4.0")
    """vCPUs per hardware thread."""
    memory: AllocationRatio = Ratio("1.0")
    """Guest memory per byte of memory."""
    disk: AllocationRatio = Ratio("1.0")
    """Guest disk per byte of disk."""


class Reserved(Model):
    """What the host keeps for itself, taken off before the allocation ratio applies."""

    cpu: Quantity = Quantity("0")
    """Hardware threads."""
    memory: Quantity = Quantity("512Mi")
    """Memory."""
    disk: Quantity = Quantity("0")
    """Local disk."""


class Hardware(Model):
    """A host's processors, memory, disk, GPUs and cards, and how far they are overcommitted."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!isQuantity(self.reserved.memory) || !isQuantity(self.memory)"
            " || quantity(self.reserved.memory).compareTo(quantity(self.memory)) < 0",
            "reserved.memory must be below memory: lower reserved.memory (512Mi by default) or raise memory",
        ),
        Rule(
            "!isQuantity(self.reserved.disk) || !isQuantity(self.disk)"
            " || quantity(self.reserved.disk).compareTo(quantity(self.disk)) <= 0",
            "reserved.disk must not be above disk: lower reserved.disk or raise disk",
        ),
        Rule(
            "!isQuantity(self.reserved.cpu) || quantity(self.reserved.cpu).asApproximateFloat()"
            " < double(self.cpu.sockets * self.cpu.coresPerSocket * self.cpu.threadsPerCore)",
            "reserved.cpu must be below the host's hardware threads (sockets x cores x threads)",
        ),
    )

    cpu: HostCPU
    """Processors."""
    memory: Quantity
    """Memory."""
    disk: Quantity = Quantity("0")
    """Local disk, which root disks of VMs use."""
    gpus: Annotated[tuple[HostGPU, ...], ListMap(("deviceName",)), Field(max_length=8)] = ()
    """GPUs, by the name of their kind."""
    nics: Annotated[tuple[NIC, ...], ListMap(("name",)), Field(max_length=8)] = ()
    """Network cards; without a Migration or Shared one nothing can be migrated live."""
    overcommit: Overcommit = Overcommit()
    """Allocation ratios."""
    reserved: Reserved = Reserved()
    """What the host keeps for itself."""
    labels: Labels = Field(default_factory=dict)
    """Labels that nodeSelector of VMs, flavors and plans match."""
    taints: Taints = ()
    """What keeps VMs off the host unless they tolerate it."""
    traits: Annotated[tuple[Trait, ...], ListSet(), Field(max_length=64)] = ()
    """Qualities that flavors and images require or forbid, such as HW_CPU_X86_AVX512F."""


class ResourceAmounts(Model):
    """Amounts of what VMs use."""

    cpu: Quantity = Quantity("0")
    """vCPUs (hardware threads for capacity)."""
    memory: Quantity = Quantity("0")
    """Memory."""
    disk: Quantity = Quantity("0")
    """Local disk."""
    gpus: DeviceCounts = Field(default_factory=dict)
    """GPUs by the name of their kind."""
