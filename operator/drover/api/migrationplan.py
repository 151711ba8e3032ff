"""MigrationPlan: the migration of many VMs: a list, a selection, or everything on one host."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.meta import Model, Resource, Time
from drover.api.migrationplanstatus import MAX_VMS, WORK_BEGUN, MigrationPlanStatus
from drover.api.migrationsettings import MigrationSettings
from drover.api.quantity import Duration
from drover.api.scheduling import LabelSelector
from drover.api.schema import (
    Column,
    ListMap,
    NodeSelector,
    ObjectName,
    Rule,
    duration_rule,
    name_at_most,
)
from drover.api.virtualmachinemigration import MigrationPriority

PlanMode = Literal["Execute", "DryRun"]
PlanApproval = Literal["Automatic", "Manual"]
PlanOrder = Literal["SmallestFirst", "LargestFirst", "ShortestDowntimeFirst", "PriorityFirst", "AsListed"]
FailurePolicy = Literal["Continue", "Stop", "Rollback"]


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
    """The VMs to move, by name."""
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
            "(oldSelf.spec.approval == 'Manual' && !oldSelf.spec.approved)"  # ended without approval: it can still go
            " || self.spec.approval != 'Manual' || self.spec.approved",
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
