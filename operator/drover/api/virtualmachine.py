"""VirtualMachine: what a tenant asks for, and what the operator made of it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.flavor import DirtyNoise, ZeroPageRatio
from drover.api.hardware import CPUModel, DeviceCounts
from drover.api.meta import Model, NamespacedRef, Ref, Resource, Status, Time
from drover.api.quantity import BigInteger, Quantity
from drover.api.scheduling import AffinityTerm, Tolerations, TopologySpread
from drover.api.schema import (
    Bytes,
    Column,
    Count,
    ListMap,
    NamespacedName,
    NodeSelector,
    ObjectName,
    Rule,
    ShortName,
    Text,
    above_zero,
    fixed_presence,
    immutable,
    name_at_most,
)
from drover.api.usage import MAX_PENDING, PendingUsage
from drover.api.volume import ReclaimPolicy

RunStrategy = Literal["Always", "RerunOnFailure", "Once", "Manual", "Halted"]
RestartPriority = Literal["Highest", "High", "Medium", "Low", "Lowest"]
EvictionStrategy = Literal["LiveMigrate", "LiveMigrateIfPossible", "None"]
VirtualMachinePhase = Literal[
    "Pending",
    "Provisioning",
    "Scheduling",
    "Starting",
    "Running",
    "Paused",
    "Migrating",
    "Stopping",
    "Stopped",
    "CrashLoopBackOff",
    "Unschedulable",
    "Failed",
    "Terminating",
    "Unknown",
]
LastMigrationResult = Literal["Succeeded", "Failed", "Cancelled"]

_NEW_VM = "create a new VirtualMachine"


class VolumeTemplate(Model):
    """A volume the VM makes and owns."""

    size: Annotated[
        Quantity,
        above_zero("volumes[].template.size"),
    ]
    """Size of the volume made."""
    class_name: ShortName | None = None
    """Storage class; standard when absent."""
    image_ref: NamespacedRef | None = None
    """The image it is filled with; empty when absent."""
    reclaim_policy: ReclaimPolicy | None = None
    """Retain: it stays when the VM is deleted, and a VM of the same name takes it up again. Delete when absent."""


class VirtualMachineVolume(Model):
    """A disk of the VM."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.volumeRef) != has(self.template)",
            "set exactly one of volumeRef (a Volume that exists) and template (a Volume to make)",
        ),
    )

    name: ShortName
    """Name of the disk, unique in the VM."""
    volume_ref: Ref | None = None
    """A Volume of this namespace."""
    template: (
        Annotated[
            VolumeTemplate,
            immutable("volumes[].template", "to grow the disk, raise spec.size of the Volume made from it"),
        ]
        | None
    ) = None
    """A Volume to make, owned by the VM. Immutable."""
    boot_order: Annotated[int, Field(ge=1, le=32)] | None = None
    """1: the VM boots from this disk and needs no imageRef."""


class VirtualMachineNetwork(Model):
    """An interface of the VM."""

    name: ShortName
    """Name of the interface, unique in the VM."""
    network_ref: NamespacedRef
    """The Network; one of another namespace must be shared."""
    subnet: ShortName | None = None
    """Subnet the address comes from; the first with a free one when absent."""
    ip_address: (
        Annotated[
            str,
            Field(max_length=45),
            Rule("isIP(self) && ip(self).family() == 4", "ipAddress must be an IPv4 address, such as 10.0.0.20"),
        ]
        | None
    ) = None
    """An address asked for; any free one when absent."""
    mac_address: (
        Annotated[
            str,
            Field(max_length=17),
            Rule(
                "self.matches('^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$')",
                "macAddress must be a unicast address of six lower-case pairs, such as 52:54:00:12:34:56",
            ),
        ]
        | None
    ) = None
    """A MAC asked for; derived from the VM's UID when absent."""


class VirtualMachinePlacement(Model):
    """Where the VM may run."""

    node_pool_name: ObjectName | None = None
    """Hosts of this pool only; of any pool when absent."""
    node_selector: NodeSelector = Field(default_factory=dict)
    """Hosts with these labels only."""
    tolerations: Tolerations = ()
    """Taints that do not keep the VM off a host."""
    placement_group_name: ObjectName | None = None
    """The PlacementGroup of this namespace that the VM is a member of."""
    affinity: Annotated[tuple[AffinityTerm, ...], Field(max_length=8)] = ()
    """Near or away from other VMs of this namespace."""
    topology_spread: Annotated[tuple[TopologySpread, ...], Field(max_length=4)] = ()
    """Evenly over hosts, racks or zones with other VMs of this namespace."""


class HighAvailability(Model):
    """What happens when the host fails."""

    enabled: bool = True
    """True: the VM is restarted on another host."""
    restart_priority: RestartPriority = "Medium"
    """Its place in the order in which the VMs of a failed host are restarted."""
    max_restarts: Annotated[int, Field(ge=0, le=100)] = 5
    """Host failures in 24 h it is restarted for; after so many it is not. 0: never."""


class WorkloadModelOverride(Model):
    """How the modelled guest writes its memory, where it differs from the flavor's model."""

    hot_set: Quantity | None = None
    """Memory rewritten faster than one pass can send (the writable working set)."""
    dirty_rate: Quantity | None = None
    """Unique memory dirtied outside the hot set, in bytes per second."""
    zero_page_ratio: ZeroPageRatio | None = None
    """Share of memory that is zero pages; 0 to 1."""
    dirty_noise: DirtyNoise | None = None
    """Log-normal sigma of the hot set between passes."""


class VirtualMachineSpec(Model):
    """The VM wanted."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.imageRef) || (has(self.volumes) && self.volumes.exists(v, has(v.bootOrder) && v.bootOrder == 1))",
            "nothing to boot from: set imageRef or give one of volumes bootOrder 1",
        ),
        fixed_presence("imageRef", _NEW_VM),
    )

    run_strategy: RunStrategy = "Always"
    """Always; RerunOnFailure (not after a clean stop); Once; Manual (by the annotation drover.dev/action);
    Halted (stopped)."""
    flavor_ref: Ref
    """The Flavor; changing it resizes the VM at its next start."""
    image_ref: Annotated[NamespacedRef | None, immutable("imageRef", _NEW_VM)] = None
    """The Image it boots from; absent for a VM that boots from a volume. Immutable."""
    volumes: Annotated[tuple[VirtualMachineVolume, ...], ListMap(("name",)), Field(max_length=32)] = ()
    """Disks beside the root disk."""
    networks: Annotated[tuple[VirtualMachineNetwork, ...], ListMap(("name",)), Field(max_length=16)] = ()
    """Interfaces; the first one's address is status.primaryIP."""
    placement: VirtualMachinePlacement = VirtualMachinePlacement()
    """Where the VM may run."""
    priority_class_name: ObjectName | None = None
    """A PriorityClass of scheduling.k8s.io: VMs that wait are placed highest priority first; 0, or the priority of
    the class that is globalDefault, when absent."""
    preemptible: bool = False
    """True: a VM of higher priority may stop this one to take its place."""
    eviction_strategy: EvictionStrategy = "LiveMigrate"
    """When its host is drained: LiveMigrate (must move, or the drain is blocked); LiveMigrateIfPossible (else
    it is stopped and started elsewhere); None (stopped and started elsewhere)."""
    high_availability: HighAvailability = HighAvailability()
    """What happens when the host fails."""
    deletion_protection: bool = False
    """True: the API server refuses to delete the VM."""
    model: WorkloadModelOverride | None = None
    """How the modelled guest writes its memory; the flavor's model for what is absent."""
    paused: bool = False
    """True: the guest's vCPUs stand still; memory and place are kept."""


class ResolvedFlavor(Model):
    """The size the VM was started with."""

    name: ObjectName
    """Name of the flavor."""
    generation: Count = 0
    """Its metadata.generation."""
    vcpus: Count = 0
    """vCPUs."""
    memory_bytes: Bytes = 0
    """Memory."""
    root_disk_bytes: Bytes = 0
    """Root disk on the host."""
    bandwidth_bytes_per_second: Bytes = 0
    """Share of the host's network card, in bytes a second."""
    milli_threads: Count = 0
    """Hardware threads taken whole, in thousandths, where the flavor's CPUs are dedicated or have an allocation ratio
    of their own; the vCPUs are then not charged at the host's ratio."""
    numa_nodes: Count = 0
    """NUMA cells that vCPUs and memory come from; 0 = any mix."""
    gpus: DeviceCounts = Field(default_factory=dict)
    """GPUs by the name of their kind."""
    cpu_model: CPUModel | None = None
    """CPU model the flavor asks for."""


class Interface(Model):
    """An interface and its address, kept while the VM exists."""

    name: ShortName
    """Name of the interface."""
    ip_address: Annotated[str, Field(max_length=45)]
    """Its address."""
    mac: Annotated[str, Field(max_length=17)]
    """Its MAC."""
    network: NamespacedName
    """The network, as namespace/name."""
    subnet: ShortName
    """The subnet the address is from."""


class AttachedVolume(Model):
    """A disk and the Volume behind it."""

    name: ShortName
    """Name of the disk."""
    volume: ObjectName
    """Name of the Volume."""
    phase: Annotated[str, Field(max_length=32)] | None = None
    """The Volume's phase when the VM last looked."""


class HostScore(Model):
    """A host and its score."""

    host: ObjectName
    """Name of the host."""
    score: float
    """0 to 1, higher is better."""
    parts: Annotated[dict[str, float], Field(default_factory=dict, max_length=8)]
    """What the score is the sum of."""


class PlacementDecision(Model):
    """How the host was chosen, or why none was."""

    decided_at: Time
    """When. A live migration later changes nothing here."""
    host_name: ObjectName | None = None
    """The host chosen; absent where none fits."""
    strategy: Annotated[str, Field(max_length=32)] | None = None
    """The pool's strategy."""
    weights: Annotated[dict[str, int], Field(default_factory=dict, max_length=8)]
    """The pool's weights: with the strategy, the profile that decided."""
    score: float | None = None
    """Score of the host chosen, 0 to 1."""
    evaluated: Count = 0
    """Hosts looked at."""
    feasible: Count = 0
    """Hosts that fit."""
    rejections: Annotated[dict[str, int], Field(default_factory=dict, max_length=32)]
    """Reason to number of hosts rejected for it."""
    top_hosts: Annotated[tuple[HostScore, ...], Field(max_length=5)] = ()
    """The best hosts."""
    would_fit_if: Annotated[tuple[Text, ...], Field(max_length=4)] = ()
    """The smallest changes, each tried alone, with which it would fit, and on how many hosts."""
    preempts: Annotated[tuple[NamespacedName, ...], Field(max_length=32)] = ()
    """VMs of lower priority stopped to make room, as namespace/name."""
    nominated_host_name: ObjectName | None = None
    """The host where they make room."""


class MigrationSummary(Model):
    """The VM's migrations."""

    current: ObjectName | None = None
    """The VirtualMachineMigration under way."""
    last: ObjectName | None = None
    """The one that ended last."""
    last_result: LastMigrationResult | None = None
    """How that one ended."""
    count_24h: Annotated[Count, Field(alias="count24h")] = 0
    """Live moves in the 24 h (model time) before the last migration ended."""
    moved_at: Annotated[tuple[Time, ...], Field(max_length=100)] = ()
    """When these were, newest last; at most 100 are kept."""


class OpenUsage(Model):
    """The usage interval that is running: what is charged since when."""

    seq: Count
    """Number of the interval; (VM uid, seq) is its key for ever."""
    since: Time
    """Its start; it ends where the next one starts."""
    phase: VirtualMachinePhase
    """Running, also while migrating; or the phase that accrues disk only."""
    flavor: ObjectName
    """Name of the flavor."""
    vcpus: Count = 0
    """vCPUs charged."""
    memory_bytes: Bytes = 0
    """Memory charged."""
    disk_bytes: Bytes = 0
    """Root disk charged."""
    zone: ShortName | None = None
    """The failure domain."""


class ClosedUsage(Model):
    """Totals of the intervals that have ended, exact integers."""

    through_seq: Count = 0
    """The last interval that is in these totals."""
    vcpu_millis: BigInteger = 0
    """vCPU-milliseconds."""
    memory_byte_millis: BigInteger = 0
    """Byte-milliseconds of memory."""
    disk_byte_millis: BigInteger = 0
    """Byte-milliseconds of root disk."""
    instance_millis: BigInteger = 0
    """Milliseconds the VM ran."""
    migration_bytes: BigInteger = 0
    """Bytes sent by its live migrations."""


class Usage(Model):
    """What the VM used, written in the same PATCH as the phase it follows from."""

    open: OpenUsage | None = None
    """The interval that is running."""
    closed: ClosedUsage = ClosedUsage()
    """Totals of those that have ended."""
    pending: Annotated[tuple[PendingUsage, ...], Field(max_length=MAX_PENDING)] = ()
    """Those that have ended and are not in a UsageRecord yet, oldest first; normally none."""


class VirtualMachineStatus(Status):
    """What the operator knows of a VM. Host, addresses and volumes here are the claims themselves."""

    phase: VirtualMachinePhase | None = None
    """Where the VM is in its life."""
    host_name: ObjectName | None = None
    """The host it runs on and is charged to; absent when stopped."""
    node_pool_name: ObjectName | None = None
    """The pool of that host."""
    failure_domain: ShortName | None = None
    """The zone of that host."""
    numa_cells: Annotated[tuple[Count, ...], Field(max_length=16)] = ()
    """NUMA cells it holds on that host, from 0; none where its flavor names no numaNodes."""
    cpu_model: CPUModel | None = None
    """CPU model its guest was given at boot."""
    primary_ip: Annotated[str | None, Field(alias="primaryIP", max_length=45)] = None
    """Address of the first interface."""
    flavor: ResolvedFlavor | None = None
    """The size it was started with."""
    interfaces: Annotated[tuple[Interface, ...], ListMap(("name",)), Field(max_length=16)] = ()
    """Interfaces and their addresses, kept across stops, restarts and migrations."""
    volumes: Annotated[tuple[AttachedVolume, ...], ListMap(("name",)), Field(max_length=32)] = ()
    """Disks and the Volumes behind them."""
    placement: PlacementDecision | None = None
    """How the host was chosen, or why none was."""
    migration: MigrationSummary | None = None
    """The VM's migrations."""
    usage: Usage | None = None
    """What the VM used."""
    last_start_time: Time | None = None
    """When the guest last began to run."""
    boot_attempt: Count = 0
    """Boots begun since the VM was made."""
    transition_started_at: Time | None = None
    """When the driver's work of the present phase began."""
    restarts: Count = 0
    """Restarts after crashes and host failures."""
    host_failures: Annotated[tuple[Time, ...], Field(max_length=100)] = ()
    """Host failures of the last 24 h it was restarted for, newest last."""
    last_action: Annotated[str, Field(max_length=128)] | None = None
    """Token of the last drover.dev/action (verb@token) carried out."""
    leader_epoch: Count | None = None
    """The operator instance that last owned this object, for fencing."""


class VirtualMachine(Resource[VirtualMachineSpec, VirtualMachineStatus]):
    """A virtual machine: a flavor, something to boot from, disks, networks, and how it is kept running."""

    KIND: ClassVar[str] = "VirtualMachine"
    PLURAL: ClassVar[str] = "virtualmachines"
    SINGULAR: ClassVar[str] = "virtualmachine"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("vm", "vms")
    RULES: ClassVar[tuple[Rule, ...]] = (name_at_most(63, "labels hold it"),)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Status", ".status.phase"),
        Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        Column("Flavor", ".spec.flavorRef.name"),
        Column("Host", ".status.hostName"),
        Column("IP", ".status.primaryIP"),
        Column("Uptime", ".status.lastStartTime", "date"),
        Column("Reason", ".status.conditions[?(@.type=='Ready')].reason", priority=1),
        Column("Migratable", ".status.conditions[?(@.type=='LiveMigratable')].status", priority=1),
        Column("Zone", ".status.failureDomain", priority=1),
    )
    SELECTABLE: ClassVar[tuple[str, ...]] = (
        ".spec.flavorRef.name",
        ".status.hostName",
        ".status.phase",
        ".status.nodePoolName",
    )

    spec: VirtualMachineSpec
    status: VirtualMachineStatus = VirtualMachineStatus()
