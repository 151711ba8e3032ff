"""The shape of a modelled host, shared by NodePool (the template) and Host (the instance)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.meta import Model
from drover.api.quantity import Quantity, Ratio
from drover.api.schema import Labels, ListMap, Rule, ShortName, above_zero, ratio_rule

NICRole = Literal["Tenant", "Migration", "Storage", "Shared"]

AllocationRatio = Annotated[Ratio, ratio_rule("double(self) >= 0.1", "overcommit ratios must be at least 0.1")]


class HostCPU(Model):
    """Processors of a host."""

    sockets: Annotated[int, Field(ge=1, le=16)] = 2
    """Processor sockets."""
    cores_per_socket: Annotated[int, Field(ge=1, le=512)]
    """Cores of each socket."""
    threads_per_core: Annotated[int, Field(ge=1, le=8)] = 2
    """Hardware threads of each core."""


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
    """A host's processors, memory, disk and cards, and how far they are overcommitted."""

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
    nics: Annotated[tuple[NIC, ...], ListMap(("name",)), Field(max_length=8)] = ()
    """Network cards; without a Migration or Shared one nothing can be migrated live."""
    overcommit: Overcommit = Overcommit()
    """Allocation ratios."""
    reserved: Reserved = Reserved()
    """What the host keeps for itself."""
    labels: Labels = Field(default_factory=dict)
    """Labels that nodeSelector of VMs and plans match."""


class ResourceAmounts(Model):
    """Amounts of what VMs use."""

    cpu: Quantity = Quantity("0")
    """vCPUs (hardware threads for capacity)."""
    memory: Quantity = Quantity("0")
    """Memory."""
    disk: Quantity = Quantity("0")
    """Local disk."""
