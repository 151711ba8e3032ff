"""VirtualMachineMigration: one live migration of one VM."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.hardware import DeviceCounts
from drover.api.meta import Model, Resource, Status, Time
from drover.api.migrationsettings import MigrationSettings
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
MigrationMode = Literal["PreCopy", "PostCopy", "Paused"]
MigrationPhase = Literal[
    "Pending",
    "Scheduling",
    "Scheduled",
    "PreparingTarget",
    "TargetReady",
    "PreCopy",
    "StopAndCopy",
    "PostCopy",
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
    "PostCopyInterrupted",
]
BlockedBy = Literal["ClusterLimit", "OutboundLimit", "InboundLimit", "Capacity", "Policy", "Window", "Plan", "None"]
Verdict = Literal["Converges", "ConvergesWithLongerDowntime", "DoesNotConverge", "Blocked"]
AbortStatus = Literal["Aborting", "Succeeded", "Failed"]

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
        fixed_presence("preferredTargetHostName", _NEW_MIGRATION),
        fixed_presence("turn", _NEW_MIGRATION),
        fixed_presence("planName", "the plan sets it when it creates the migration"),
        fixed_presence("planNamespace", "the plan sets it when it creates the migration"),
    )

    virtual_machine_name: Annotated[ObjectName, immutable("virtualMachineName", _NEW_MIGRATION)]
    """The VM to move, in this namespace. Immutable."""
    target_host_name: Annotated[ObjectName | None, immutable("targetHostName", _NEW_MIGRATION)] = None
    """The host to move it to; chosen by placement when absent. Immutable."""
    preferred_target_host_name: Annotated[ObjectName | None, immutable("preferredTargetHostName", _NEW_MIGRATION)] = (
        None
    )
    """The host to move it to if it still fits there, else placement chooses; a plan sets it to what it planned.
    Immutable."""
    added_node_selector: Annotated[NodeSelector | None, immutable("addedNodeSelector", _NEW_MIGRATION)] = None
    """Labels the target must carry beside the VM's own selector. Immutable."""
    priority: MigrationPriority = "UserTriggered"
    """Its place in the queue."""
    policy_name: ObjectName | None = None
    """The MigrationPolicy it is done by, read when the copy begins; the most specific that matches the VM when
    absent."""
    turn: Annotated[int | None, Field(ge=0), immutable("turn", _NEW_MIGRATION)] = None
    """Its place among migrations of one priority created in the same second: what a plan orders. Immutable."""
    plan_name: Annotated[ObjectName | None, immutable("planName", _NEW_MIGRATION)] = None
    """The MigrationPlan that made it. Immutable."""
    plan_namespace: Annotated[NamespaceName | None, immutable("planNamespace", _NEW_MIGRATION)] = None
    """Namespace of that plan. Immutable."""
    cancel: Annotated[
        bool, Rule("self || !oldSelf", "cancel cannot be withdrawn: create a new VirtualMachineMigration")
    ] = False
    """True: give up and leave the VM on its source; too late once the guest may run on the target
    (PostCopy, Commitment)."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31_536_000)] | None = None
    """Seconds after its end at which this object is deleted; unset: it stays among the newest 5 of its VM."""


class MigrationClaim(Model):
    """What the migration holds on its target while the VM is still on its source."""

    vcpus: Count = 0
    """vCPUs."""
    memory_bytes: Bytes = 0
    """Memory."""
    disk_bytes: Bytes = 0
    """Local disk."""
    bandwidth_bytes_per_second: Bytes = 0
    """Share of the target's network card, in bytes a second."""
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
    throttle_percent: Percent = 0
    """How much auto-converge slows the guest's CPUs."""
    downtime_limit_milliseconds: Annotated[float, Field(ge=0)] | None = None
    """The pause allowed at present; it rises with the ramp."""
    eta_seconds: Annotated[float, Field(ge=0)] | None = None
    """Model seconds to the end, as far as known."""
    elapsed_seconds: Annotated[float, Field(ge=0)] = 0.0
    """Model seconds since the copy began."""
    last_update_time: Time | None = None
    """When these figures were true."""


class Quantiles(Model):
    """Quantiles of a prediction."""

    p10: Annotated[float, Field(ge=0)] | None = None
    """Not reached in one of ten."""
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
    """The guest's pause, as the source counts it."""
    blackout_milliseconds: Quantiles | None = None
    """From the guest's pause to its first instruction on the target, with what still waits on the link."""
    passes: Count = 0
    """Pre-copy passes (median)."""
    bandwidth_bytes_per_second: Bytes = 0
    """Bandwidth assumed."""
    verdict: Verdict
    """Whether the copy ends: Converges, ConvergesWithLongerDowntime than is allowed, DoesNotConverge, or Blocked
    (cannot begin)."""
    reason: Text | None = None
    """The rule expected to end the passes."""
    message: Message | None = None
    """The verdict with its numbers, and what would help."""
    limited_by: Text | None = None
    """What limits it, such as the dirty rate or a host's card."""
    warnings: Annotated[tuple[Message, ...], Field(max_length=16)] = ()
    """What the user should know."""


class MigrationResult(Model):
    """What happened, in model time, beside what was predicted."""

    downtime_milliseconds: Annotated[float, Field(ge=0)] = 0.0
    """The guest's pause, as the source counts it."""
    blackout_milliseconds: Annotated[float, Field(ge=0)] | None = None
    """From the guest's pause to its first instruction on the target, with what still waited on the link."""
    duration_seconds: Annotated[float, Field(ge=0)] = 0.0
    """From the first pass to activation."""
    transferred_bytes: Bytes = 0
    """Bytes sent, all passes."""
    passes: Count = 0
    """Pre-copy passes."""
    verdict: Verdict | None = None
    """Whether the copy converged, and how."""
    reason: Text | None = None
    """The rule that ended the passes."""
    duration_error_percent: float | None = None
    """(outcome - predicted median) / predicted median, in percent."""
    downtime_error_percent: float | None = None
    """The same for the pause."""
    transfer_error_percent: float | None = None
    """The same for the bytes sent."""


class MigrationQueue(Model):
    """Why the migration waits."""

    position: Count = 0
    """Place in the queue when this was written, from 1; 0 when not queued. A change of place alone is not written."""
    blocked_by: BlockedBy = "None"
    """What it waits for; None where nothing does."""
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
    """UID of the VM, so that a later one of the same name is not taken for it."""
    start_timestamp: Time | None = None
    """When the target was claimed."""
    end_timestamp: Time | None = None
    """When a final phase was reached."""
    mode: MigrationMode | None = None
    """PreCopy while the guest runs on the source, Paused while it does not run, PostCopy while it runs on the target
    and pulls its pages."""
    policy_name: ObjectName | None = None
    """The MigrationPolicy it is done by; absent where none matches."""
    settings: MigrationSettings | None = None
    """What that policy and the plan's overrides said when the copy began; they hold to its end."""
    transition_started_at: Time | None = None
    """When the driver's work of the present phase began."""
    checkpoint: Annotated[str, Field(max_length=8192)] | None = None
    """What the modelled hypervisor needs to go on after the operator restarts."""
    progress: MigrationProgress | None = None
    """How far the copy is."""
    estimate: MigrationEstimate | None = None
    """What was predicted."""
    result: MigrationResult | None = None
    """What the move took, beside what was predicted; absent until the copy has ended."""
    queue: MigrationQueue | None = None
    """Why it waits, and its place in the line."""
    abort_requested: bool = False
    """Cancelling was asked for and is under way."""
    abort_status: AbortStatus | None = None
    """What became of a request to cancel; Failed: it came too late."""
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
        Column("Policy", ".status.policyName", priority=1),
        Column("Blocked-by", ".status.queue.blockedBy"),
        Column("Reason", ".status.failureReason"),
    )
    SELECTABLE: ClassVar[tuple[str, ...]] = (".spec.virtualMachineName", ".spec.planName", ".status.phase")

    spec: VirtualMachineMigrationSpec
    status: VirtualMachineMigrationStatus = VirtualMachineMigrationStatus()
