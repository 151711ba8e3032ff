"""MigrationPlan: the migration of many VMs: a list, a selection, or everything on one host."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.meta import Model, Resource, Status, Time
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
PlanPhase = Literal[
    "Pending",
    "Planned",
    "Queued",
    "Migrating",
    "PreCopy",
    "StopAndCopy",
    "Commitment",
    "Activation",
    "Cancelling",
    "Succeeded",
    "PartiallySucceeded",
    "Failed",
    "Cancelled",
]
PlanMigrationReason = Literal[FailureReason, "NoTarget", "AlreadySatisfied", "VirtualMachineNotFound"]
WORK_BEGUN: tuple[PlanPhase, ...] = (
    "Migrating",
    "PreCopy",
    "StopAndCopy",
    "Commitment",
    "Activation",
    "Cancelling",
    "Succeeded",
    "PartiallySucceeded",
    "Failed",
    "Cancelled",
)
"""Phases in which what is to be moved can no longer be changed."""


def _frozen(field: str) -> Rule:
    phases = ",".join(f"'{phase}'" for phase in WORK_BEGUN)
    return Rule(
        "!has(oldSelf.status) || !has(oldSelf.status.phase)"
        f" || !(oldSelf.status.phase in [{phases}])"
        f" || (has(self.spec.{field}) == has(oldSelf.spec.{field})"
        f" && (!has(self.spec.{field}) || self.spec.{field} == oldSelf.spec.{field}))",
        f"spec.{field} is frozen once execution has begun: set spec.cancel and create a new plan",
    )


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
    )

    mode: PlanMode = "Execute"
    """DryRun stops at Planned, with targets and an estimate, and moves nothing."""
    virtual_machines: (
        Annotated[tuple[PlannedVirtualMachine, ...], ListMap(("name",)), Field(min_length=1, max_length=500)] | None
    ) = None
    """These VMs."""
    selector: LabelSelector | None = None
    """The VMs of this namespace whose labels match."""
    host_name: ObjectName | None = None
    """Every VM on this host (a drain); works in the operator's namespace only."""
    target: PlanTarget = PlanTarget()
    """Where VMs without a target of their own may go."""
    priority: MigrationPriority = "UserTriggered"
    """Priority of its migrations."""
    limits: PlanLimits = PlanLimits()
    """Limits beside those of the pool and its hosts; can be changed while the plan runs."""
    retry: PlanRetry = PlanRetry()
    """Trying failed migrations again."""
    paused: bool = False
    """True: nothing new starts; what is under way ends."""
    cancel: Annotated[bool, Rule("self || !oldSelf", "cancel cannot be withdrawn: create a new MigrationPlan")] = False
    """True: nothing new starts, and what is under way is cancelled unless it is too late."""


class PlanEstimate(Model):
    """What the whole plan should take, in model time."""

    duration_seconds: Quantiles | None = None
    """From the first migration's start to the last one's end."""
    downtime_milliseconds: Quantiles | None = None
    """The longest pause of any VM."""
    transfer_bytes: Bytes = 0
    """Bytes to be sent."""
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
    estimated_seconds: Annotated[float, Field(ge=0)] | None = None
    """Predicted duration (median), model seconds."""
    estimated_downtime_ms: Annotated[float, Field(ge=0)] | None = None
    """Predicted pause (median), model milliseconds."""
    verdict: Verdict | None = None
    """Whether its copy ends."""
    reason: PlanMigrationReason | None = None
    """Why it failed or was skipped."""
    attempts: Count = 0
    """Migrations begun for this VM."""
    retry_after: Time | None = None
    """When it is tried again."""


class PlanResult(Model):
    """What the whole plan took, in model time."""

    duration_seconds: Annotated[float, Field(ge=0)] = 0.0
    """From start to end."""
    total_downtime_milliseconds: Annotated[float, Field(ge=0)] = 0.0
    """Sum of the VMs' pauses."""
    transferred_bytes: Bytes = 0
    """Bytes sent."""
    duration_error_percent: float | None = None
    """(outcome - predicted median) / predicted median, in percent."""


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
    """Needed no move, or cancelled before it began."""
    percent: Percent = 0
    """Share of the work done."""
    estimate: PlanEstimate | None = None
    """What was predicted."""
    start_timestamp: Time | None = None
    """When the first migration began."""
    end_timestamp: Time | None = None
    """When a final phase was reached."""
    migrations: Annotated[
        tuple[PlanMigration, ...], ListMap(("namespace", "virtualMachine")), Field(max_length=500)
    ] = ()
    """Each VM and its migration."""
    result: PlanResult | None = None
    """What happened."""


class MigrationPlan(Resource[MigrationPlanSpec, MigrationPlanStatus]):
    """The migration of many virtual machines, planned as a whole: a list, a selection, or all of one host."""

    KIND: ClassVar[str] = "MigrationPlan"
    PLURAL: ClassVar[str] = "migrationplans"
    SINGULAR: ClassVar[str] = "migrationplan"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("mplan",)
    RULES: ClassVar[tuple[Rule, ...]] = (
        name_at_most(63, "labels of its migrations hold it"),
        *(_frozen(field) for field in ("virtualMachines", "selector", "hostName", "target", "mode")),
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
    )
    SELECTABLE: ClassVar[tuple[str, ...]] = (".status.phase", ".spec.hostName")

    spec: MigrationPlanSpec
    status: MigrationPlanStatus = MigrationPlanStatus()
