"""Before a plan's work begins: plan it, plan it anew when what it rests on has changed, wait for leave to start."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import MAX_VMS
from drover.control.conditions import Verdict, false, true
from drover.control.migrationplan import planning
from drover.control.migrationplan.ending import finished
from drover.control.migrationplan.entries import has_ended
from drover.control.migrationplan.holding import Hold, hold_of, next_edge, pace_of, told_time
from drover.control.migrationplan.planhash import plan_hash
from drover.control.migrationplan.rivals import rivals_of
from drover.control.migrationplan.status import executing, kept, next_status
from drover.control.migrationplan.targets import scope
from drover.control.migrationplan.telling import events_of
from drover.control.migrationplan.waves import numbered
from drover.control.migrationplan.working import work
from drover.control.outcome import Event, Outcome, warning
from drover.control.policies import PolicyNotFound, policy_named
from drover.control.stage import counted, named
from drover.control.world import World

MAX_AGE = timedelta(hours=1)
"""Wall time after which a plan that waits is looked over, and again each time so much has gone by."""
INFEASIBLE = ("Blocked", "DoesNotConverge")
NAMED = 5


def prepare(plan: MigrationPlan, world: World, now: datetime) -> Outcome:
    phase = plan.status.phase
    if phase in (None, "Pending"):
        return _plan(plan, world, now)
    edited = plan.status.observed_generation != plan.metadata.generation
    if phase == "Planned":
        return _plan(plan, world, now) if edited else Outcome()
    if plan.spec.cancel:
        return work(plan, world, now)
    hold = hold_of(plan, plan.status.migrations, world, now)
    if (hold is None or edited or _is_old(plan, now)) and _is_outdated(plan, world):
        return _plan(plan, world, now)
    rivals = rivals_of(plan, world)
    if rivals:
        message = f"superseded before it began: {named(rivals)} moves its VMs; create a new plan for what is left"
        return finished(plan, world, now, plan.status.migrations, "Superseded", message)
    if hold is not None and hold.reason == "WindowClosed":
        return work(plan, world, now)
    if hold is None and phase == "Queued":
        return work(plan, world, now)
    return _waiting(plan, world, now, hold, kept(plan))


def _is_outdated(plan: MigrationPlan, world: World) -> bool:
    return plan.status.plan_hash != plan_hash(plan, plan.status.migrations, world)


def _is_old(plan: MigrationPlan, now: datetime) -> bool:
    return plan.status.planned_timestamp is not None and now >= plan.status.planned_timestamp + MAX_AGE


def _waiting(
    plan: MigrationPlan, world: World, now: datetime, hold: Hold | None, about: tuple[Verdict, ...], **fields: Any
) -> Outcome:
    """A plan that is made, but must not begin yet, or begins in its next reconcile."""
    entries, idle = plan.status.migrations, executing(plan.status.migrations, hold)
    phase, ready = "Queued", false("Ready", "InProgress", f"{_to_move(plan)} to move")
    if hold is not None and hold.reason == "AwaitingApproval":
        phase, ready = "AwaitingApproval", false("Ready", hold.reason, f"{told_of(plan)}; {hold.message}")
    elif hold is None:
        idle = false("Executing", "Queued", ready.message)
    else:
        ready = false("Ready", "Blocked", f"{_to_move(plan)} to move; nothing starts: {hold.message}")
    status = next_status(plan, world, now, phase, entries, ready, (*about, idle), **fields)
    times = [time for time in (next_edge(plan, entries, world, now), _next_look(plan, now)) if time is not None]
    return Outcome(status=status, events=events_of(plan, status), requeue_at=min(times, default=None))


def _next_look(plan: MigrationPlan, now: datetime) -> datetime | None:
    planned = plan.status.planned_timestamp
    return planned + MAX_AGE * ((now - planned) // MAX_AGE + 1) if planned is not None else None


# Planning


def refusal(plan: MigrationPlan, world: World) -> str | None:
    """Why nothing can be planned at all."""
    host = plan.spec.host_name
    if host is not None and plan.namespace != world.operator_namespace:
        return (
            f"spec.hostName drains VMs of every namespace, so it works in namespace {world.operator_namespace} only: "
            f"create the plan there, or name spec.virtualMachines"
        )
    if host is not None and (missing := no_host(host, world)) is not None:
        return missing
    policy = plan.spec.policy_name
    if policy is not None and isinstance(found := policy_named(policy, world), PolicyNotFound):
        return found.message
    if (wanted := len(scope(plan, world))) > MAX_VMS:
        return f"{wanted} VMs match spec.selector, a plan moves at most {MAX_VMS}: narrow the selector"
    return None


def no_host(name: str, world: World) -> str | None:
    """What to do about a name that no host has."""
    return f"host {name} does not exist: see `kubectl get hosts`" if world.host(name) is None else None


def _plan(plan: MigrationPlan, world: World, now: datetime) -> Outcome:
    if (message := refusal(plan, world)) is not None:
        return finished(plan, world, now, (), "Failed", message, about=(false("Planned", "NotMigratable", message),))
    if plan.spec.cancel:
        return finished(plan, world, now, plan.status.migrations, "Cancelled", "cancelled before it was planned")
    draft = drafted(plan, world, now)
    events = _plan_events(plan, draft)
    entries, about = draft.status.migrations, _verdicts(draft)
    if plan.spec.mode == "DryRun":
        ready = true("Ready", "DryRunComplete", told_of(draft))
        idle = false("Executing", "DryRun", "mode DryRun moves nothing: create a plan with mode Execute")
        status = next_status(draft, world, now, "Planned", entries, ready, (*about, idle))
        return Outcome(status=status, events=events)
    if all(map(has_ended, entries)):
        return finished(draft, world, now, entries, about=about)
    outcome = _waiting(draft, world, now, hold_of(draft, entries, world, now), about)
    return Outcome(status=outcome.status, events=(*events, *outcome.events), requeue_at=outcome.requeue_at)


def drafted(plan: MigrationPlan, world: World, now: datetime, *, quick: bool = False) -> MigrationPlan:
    """The plan with what planning finds in its status: entries, waves, estimate; ``quick``: no more than the likely."""
    planned = planning.compute(plan, world, quick=quick)
    entries = numbered(planned.migrations)
    opens = plan.spec.window.not_before if plan.spec.window is not None else None
    start = max(now, opens) if opens is not None else now
    duration = planned.estimate.duration_seconds
    finish = start + pace_of(entries, world).wall(duration.p90) if duration is not None else None
    estimate = planned.estimate.model_copy(
        update={
            "waves": max((entry.wave or 0 for entry in entries), default=0),
            "start_after": told_time(start),
            "finish_by": told_time(finish) if finish is not None else None,
        }
    )
    fields: dict[str, object] = {"migrations": entries, "estimate": estimate, "planned_timestamp": now}
    fields["plan_hash"] = plan_hash(plan, entries, world)
    return plan.model_copy(update={"status": plan.status.model_copy(update=fields)})


def _plan_events(plan: MigrationPlan, draft: MigrationPlan) -> tuple[Event, ...]:
    told = told_of(draft)
    waited = plan.status.phase in ("AwaitingApproval", "Queued")
    made = Event("PlanRevised", f"what it rests on has changed: {told}") if waited else Event("PlanComputed", told)
    wrong = [e for e in draft.status.migrations if e.phase == "Failed" or e.verdict in INFEASIBLE]
    if not wrong:
        return (made,)
    names = ", ".join(f"{e.namespace}/{e.virtual_machine}: {e.reason or e.verdict}" for e in wrong[:NAMED])
    more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
    return (made, warning("PlanInfeasible", names + more))


def told_of(plan: MigrationPlan) -> str:
    """A plan that has been made, in a line."""
    estimate = plan.status.estimate
    if estimate is None:
        return f"{_to_move(plan)} to move"
    duration, pause = estimate.duration_seconds, estimate.downtime_milliseconds
    return (
        f"{_to_move(plan)} to move, {counted(estimate.waves, 'wave')}, {duration.p50 if duration else 0:.0f} s p50, "
        f"worst pause {pause.p90 if pause else 0:.0f} ms, {estimate.verdict}"
    )


def _to_move(plan: MigrationPlan) -> str:
    entries = plan.status.migrations
    return f"{sum(entry.phase == 'Pending' for entry in entries)} of {counted(len(entries), 'VM')}"


def _verdicts(draft: MigrationPlan) -> tuple[Verdict, ...]:
    """Planned and Feasible."""
    estimate, told = draft.status.estimate, told_of(draft)
    assert estimate is not None
    verdict, detail = estimate.verdict, "; ".join(estimate.warnings[:3])
    if verdict in INFEASIBLE:
        return true("Planned", "Planned", told), false("Feasible", verdict, detail or verdict)
    return true("Planned", "Planned", told), true("Feasible", verdict, detail)
