"""What the operator knows of a MigrationPlan: its phase, its VMs, what was predicted and what happened."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from drover.api.meta import Model, Status, Time
from drover.api.schema import Bytes, Count, ListMap, Message, NamespaceName, ObjectName, Percent, Text
from drover.api.virtualmachinemigration import FailureReason, MigrationPhase, Quantiles, Verdict

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
    """What keeps the plan from being shorter: Capacity, DirtyRate, Concurrency or None."""
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
    """VMs whose migration has not begun."""
    active: Count = 0
    """VMs whose migration is under way."""
    succeeded: Count = 0
    """VMs that have moved."""
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
    """What the plan took, beside status.estimate; absent until it has ended."""
    efficacy: PlanEfficacy | None = None
    """How good the prediction was."""
