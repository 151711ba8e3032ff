"""Draining a host: looked over first, then one MigrationPlan at a time, until no VM is left.

::

    asked for --> looked over --> plan made --> InProgress --no VM left--> Drained
                      ^                             |
                      |                             +--plan ended, VMs left--> Blocked
                      |                                                          |
                      +------(the next plan, numbered)---- RETRY_AFTER, or room -+
    no longer asked for --> the unfinished plan is cancelled, nothing is remembered

Before a plan is made, the host's status says who cannot leave and when it should be empty, from the same planning that
the plan then does; so nothing moves before that can be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from drover.api.host import Drain, Host
from drover.api.meta import NamespacedRef
from drover.api.quantity import human
from drover.api.virtualmachine import VirtualMachine
from drover.control.conditions import Verdict, false, true
from drover.control.drainplans import (
    SETTLING,
    blockers,
    current_plan,
    ended_at,
    eta_of,
    is_ended,
    may_leave,
    outdated_plans,
    plan_of,
    plans_of,
    predicted_end,
    retry_at,
    untried,
)
from drover.control.migrationplan.holding import told_time
from drover.control.migrationplan.preparing import drafted, told_of
from drover.control.migrationplan.targets import leaves_by_itself
from drover.control.outcome import Child, Create, Event, PatchSpec, warning
from drover.control.stage import counted
from drover.control.world import World


@dataclass(frozen=True, slots=True)
class DrainStage:
    """The drain's part of a host's outcome."""

    status: Drain | None = None
    verdicts: tuple[Verdict, ...] = ()
    events: tuple[Event, ...] = ()
    children: tuple[Child, ...] = ()
    requeue_at: datetime | None = None


def drain(host: Host, vms: list[VirtualMachine], world: World, now: datetime, *, up: bool) -> DrainStage:
    """What the host's maintenance mode asks for; ``vms`` are those on it, ``up`` whether they can be migrated."""
    if host.spec.maintenance.mode != "Drain":
        return _not_asked_for(host, world)
    if not vms:
        return _finished(host, world, now)
    if not up:
        why = f"{counted(len(vms), 'VM')} cannot be migrated while the host is down: bring it back up"
        return _stage(host, vms, false("Drained", "Blocked", why), _ref(host))
    return _under_way(host, vms, world, now)


def _not_asked_for(host: Host, world: World) -> DrainStage:
    unfinished = [plan for plan in plans_of(host, world) if not is_ended(plan) and not plan.spec.cancel]
    cancelled = tuple(PatchSpec(plan, {"cancel": True}) for plan in unfinished)
    was_complete = host.status.is_true("Drained")
    told = host.status.drain is not None and not was_complete
    events = (Event("DrainCancelled", "what has not started is cancelled"),) if told else ()
    return DrainStage(events=events, children=cancelled)


def _finished(host: Host, world: World, now: datetime) -> DrainStage:
    status = Drain(plan_ref=_ref(host))
    events = () if host.status.is_true("Drained") else (Event("DrainCompleted", _completed(host, world, now)),)
    verdict = true("Drained", "Drained", "no VM is on the host: it can be serviced")
    return DrainStage(status, (verdict,), events)


def _completed(host: Host, world: World, now: datetime) -> str:
    """With the real time of the end beside the predicted one."""
    ref = _ref(host)
    plan = world.plan(ref.namespace or "", ref.name) if ref is not None else None
    end = predicted_end(plan, host, world) if plan is not None else None
    beside = f", predicted for {told_time(end)}" if end is not None else ""
    return f"no VM is left on it since {told_time(now)}{beside}"


def _under_way(host: Host, vms: list[VirtualMachine], world: World, now: datetime) -> DrainStage:
    stopping = [vm for vm in vms if leaves_by_itself(vm, world)]
    if len(stopping) == len(vms):
        told = f"{_left(vms)}, with evictionStrategy None: being stopped, to start elsewhere"
        return _stage(host, vms, false("Drained", "InProgress", told), _ref(host))
    name, plan = current_plan(host, vms, world, now)
    ref = NamespacedRef(name=name, namespace=world.operator_namespace)
    if plan is None:
        return _planned(host, vms, ref, world, now)
    blocked_by = blockers(plan, vms, world)
    if not is_ended(plan):
        status = plan.status
        done = f"{status.succeeded} of {counted(status.total, 'VM')} moved" if status.total else "not begun"
        verdict = false(
            "Drained", "InProgress", f"{_left(vms)}; plan {ref.namespace}/{name}: {done}{_stuck(blocked_by)}"
        )
        return _stage(host, vms, verdict, ref, blocked_by, estimated_completion_time=eta_of(plan, host, world))
    settled = ended_at(plan) + SETTLING
    if beyond := untried(plan, vms, world):
        told = f"{_left(vms)}; the next plan takes the {len(beyond)} that {ref.namespace}/{name} did not"
        verdict = false("Drained", "InProgress", f"{told}{_stuck(blocked_by)}")
        return _stage(host, vms, verdict, ref, blocked_by, requeue_at=settled)
    again = retry_at(plan)
    why = (
        f"{counted(len(vms), 'VM')} could not leave: {'; '.join(blocked_by[:3])}. Make room, change or stop them; "
        f"it is tried again when that helps, and at {told_time(again)}"
    )
    due = settled if now < settled and may_leave(plan, vms, world) else again
    return _stage(host, vms, false("Drained", "Blocked", why), ref, blocked_by, requeue_at=due)


def _planned(host: Host, vms: list[VirtualMachine], ref: NamespacedRef, world: World, now: datetime) -> DrainStage:
    """First what the plan will find, told in the host's status; once that is written, the plan."""
    wanted, known = plan_of(host, ref), host.status.drain
    if known is None or known.plan_ref != ref:
        draft = drafted(wanted, world, now)
        blocked_by, eta = blockers(draft, vms, world), eta_of(draft, host, world)
        told = f"{_left(vms)}; {told_of(draft)}{_stuck(blocked_by)}"
        return _stage(host, vms, false("Drained", "InProgress", told), ref, blocked_by, estimated_completion_time=eta)
    said = host.status.condition("Drained")
    verdict = false("Drained", "InProgress", said.message if said is not None else _left(vms))
    children = (Create(wanted), *outdated_plans(host, world))
    eta = known.estimated_completion_time
    return _stage(host, vms, verdict, ref, known.blocked_by, children=children, estimated_completion_time=eta)


def _stage(
    host: Host,
    vms: list[VirtualMachine],
    verdict: Verdict,
    ref: NamespacedRef | None,
    blocked_by: tuple[str, ...] = (),
    *,
    children: tuple[Child, ...] = (),
    requeue_at: datetime | None = None,
    estimated_completion_time: str | None = None,
) -> DrainStage:
    """A drain with VMs left. Draining is asked for, so the host is reconciling until none is."""
    status = Drain(
        plan_ref=ref,
        remaining_virtual_machines=len(vms),
        remaining_bytes=_memory(vms),
        estimated_completion_time=estimated_completion_time,
        blocked_by=blocked_by,
    )
    verdicts: tuple[Verdict, ...] = (verdict,)
    if host.spec.fault.type == "None":
        verdicts += (true("Reconciling", "Draining", verdict.message),)
    return DrainStage(status, verdicts, _events(host, verdict, blocked_by), children, requeue_at)


def _events(host: Host, verdict: Verdict, blocked_by: tuple[str, ...]) -> tuple[Event, ...]:
    started = (Event("DrainStarted", verdict.message),) if host.status.drain is None else ()
    known = host.status.condition("Drained")
    was = known is not None and known.reason == "Blocked"
    foreseen = bool(started and blocked_by)
    blocked = foreseen or (verdict.reason == "Blocked" and not was)
    return (*started, warning("DrainBlocked", verdict.message)) if blocked else started


def _left(vms: list[VirtualMachine]) -> str:
    return f"{counted(len(vms), 'VM')} ({human(_memory(vms))}) still here"


def _stuck(blocked_by: tuple[str, ...]) -> str:
    return f"; {counted(len(blocked_by), 'VM')} cannot leave: {', '.join(blocked_by[:3])}" if blocked_by else ""


def _memory(vms: list[VirtualMachine]) -> int:
    return sum(vm.status.flavor.memory_bytes for vm in vms if vm.status.flavor is not None)


def _ref(host: Host) -> NamespacedRef | None:
    return host.status.drain.plan_ref if host.status.drain else None
