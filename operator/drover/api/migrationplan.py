"""MigrationPlan: the migration of many VMs: a list, a selection, or everything on one host."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from drover.api.meta import Model, Resource, Status, Time
from drover.api.migrationsettings import MigrationSettings
from drover.api.quantity import Duration
from drover.api.scheduling import LabelSelector
from drover.api.schema import (
    Bytes,
    Column,
    Count,
    ListMap,
    Message,
    NamespaceName,
    NodeSelector,
    ObjectName,
    Percent,
    Rule,
    Text,
    duration_rule,
    name_at_most,
)
from drover.api.virtualmachinemigration import (
    FailureReason,
    MigrationPhase,
    MigrationPriority,
    Quantiles,
    Verdict,
)

PlanMode = Literal["Execute", "DryRun"]
PlanApproval = Literal["Automatic", "Manual"]
PlanOrder = Literal["SmallestFirst", "LargestFirst", "ShortestDowntimeFirst", "PriorityFirst", "AsListed"]
FailurePolicy = Literal["Continue", "Stop", "Rollback"]
PlanPhase = Literal[
    "Pending",
    "Planned",
    "AwaitingApproval",
    "Queued",
    "Migrating",
    "PreCopy",
    "StopAndCopy",
    "PostCopy",
    "Commitment",
    "Activation",
    "Cancelling",
    "Succeeded",
    "PartiallySucceeded",
    "Failed",
    "Cancelled",
    "Superseded",
    "Expired",
]
WavePhase = Literal["Pending", "Running", "Completed"]
PlanMigrationReason = Literal[
    FailureReason, "NoTarget", "AlreadySatisfied", "VirtualMachineNotFound", "HomeUnavailable"
]
NOT_BEGUN: tuple[PlanPhase, ...] = ("Pending", "Planned", "AwaitingApproval", "Queued")
WORK_BEGUN: tuple[PlanPhase, ...] = tuple(phase for phase in get_args(PlanPhase) if phase not in NOT_BEGUN)
"""Phases in which what is to be moved can no longer be changed."""
MAX_VMS = 500
"""VMs in one plan: what its status can list."""


def _once_begun(rule: str, message: str) -> Rule:
    """A rule that holds from the first migration on."""
    phases = ",".join(f"'{phase}'" for phase in WORK_BEGUN)
    before = f"!has(oldSelf.status) || !has(oldSelf.status.phase) || !(oldSelf.status.phase in [{phases}])"
    return Rule(f"{before} || ({rule})", message)


def _frozen(field: str) -> Rule:
    return _once_begun(
        f"has(self.spec.{field}) == has(oldSelf.spec.{field})"
        f" && (!has(self.spec.{field}) || self.spec.{field} == oldSelf.spec.{field})",
        f"spec.{field} is frozen once execution has begun: set spec.cancel and create a new plan",
    )


def _positive(field: str, example: str) -> Rule:
    return duration_rule("duration(self) > duration('0s')", f"{field} must be above 0, such as {example}")


class PlannedVirtualMachine(Model):
    """One VM of the plan."""

    name: ObjectName
    """Name of the VM, in the plan's namespace."""
    target_host_name: ObjectName | None = None
    """The host to move it to; chosen by placement when absent."""


class PlanTarget(Model):
    """Where VMs without a target of their own may go."""

    host_names: Annotated[tuple[ObjectName, ...], Field(max_length=64)] = ()
    """These hosts only; any when absent."""
    node_pool_name: ObjectName | None = None
    """Hosts of this pool only; the VM's present pool when absent."""
    node_selector: NodeSelector = Field(default_factory=dict)
    """Hosts with these labels only."""
    exclude_hosts: Annotated[tuple[ObjectName, ...], Field(max_length=64)] = ()
    """None of these hosts."""


class PlanLimits(Model):
    """Limits beside those of the pool and its hosts."""

    max_concurrent: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Migrations of this plan at a time."""
    max_total_downtime: Annotated[Duration, _positive("limits.maxTotalDowntime", "30s")] | None = None
    """Most pause of all its VMs together, model time. A plan that is predicted to need more does not begin; once so
    much has been spent, nothing new starts."""
    max_duration: Annotated[Duration, _positive("limits.maxDuration", "30m")] | None = None
    """Most time from its first migration on, model time. A plan that is predicted to need more (nine times in ten
    less) does not begin; once so much has gone by, nothing new starts."""


class PlanWindow(Model):
    """When migrations may start."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule("has(self.notBefore) || has(self.notAfter)", "set window.notBefore, window.notAfter or both"),
        Rule(
            "!has(self.notBefore) || !has(self.notAfter) || self.notBefore < self.notAfter",
            "window.notBefore must precede window.notAfter",
        ),
    )

    not_before: Time | None = None
    """No migration starts before this instant."""
    not_after: Time | None = None
    """None starts from this instant on; what is under way ends, and the plan has then expired."""


class PlanRetry(Model):
    """Trying failed migrations again."""

    limit: Annotated[int, Field(ge=0, le=10)] = 2
    """How often each VM's migration is tried again."""
    backoff: Annotated[
        Duration,
        duration_rule("duration(self) >= duration('1s')", "retry.backoff must be at least 1s, such as 20s"),
    ] = Duration("20s")
    """Wait before the first retry; it doubles each time."""


class MigrationPlanSpec(Model):
    """What to move, where to, and how carefully."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.virtualMachines), has(self.selector), has(self.hostName)].filter(x, x).size() == 1",
            "set exactly one of virtualMachines, selector, hostName",
        ),
        Rule(
            "!self.approved || self.approval == 'Manual'",
            "approved is only meaningful with approval Manual: set approval: Manual or remove approved",
        ),
    )

    mode: PlanMode = "Execute"
    """DryRun stops at Planned, with targets and an estimate, and moves nothing."""
    virtual_machines: (
        Annotated[tuple[PlannedVirtualMachine, ...], ListMap(("name",)), Field(min_length=1, max_length=MAX_VMS)] | None
    ) = None
    """These VMs."""
    selector: LabelSelector | None = None
    """The VMs of this namespace whose labels match."""
    host_name: ObjectName | None = None
    """Every VM on this host (a drain); works in the operator's namespace only."""
    target: PlanTarget = PlanTarget()
    """Where VMs without a target of their own may go."""
    approval: PlanApproval = "Automatic"
    """Manual: planned, then nothing starts until approved is true."""
    approved: bool = False
    """True: the plan may begin (approval Manual)."""
    priority: MigrationPriority = "UserTriggered"
    """Priority of its migrations."""
    order: PlanOrder = "PriorityFirst"
    """Whose turn comes first: by memory, by the pause predicted, by the VMs' priorityClassName (highest first), or as
    spec.virtualMachines lists them. VMs that are equal in that go as listed, else by namespace and name."""
    window: PlanWindow | None = None
    """When migrations may start; at any time when absent."""
    limits: PlanLimits = PlanLimits()
    """Limits beside those of the pool and its hosts; can be changed while the plan runs."""
    failure_policy: FailurePolicy = "Continue"
    """When a VM could not be moved, retries spent. Continue: the others go on. Stop: nothing new starts. Rollback:
    what runs is cancelled, and the VMs moved so far go home."""
    retry: PlanRetry = PlanRetry()
    """Trying failed migrations again."""
    policy_name: ObjectName | None = None
    """The MigrationPolicy of its migrations; for each VM the most specific that matches it when absent."""
    overrides: MigrationSettings | None = None
    """Settings that replace those of the MigrationPolicy, field by field."""
    paused: bool = False
    """True: nothing new starts; what is under way ends."""
    cancel: Annotated[bool, Rule("self || !oldSelf", "cancel cannot be withdrawn: create a new MigrationPlan")] = False
    """True: nothing new starts, and what is under way is cancelled unless it is too late."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31_536_000)] | None = None
    """Seconds after its end (for a DryRun, after it was planned) at which the plan and its migrations are deleted;
    unset: it stays. Leave it unset where a Git repository holds the plan: it would be created and run again."""


Instant = Annotated[str, Field(max_length=40)]
"""An instant that may lie ahead, RFC 3339; kubectl shows a date in the future as <invalid>, hence text."""


class PlanEstimate(Model):
    """What the whole plan should take, in model time."""

    duration_seconds: Quantiles | None = None
    """From the first migration's start to the last one's end."""
    downtime_milliseconds: Quantiles | None = None
    """The longest pause of any VM."""
    total_downtime_milliseconds: Annotated[float, Field(ge=0)] = 0.0
    """Sum of the VMs' pauses (medians)."""
    transfer_bytes: Bytes = 0
    """Bytes to be sent."""
    concurrency: Annotated[int, Field(ge=1)] | None = None
    """Migrations at a time, where fewer than the limits allow let more guests converge on links they share."""
    waves: Count = 0
    """Groups of migrations that start one after the other."""
    start_after: Instant | None = None
    """When it can begin: when it was planned, or its window opens; once begun, when it did. RFC 3339, wall time."""
    finish_by: Instant | None = None
    """When it should be over in nine cases of ten, if it begins then. RFC 3339, wall time."""
    verdict: Verdict
    """The worst verdict of its migrations."""
    limited_by: Text | None = None
    """What limits it."""
    warnings: Annotated[tuple[Message, ...], Field(max_length=16)] = ()
    """What the user should know."""


class PlanMigration(Model):
    """One VM of the plan and its migration."""

    virtual_machine: ObjectName
    """Name of the VM."""
    namespace: NamespaceName
    """Namespace of the VM and of its migration."""
    migration: ObjectName | None = None
    """Name of the VirtualMachineMigration, once there is one."""
    phase: MigrationPhase | None = None
    """Phase of that migration; Pending before."""
    source: ObjectName | None = None
    """The host the VM is on."""
    target: ObjectName | None = None
    """The host planned."""
    wave: Count | None = None
    """The wave it is planned in, from 1."""
    estimated_start_seconds: Annotated[float, Field(ge=0)] | None = None
    """Predicted start (median) after the first migration's, model seconds."""
    estimated_seconds: Annotated[float, Field(ge=0)] | None = None
    """Predicted duration (median), model seconds."""
    estimated_downtime_ms: Annotated[float, Field(ge=0)] | None = None
    """Predicted pause (median), model milliseconds."""
    start_timestamp: Time | None = None
    """When its first migration claimed a target."""
    end_timestamp: Time | None = None
    """When its last migration ended."""
    downtime_ms: Annotated[float, Field(ge=0)] | None = None
    """Real pause, model milliseconds, once it has moved."""
    transferred_bytes: Bytes | None = None
    """Bytes sent, once it has moved."""
    verdict: Verdict | None = None
    """Whether its copy ends."""
    reason: PlanMigrationReason | None = None
    """Why it failed or was skipped."""
    attempts: Count = 0
    """Migrations begun for this VM; on its way home, those home."""
    retry_after: Time | None = None
    """When it is tried again."""
    returning: bool | None = None
    """True: it has moved and goes home to its source (failurePolicy Rollback); phase and reason are of that move."""


class PlanWave(Model):
    """Migrations planned to start together: on slots that are free at first, or that the wave before frees."""

    number: Annotated[int, Field(ge=1)]
    """Its place, from 1."""
    virtual_machines: Count
    """VMs in it."""
    phase: WavePhase
    """Pending until its first migration has begun, Completed when all its VMs have ended."""
    estimated_start_seconds: Annotated[float, Field(ge=0)] | None = None
    """Predicted start (median) after the first migration's, model seconds."""
    start_timestamp: Time | None = None
    """When its first migration had begun."""
    end_timestamp: Time | None = None
    """When its last VM had ended."""


class PlanEfficacy(Model):
    """How good the prediction was, beside result.durationErrorPercent.

    Errors are (outcome - predicted median) / predicted median, in percent.
    """

    graded: Count = 0
    """VMs that moved as predicted."""
    downtime_error_percent: float | None = None
    """Of the sum of their pauses."""
    transfer_error_percent: float | None = None
    """Of the bytes sent; absent where VMs were left behind."""
    within_band: bool | None = None
    """Whether the plan's duration lay from p10 to p90; absent where its error is."""


class PlanResult(Model):
    """What the whole plan took, in model time."""

    duration_seconds: Annotated[float, Field(ge=0)] = 0.0
    """From start to end."""
    total_downtime_milliseconds: Annotated[float, Field(ge=0)] = 0.0
    """Sum of the VMs' pauses."""
    transferred_bytes: Bytes = 0
    """Bytes sent."""
    duration_error_percent: float | None = None
    """(outcome - predicted median) / predicted median, in percent; absent where VMs were left behind, or the plan was
    held up by its user, its window or its budget."""


class MigrationPlanStatus(Status):
    """What the operator knows of a plan."""

    phase: PlanPhase | None = None
    """Where the plan is. A plan of one VM shows the phases of its copy, a plan of many Migrating."""
    total: Count = 0
    """VMs in the plan."""
    pending: Count = 0
    """Not begun."""
    active: Count = 0
    """Under way."""
    succeeded: Count = 0
    """Moved."""
    failed: Count = 0
    """Not moved, retries spent."""
    skipped: Count = 0
    """Needed no move, or cancelled before it had moved."""
    returned: Count = 0
    """Moved, and home again (failurePolicy Rollback)."""
    percent: Percent = 0
    """Share of the work done."""
    estimate: PlanEstimate | None = None
    """What was predicted."""
    plan_hash: Annotated[str, Field(max_length=64)] | None = None
    """What it was planned on: the VMs, where they are, and whether their targets can take them."""
    planned_timestamp: Time | None = None
    """When it was planned. A plan that has waited for an hour is planned anew if what it was planned on has changed."""
    start_timestamp: Time | None = None
    """When the first migration began."""
    end_timestamp: Time | None = None
    """When a final phase was reached."""
    held: bool | None = None
    """True: once begun, its user, its window or its budget kept migrations from starting for a while."""
    waves: Annotated[tuple[PlanWave, ...], ListMap(("number",)), Field(max_length=MAX_VMS)] = ()
    """Its waves, in order."""
    migrations: Annotated[
        tuple[PlanMigration, ...], ListMap(("namespace", "virtualMachine")), Field(max_length=MAX_VMS)
    ] = ()
    """Each VM and its migration, in the order in which they start."""
    result: PlanResult | None = None
    """What happened."""
    efficacy: PlanEfficacy | None = None
    """How good the prediction was."""


class MigrationPlan(Resource[MigrationPlanSpec, MigrationPlanStatus]):
    """The migration of many virtual machines, planned as a whole: a list, a selection, or all of one host."""

    KIND: ClassVar[str] = "MigrationPlan"
    PLURAL: ClassVar[str] = "migrationplans"
    SINGULAR: ClassVar[str] = "migrationplan"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("mplan",)
    RULES: ClassVar[tuple[Rule, ...]] = (
        name_at_most(63, "labels of its migrations hold it"),
        *(_frozen(field) for field in ("virtualMachines", "selector", "hostName", "target", "mode", "overrides")),
        _once_begun(
            "self.spec.approval != 'Manual' || self.spec.approved",
            "approved cannot be withdrawn once execution has begun: set spec.paused, or spec.cancel",
        ),
    )
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Phase", ".status.phase"),
        Column("VMs", ".status.total", "integer"),
        Column("Done", ".status.succeeded", "integer"),
        Column("Failed", ".status.failed", "integer"),
        Column("%", ".status.percent", "integer"),
        Column("Est-s", ".status.estimate.durationSeconds.p50", "number"),
        Column("Est-downtime-ms", ".status.estimate.downtimeMilliseconds.p90", "number"),
        Column("Verdict", ".status.estimate.verdict"),
        Column("Mode", ".spec.mode", priority=1),
        Column("Priority", ".spec.priority", priority=1),
        Column("Finish-by", ".status.estimate.finishBy", priority=1),
    )
    SELECTABLE: ClassVar[tuple[str, ...]] = (".status.phase", ".spec.hostName")

    spec: MigrationPlanSpec
    status: MigrationPlanStatus = MigrationPlanStatus()
