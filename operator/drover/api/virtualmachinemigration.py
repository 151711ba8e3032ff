"""VirtualMachineMigration: one live migration of one VM."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.hardware import DeviceCounts
from drover.api.meta import Model, Resource, Status, Time
from drover.api.schema import (
    Bytes,
    Column,
    Count,
    Message,
    NamespaceName,
    NodeSelector,
    ObjectName,
    Percent,
    Rule,
    Text,
    fixed_presence,
    immutable,
)

MigrationPriority = Literal["SystemCritical", "UserTriggered", "SystemMaintenance"]
MigrationMode = Literal["PreCopy", "Paused"]
MigrationPhase = Literal[
    "Pending",
    "Scheduling",
    "Scheduled",
    "PreparingTarget",
    "TargetReady",
    "PreCopy",
    "StopAndCopy",
    "Commitment",
    "Activation",
    "Succeeded",
    "Failed",
    "Cancelled",
]
FailureReason = Literal[
    "TargetUnschedulable",
    "TargetPreparationTimeout",
    "NotConverging",
    "CompletionTimeout",
    "ProgressTimeout",
    "TargetHostFailed",
    "SourceHostFailed",
    "LinkFailed",
    "VirtualMachineStopped",
    "VirtualMachineDeleted",
    "OtherMigrationInProgress",
    "NotMigratable",
    "Cancelled",
]
BlockedBy = Literal["ClusterLimit", "OutboundLimit", "InboundLimit", "Bandwidth", "Capacity", "None"]
Verdict = Literal["Converges", "DoesNotConverge", "Blocked"]

_NEW_MIGRATION = "cancel this migration and create another"


class VirtualMachineMigrationSpec(Model):
    """The move wanted."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!(has(self.targetHostName) && has(self.addedNodeSelector))",
            "targetHostName and addedNodeSelector exclude each other: remove one",
        ),
        fixed_presence("targetHostName", _NEW_MIGRATION),
        fixed_presence("addedNodeSelector", _NEW_MIGRATION),
        fixed_presence("planName", "the plan sets it when it creates the migration"),
        fixed_presence("planNamespace", "the plan sets it when it creates the migration"),
    )

    virtual_machine_name: Annotated[ObjectName, immutable("virtualMachineName", _NEW_MIGRATION)]
    """The VM to move, in this namespace. Immutable."""
    target_host_name: Annotated[ObjectName | None, immutable("targetHostName", _NEW_MIGRATION)] = None
    """The host to move it to; chosen by placement when absent. Immutable."""
    added_node_selector: Annotated[NodeSelector | None, immutable("addedNodeSelector", _NEW_MIGRATION)] = None
    """Labels the target must carry beside the VM's own selector. Immutable."""
    priority: MigrationPriority = "UserTriggered"
    """Its place in the queue."""
    plan_name: Annotated[ObjectName | None, immutable("planName", _NEW_MIGRATION)] = None
    """The MigrationPlan that made it. Immutable."""
    plan_namespace: Annotated[NamespaceName | None, immutable("planNamespace", _NEW_MIGRATION)] = None
    """Namespace of that plan. Immutable."""
    cancel: Annotated[
        bool, Rule("self || !oldSelf", "cancel cannot be withdrawn: create a new VirtualMachineMigration")
    ] = False
    """True: give up and leave the VM on its source; too late once Commitment is reached."""


class MigrationClaim(Model):
    """What the migration holds on its target while the VM is still on its source."""

    vcpus: Count = 0
    """vCPUs."""
    memory_bytes: Bytes = 0
    """Memory."""
    disk_bytes: Bytes = 0
    """Local disk."""
    bandwidth_bytes_per_second: Bytes = 0
    """Network share."""
    milli_threads: Count = 0
    """Hardware threads taken whole, in thousandths, in place of vCPUs at the host's ratio."""
    gpus: DeviceCounts = Field(default_factory=dict)
    """GPUs by the name of their kind."""
    numa_cells: Annotated[tuple[Count, ...], Field(max_length=16)] = ()
    """NUMA cells of the target, from 0."""


class MigrationProgress(Model):
    """How far the copy is."""

    percent: Percent = 0
    """Elapsed share of elapsed plus remaining time; never falls; 99 until the guest runs on the target."""
    iteration: Count = 0
    """The pre-copy pass under way, from 1."""
    total_bytes: Bytes = 0
    """Memory to be copied, once."""
    processed_bytes: Bytes = 0
    """Sent so far, all passes."""
    remaining_bytes: Bytes = 0
    """Still to be sent in this pass."""
    dirty_rate_bytes_per_second: Bytes = 0
    """How fast the guest dirties memory."""
    bandwidth_bytes_per_second: Bytes = 0
    """How fast memory is sent."""
    eta_seconds: Annotated[float, Field(ge=0)] | None = None
    """Model seconds to the end, as far as known."""
    elapsed_seconds: Annotated[float, Field(ge=0)] = 0.0
    """Model seconds since the copy began."""


class Quantiles(Model):
    """Two quantiles of a prediction."""

    p50: Annotated[float, Field(ge=0)]
    """Median."""
    p90: Annotated[float, Field(ge=0)]
    """Reached in nine of ten."""


class MigrationEstimate(Model):
    """What was predicted before the copy began, in model time."""

    transfer_bytes: Bytes = 0
    """Bytes to be sent, all passes (median)."""
    duration_seconds: Quantiles | None = None
    """From the first pass to activation."""
    downtime_milliseconds: Quantiles | None = None
    """The guest's pause."""
    passes: Count = 0
    """Pre-copy passes (median)."""
    bandwidth_bytes_per_second: Bytes = 0
    """Bandwidth assumed."""
    verdict: Verdict
    """Whether the copy ends: Converges, DoesNotConverge, or Blocked (cannot begin)."""
    limited_by: Text | None = None
    """What limits it, such as the dirty rate or a host's card."""
    warnings: Annotated[tuple[Message, ...], Field(max_length=16)] = ()
    """What the user should know."""


class MigrationResult(Model):
    """What happened, in model time, beside what was predicted."""

    downtime_milliseconds: Annotated[float, Field(ge=0)] = 0.0
    """The guest's pause."""
    duration_seconds: Annotated[float, Field(ge=0)] = 0.0
    """From the first pass to activation."""
    transferred_bytes: Bytes = 0
    """Bytes sent, all passes."""
    passes: Count = 0
    """Pre-copy passes."""
    duration_error_percent: float | None = None
    """(outcome - predicted median) / predicted median, in percent."""
    downtime_error_percent: float | None = None
    """The same for the pause."""


class MigrationQueue(Model):
    """Why the migration waits."""

    position: Count = 0
    """Place in the queue, from 1; 0 when not queued."""
    blocked_by: BlockedBy = "None"
    """What is missing."""
    message: Message | None = None
    """What is missing, with counts."""


class VirtualMachineMigrationStatus(Status):
    """What the operator knows of a migration."""

    phase: MigrationPhase | None = None
    """Where the migration is; Succeeded, Failed and Cancelled are final."""
    source_host: ObjectName | None = None
    """The host the VM was on."""
    target_host: ObjectName | None = None
    """The host it goes to. Capacity is claimed there while the VM is still on its source."""
    resources: MigrationClaim | None = None
    """What is claimed on the target."""
    vm_uid: Annotated[str | None, Field(alias="vmUID", max_length=64)] = None
    """UID of the VM, so that one made anew under the same name is told apart."""
    start_timestamp: Time | None = None
    """When the target was claimed."""
    end_timestamp: Time | None = None
    """When a final phase was reached."""
    mode: MigrationMode | None = None
    """PreCopy while the guest runs, Paused while the last pages are sent."""
    transition_started_at: Time | None = None
    """When the driver's work of the present phase began."""
    progress: MigrationProgress | None = None
    """How far the copy is."""
    estimate: MigrationEstimate | None = None
    """What was predicted."""
    result: MigrationResult | None = None
    """What happened."""
    queue: MigrationQueue | None = None
    """Why it waits."""
    abort_requested: bool = False
    """Cancelling was asked for and is under way."""
    failure_reason: FailureReason | None = None
    """Why it failed, as one word of a closed set."""
    attempts: Count = 0
    """Copies begun."""
    leader_epoch: Count | None = None
    """The operator instance that last owned this object, for fencing."""


class VirtualMachineMigration(Resource[VirtualMachineMigrationSpec, VirtualMachineMigrationStatus]):
    """One live migration of one virtual machine: target claimed, memory copied in passes, guest switched."""

    KIND: ClassVar[str] = "VirtualMachineMigration"
    PLURAL: ClassVar[str] = "virtualmachinemigrations"
    SINGULAR: ClassVar[str] = "virtualmachinemigration"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("vmm", "vmms")
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("VM", ".spec.virtualMachineName"),
        Column("Phase", ".status.phase"),
        Column("Progress", ".status.progress.percent", "integer"),
        Column("Source", ".status.sourceHost"),
        Column("Target", ".status.targetHost"),
        Column("ETA-s", ".status.progress.etaSeconds", "number"),
        Column("Downtime-ms", ".status.result.downtimeMilliseconds", "number"),
        Column("Pass", ".status.progress.iteration", "integer", 1),
        Column("Mode", ".status.mode", priority=1),
        Column("Priority", ".spec.priority", priority=1),
        Column("Blocked-by", ".status.queue.blockedBy"),
        Column("Reason", ".status.failureReason"),
    )
    SELECTABLE: ClassVar[tuple[str, ...]] = (".spec.virtualMachineName", ".spec.planName", ".status.phase")

    spec: VirtualMachineMigrationSpec
    status: VirtualMachineMigrationStatus = VirtualMachineMigrationStatus()
