"""NodePool: a set of equal modelled hosts and how VMs are placed and migrated among them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.hardware import CPUModel, Hardware, ResourceAmounts
from drover.api.meta import Model, Resource, Status
from drover.api.quantity import Ratio
from drover.api.schema import Column, Count, ListMap, Rule, Scale, ShortName, name_at_most, ratio_rule

AdmissionPolicy = Literal["Disabled", "HostFailures", "Percentage"]
PlacementStrategy = Literal["Balance", "Pack"]
DriverType = Literal["Simulated"]
NodePoolPhase = Literal["Pending", "Ready", "Degraded", "Terminating"]

Weight = Annotated[int, Field(ge=0, le=100)]


class FailureDomain(Model):
    """A zone."""

    name: ShortName
    """Name of the zone."""
    weight: Annotated[int, Field(ge=1, le=100)] = 1
    """Its share of the hosts, against the other zones' weights."""
    racks: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Racks that the zone's hosts are dealt over in turn, named r1, r2 and so on; no racks when absent."""


class PlacementWeights(Model):
    """How much each resource counts in a host's score."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.cpu + self.memory + self.disk + self.network > 0",
            "placement.weights must not all be 0: raise one of cpu, memory, disk, network",
        ),
    )

    cpu: Weight = 1
    """Weight of CPU."""
    memory: Weight = 1
    """Weight of memory."""
    disk: Weight = 0
    """Weight of local disk."""
    network: Weight = 0
    """Weight of network bandwidth."""


class PoolPlacement(Model):
    """How a host is chosen among those that fit."""

    strategy: PlacementStrategy = "Balance"
    """Balance: the emptiest host. Pack: the fullest one that fits."""
    weights: PlacementWeights = PlacementWeights()
    """How much each resource counts."""


class AdmissionControl(Model):
    """Capacity kept free so that the VMs of failed hosts can be restarted."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.policy != 'Percentage' || has(self.percent)",
            "admissionControl.policy Percentage needs admissionControl.percent: the share to keep free, 1 to 99",
        ),
    )

    policy: AdmissionPolicy = "Disabled"
    """Disabled; HostFailures (the VMs of so many hosts still fit on the rest); Percentage (so much stays free).
    A VM that would break it is not placed."""
    host_failures_to_tolerate: Annotated[int, Field(ge=1, le=31)] = 1
    """Hosts that may fail, for HostFailures."""
    percent: Annotated[int, Field(ge=1, le=99)] | None = None
    """Share of allocatable CPU and memory kept free, for Percentage."""


class PoolMigration(Model):
    """Limits of live migration in this pool."""

    parallel_migrations_per_pool: Annotated[int, Field(ge=1, le=1000)] = 5
    """Migrations at a time in the whole pool."""
    parallel_outbound_migrations_per_host: Annotated[int, Field(ge=1, le=100)] = 2
    """Migrations at a time away from one host."""
    parallel_inbound_migrations_per_host: Annotated[int, Field(ge=1, le=100)] = 2
    """Migrations at a time onto one host."""
    bandwidth_share: Annotated[
        Ratio,
        ratio_rule("double(self) > 0.0 && double(self) <= 1.0", "migration.bandwidthShare must be above 0, at most 1"),
    ] = Ratio("0.8")
    """Share of the migration card that migrations may use, above 0 to 1."""


class PoolDriver(Model):
    """What runs the VMs."""

    type: DriverType = "Simulated"
    """Simulated: guests and hosts are modelled."""
    time_scale: Annotated[
        Ratio, ratio_rule("double(self) > 0.0", "driver.timeScale must be above 0; 1 is real time")
    ] = Ratio("1")
    """Model seconds per wall-clock second: 10 makes boots, copies and timeouts ten times shorter."""
    seed: Count = 0
    """Seed of everything random in the model."""


class NodePoolSpec(Model):
    """The hosts wanted and the pool's rules."""

    replicas: Annotated[int, Field(ge=0, le=10000)] = 1
    """Hosts wanted; kubectl scale sets it. Scaling down removes empty hosts first and drains the rest."""
    template: Hardware
    """Hardware of each new host; hosts that exist keep theirs."""
    failure_domains: Annotated[tuple[FailureDomain, ...], ListMap(("name",)), Field(max_length=32)] = ()
    """Zones the hosts are spread over by weight."""
    cpu_baseline: CPUModel | None = None
    """CPU model presented to every VM of the pool, so that it can run on and move to any of its hosts; without it
    a VM sees its host's model."""
    placement: PoolPlacement = PoolPlacement()
    """How a host is chosen among those that fit."""
    admission_control: AdmissionControl = AdmissionControl()
    """Capacity kept free for the VMs of failed hosts."""
    migration: PoolMigration = PoolMigration()
    """Limits of live migration."""
    driver: PoolDriver = PoolDriver()
    """What runs the VMs."""


class Utilization(Model):
    """Allocated share of what can be allocated."""

    cpu_percent: Count = 0
    """Allocated vCPUs, percent of allocatable."""
    memory_percent: Count = 0
    """Allocated memory, percent of allocatable."""


class Failover(Model):
    """Host failures the pool can take."""

    tolerated: Count = 0
    """Hosts that may fail, the largest first, with all their VMs restarted on the rest."""
    required: Count = 0
    """Hosts that admission control wants to be able to lose."""


class NodePoolStatus(Status):
    """What the operator knows of a pool."""

    phase: NodePoolPhase | None = None
    """Degraded: some hosts are not ready."""
    replicas: Count = 0
    """Hosts that exist."""
    ready_replicas: Count = 0
    """Hosts that are Ready."""
    selector: Annotated[str, Field(max_length=256)] | None = None
    """Label selector of the pool's hosts, for the scale subresource."""
    capacity: ResourceAmounts | None = None
    """What the hosts have."""
    allocatable: ResourceAmounts | None = None
    """What VMs may be given: (capacity - reserved) x overcommit, of ready hosts."""
    allocated: ResourceAmounts | None = None
    """What VMs and migration targets hold."""
    virtual_machines: Count = 0
    """VMs on the hosts."""
    failover: Failover | None = None
    """Host failures the pool can take; absent while admission control is Disabled."""
    utilization: Utilization | None = None
    """Allocated share of allocatable."""


class NodePool(Resource[NodePoolSpec, NodePoolStatus]):
    """A pool of equal modelled hosts: it makes Hosts from a template and says how VMs are placed on them."""

    KIND: ClassVar[str] = "NodePool"
    PLURAL: ClassVar[str] = "nodepools"
    SINGULAR: ClassVar[str] = "nodepool"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("npool",)
    NAMESPACED: ClassVar[bool] = False
    RULES: ClassVar[tuple[Rule, ...]] = (name_at_most(57, "its hosts are named after it, and labels hold 63"),)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("State", ".status.phase"),
        Column("Desired", ".spec.replicas", "integer"),
        Column("Hosts", ".status.replicas", "integer"),
        Column("Ready", ".status.readyReplicas", "integer"),
        Column("CPU%", ".status.utilization.cpuPercent", "integer"),
        Column("Mem%", ".status.utilization.memoryPercent", "integer"),
        Column("VMs", ".status.virtualMachines", "integer"),
        Column("Failover", ".status.failover.tolerated", "integer"),
        Column("Strategy", ".spec.placement.strategy", priority=1),
    )
    SCALE: ClassVar[Scale | None] = Scale(".spec.replicas", ".status.replicas", ".status.selector")

    spec: NodePoolSpec
    status: NodePoolStatus = NodePoolStatus()
