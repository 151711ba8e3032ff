"""What keeps a plan's migrations from starting: its pause, its window, its budget. What is under way ends all the same.

The plan asks before it creates migrations, and a migration that waits for a slot asks before it claims its target.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import WORK_BEGUN, PlanMigration
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.conditions import Verdict, false, true
from drover.control.driver import Pace
from drover.control.migrationplan.entries import has_ended
from drover.control.world import World

MILLISECOND = 1e-3


class Hold(NamedTuple):
    reason: Literal["AwaitingApproval", "Paused", "WindowNotOpen", "WindowClosed", "BudgetExceeded"]
    message: str
    until: datetime | None = None
    """When the clock lifts it."""


def has_begun(plan: MigrationPlan) -> bool:
    return plan.status.phase in WORK_BEGUN


def hold_of(plan: MigrationPlan, entries: Sequence[PlanMigration], world: World, now: datetime) -> Hold | None:
    """Why nothing may start now; None where it may. The way home is held by a pause alone."""
    paused = Hold("Paused", "spec.paused is true: set it to false to go on") if plan.spec.paused else None
    if any(entry.returning for entry in entries):
        return paused
    window = _window_hold(plan, now)
    if window is not None and window.reason == "WindowClosed":
        return window
    return paused or _approval_hold(plan) or window or _budget_hold(plan, entries, world, now)


def hold_on(migration: VirtualMachineMigration, world: World, now: datetime) -> Hold | None:
    """The same for one of a plan's migrations, which asks while it waits."""
    spec = migration.spec
    plan = world.plan(spec.plan_namespace or migration.namespace, spec.plan_name) if spec.plan_name else None
    return hold_of(plan, plan.status.migrations, world, now) if plan is not None else None


def steers(plan: MigrationPlan) -> object:
    """What of a plan may lift a hold, but for the clock."""
    spec = plan.spec
    return spec.paused, spec.approved, spec.window, spec.limits, plan.status.is_true("WithinBudget"), has_begun(plan)


def next_edge(plan: MigrationPlan, entries: Sequence[PlanMigration], world: World, now: datetime) -> datetime | None:
    """When the clock alone changes what may start."""
    window = plan.spec.window
    edges = [window.not_before, window.not_after] if window is not None else []
    limit, since = plan.spec.limits.max_duration, plan.status.start_timestamp
    if limit is not None and since is not None:
        edges.append(since + pace_of(entries, world).wall(limit.seconds))
    return min((edge for edge in edges if edge is not None and edge > now), default=None)


def pace_of(entries: Sequence[PlanMigration], world: World) -> Pace:
    """How fast model time passes where the plan's VMs are."""
    source = next((host for entry in entries if (host := world.host(entry.source)) is not None), None)
    return world.pace(source.spec.pool_ref.name if source is not None else None)


def told_time(at: datetime) -> str:
    """RFC 3339 in whole seconds; never before the instant."""
    whole = at if at.microsecond == 0 else at.replace(microsecond=0) + timedelta(seconds=1)
    return whole.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _approval_hold(plan: MigrationPlan) -> Hold | None:
    if has_begun(plan) or plan.spec.approval != "Manual" or plan.spec.approved:
        return None
    patch = """'{"spec":{"approved":true}}'"""
    mend = f"approve it: kubectl patch mplan {plan.name} -n {plan.namespace} --type=merge -p {patch}"
    return Hold("AwaitingApproval", mend)


# The window


def window_verdicts(plan: MigrationPlan, now: datetime) -> tuple[Verdict, ...]:
    """WithinWindow, for a plan that has one."""
    window = plan.spec.window
    if window is None:
        return ()
    hold = _window_hold(plan, now)
    if hold is not None:
        reason = "NotYetOpen" if hold.reason == "WindowNotOpen" else "Closed"
        return (false("WithinWindow", reason, hold.message),)
    until = f"until {told_time(window.not_after)}" if window.not_after is not None else "for good"
    return (true("WithinWindow", "Open", f"migrations may start {until}"),)


def _window_hold(plan: MigrationPlan, now: datetime) -> Hold | None:
    window = plan.spec.window
    if window is None:
        return None
    if window.not_before is not None and now < window.not_before:
        message = f"the window opens at {told_time(window.not_before)} (spec.window.notBefore)"
        return Hold("WindowNotOpen", message, window.not_before)
    if window.not_after is not None and now >= window.not_after:
        mend = "create a new plan with another window"
        return Hold(
            "WindowClosed", f"the window closed at {told_time(window.not_after)} (spec.window.notAfter): {mend}"
        )
    return None


# The budget


def budget_verdicts(
    plan: MigrationPlan, entries: Sequence[PlanMigration], world: World, now: datetime
) -> tuple[Verdict, ...]:
    """WithinBudget, for a plan that has one."""
    limits = plan.spec.limits
    if limits.max_total_downtime is None and limits.max_duration is None:
        return ()
    hold = _budget_hold(plan, entries, world, now)
    if hold is not None:
        return (false("WithinBudget", "Spent" if has_begun(plan) else "TooSmall", hold.message),)
    told = []
    if limits.max_total_downtime is not None:
        verb = "spent" if has_begun(plan) else "predicted"
        pause = _spent(entries) if has_begun(plan) else _predicted_downtime(plan)
        told.append(f"{pause:.1f} s of limits.maxTotalDowntime {limits.max_total_downtime} {verb}")
    if limits.max_duration is not None:
        told.append(f"{_predicted_duration(plan):.0f} s of limits.maxDuration {limits.max_duration} predicted")
    return (true("WithinBudget", "Within", ", ".join(told)),)


def _predicted_downtime(plan: MigrationPlan) -> float:
    estimate = plan.status.estimate
    return estimate.total_downtime_milliseconds * MILLISECOND if estimate is not None else 0.0


def _spent(entries: Sequence[PlanMigration]) -> float:
    return sum(entry.downtime_ms or 0.0 for entry in entries) * MILLISECOND


def _predicted_duration(plan: MigrationPlan) -> float:
    estimate = plan.status.estimate
    return estimate.duration_seconds.p90 if estimate is not None and estimate.duration_seconds is not None else 0.0


def _budget_hold(plan: MigrationPlan, entries: Sequence[PlanMigration], world: World, now: datetime) -> Hold | None:
    return _spent_budget(plan, entries, world, now) if has_begun(plan) else _small_budget(plan)


def _small_budget(plan: MigrationPlan) -> Hold | None:
    limits, pause, duration = plan.spec.limits, _predicted_downtime(plan), _predicted_duration(plan)
    if limits.max_total_downtime is not None and pause > limits.max_total_downtime.seconds:
        message = (
            f"its VMs should pause for {pause:.3f} s together, limits.maxTotalDowntime is {limits.max_total_downtime}: "
            f"raise it to {pause + MILLISECOND:.3f}s or more, or move fewer VMs"
        )
        return Hold("BudgetExceeded", message)
    if limits.max_duration is not None and duration > limits.max_duration.seconds:
        message = (
            f"it should take {duration:.0f} s (p90), limits.maxDuration is {limits.max_duration}: "
            f"raise it to {duration + 1:.0f}s or more, or move fewer VMs"
        )
        return Hold("BudgetExceeded", message)
    return None


def _spent_budget(plan: MigrationPlan, entries: Sequence[PlanMigration], world: World, now: datetime) -> Hold | None:
    limits, since, spent = plan.spec.limits, plan.status.start_timestamp, _spent(entries)
    left = sum(not has_ended(entry) and entry.migration is None for entry in entries)
    if limits.max_total_downtime is not None and spent >= limits.max_total_downtime.seconds:
        message = (
            f"its VMs have paused for {spent:.3f} s together, limits.maxTotalDowntime is {limits.max_total_downtime}: "
            f"raise it for the {left} not begun, or set spec.cancel"
        )
        return Hold("BudgetExceeded", message)
    if limits.max_duration is not None and since is not None:
        end = since + pace_of(entries, world).wall(limits.max_duration.seconds)
        if now >= end:
            message = (
                f"limits.maxDuration {limits.max_duration} was used up at {told_time(end)}: "
                f"raise it for the {left} not begun, or set spec.cancel"
            )
            return Hold("BudgetExceeded", message)
    return None
