"""Host: one modelled hypervisor. NodePools make them; people cordon, drain, power and break them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.hardware import Hardware, ResourceAmounts
from drover.api.meta import Model, NamespacedRef, Ref, Resource, Status
from drover.api.scheduling import Taints
from drover.api.schema import Bytes, Column, Count, Message, ShortName, Text, immutable
from drover.api.virtualmachinemigration import MigrationPriority

MaintenanceMode = Literal["None", "Drain"]
PowerState = Literal["On", "Off"]
FaultType = Literal["None", "Crash", "NetworkPartition"]
HostPhase = Literal["Ready", "NotReady", "Draining", "Maintenance", "Off", "Failed"]


class Maintenance(Model):
    """Taking the host out of service."""

    mode: MaintenanceMode = "None"
    """Drain: migrate every VM away, then hold the host in maintenance. None: back in service; what has not
    started is cancelled."""
    reason: Text | None = None
    """Why, for people."""
    priority: MigrationPriority = "SystemCritical"
    """Priority of the drain's migrations."""


class Fault(Model):
    """A fault to inject."""

    type: FaultType = "None"
    """Crash: the host fails at once. NetworkPartition: its VMs run on, but nobody reaches it, so it is fenced.
    Either way its VMs restart elsewhere where highAvailability is enabled."""


class HostSpec(Model):
    """The host's place, hardware and administrative state."""

    pool_ref: Annotated[Ref, immutable("poolRef", "delete the host; its pool makes another")]
    """The NodePool it belongs to. Immutable."""
    failure_domain: ShortName | None = None
    """The zone it stands in."""
    rack: ShortName | None = None
    """The rack in its failure domain; racks of the same name in different zones are different racks."""
    unschedulable: bool = False
    """True (cordoned): no new VM is placed here; those here run on."""
    taints: Taints = ()
    """What keeps VMs off this host unless they tolerate it, beside hardware.taints."""
    hardware: Hardware
    """Processors, memory, disk, GPUs, cards, overcommit, labels, taints and traits."""
    maintenance: Maintenance = Maintenance()
    """Taking the host out of service."""
    power_state: PowerState = "On"
    """Off: the host is down, and so are the VMs on it."""
    fault: Fault = Fault()
    """A fault to inject."""


class Drain(Model):
    """How far a drain is."""

    plan_ref: NamespacedRef | None = None
    """The MigrationPlan that empties the host."""
    remaining_virtual_machines: Count = 0
    """VMs still here."""
    remaining_bytes: Bytes = 0
    """Memory still to be copied."""
    estimated_completion_time: Annotated[str, Field(max_length=40)] | None = None
    """When the host should be empty, RFC 3339; absent while VMs cannot leave."""
    blocked_by: Annotated[tuple[Message, ...], Field(max_length=64)] = ()
    """VMs that cannot leave, as namespace/name: reason; known before the first one moves."""


class HostStatus(Status):
    """What the operator knows of a host."""

    phase: HostPhase | None = None
    """Where the host is in its life."""
    capacity: ResourceAmounts | None = None
    """What the host has."""
    allocatable: ResourceAmounts | None = None
    """What VMs may be given: (capacity - reserved) x overcommit."""
    allocated: ResourceAmounts | None = None
    """What VMs and migration targets hold."""
    virtual_machines: Count = 0
    """VMs here."""
    migrations_in: Count = 0
    """Migrations onto this host under way."""
    migrations_out: Count = 0
    """Migrations away from this host under way."""
    drain: Drain | None = None
    """How far the drain is; absent when none is asked for."""


class Host(Resource[HostSpec, HostStatus]):
    """One modelled hypervisor of a NodePool, which can be cordoned, drained, switched off and broken."""

    KIND: ClassVar[str] = "Host"
    PLURAL: ClassVar[str] = "hosts"
    SINGULAR: ClassVar[str] = "host"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("hst",)
    NAMESPACED: ClassVar[bool] = False
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Pool", ".spec.poolRef.name"),
        Column("Zone", ".spec.failureDomain"),
        Column("CPU", ".status.allocated.cpu"),
        Column("Mem", ".status.allocated.memory"),
        Column("VMs", ".status.virtualMachines", "integer"),
        Column("State", ".status.phase"),
        Column("Cordoned", ".spec.unschedulable", "boolean"),
        Column("Drain", ".status.conditions[?(@.type=='Drained')].reason"),
        Column("Drain-ETA", ".status.drain.estimatedCompletionTime", priority=1),
    )
    SELECTABLE: ClassVar[tuple[str, ...]] = (".spec.poolRef.name", ".status.phase")

    spec: HostSpec
    status: HostStatus = HostStatus()
