"""Draining a host: one MigrationPlan at a time, until no VM is left.

::

    asked for --> plan made --> InProgress --no VM left--> Drained
                     ^              |
                     |              +--plan ended, VMs left--> Blocked --RETRY_AFTER--+
                     +----------------------(the next plan, numbered)-----------------+
    no longer asked for --> the unfinished plan is cancelled, nothing is remembered

A plan is named ``drain-<host>-<generation>``, the generation that asked for the drain, and the next ones
``...-2``, ``...-3``. ``status.drain.planRef`` remembers the name; where a crash lost it, the unfinished plan is found
by its label.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import cast

from drover.api.host import Drain, Host
from drover.api.meta import FINALIZER, GROUP, Key, NamespacedRef, ObjectMeta
from drover.api.migrationplan import MigrationPlan, MigrationPlanSpec
from drover.api.quantity import human
from drover.api.virtualmachine import VirtualMachine
from drover.control.conditions import Verdict, false, true
from drover.control.outcome import Child, Create, Delete, Event, PatchSpec, warning
from drover.control.stage import counted
from drover.control.world import World
from drover.control.world.claims import FINAL_PLAN_PHASES

TRIGGER_LABEL = f"{GROUP}/trigger"
TRIGGER = "drain"
RETRY_AFTER = timedelta(seconds=60)
"""Wall time from a plan that ended with VMs left over to the next one."""
KEPT_PLANS = 3
"""Ended plans of a host that are kept to be read; a drain without room makes one a minute."""
MAX_NAME = 63
MAX_SUFFIX = 16
MAX_BLOCKED = 64
MAX_REASON = 1024


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
        return _finished(host)
    if not up:
        why = f"{counted(len(vms), 'VM')} cannot be migrated while the host is down: bring it back up"
        return _stage(host, vms, false("Drained", "Blocked", why), _ref(host))
    return _under_way(host, vms, world, now)


def _not_asked_for(host: Host, world: World) -> DrainStage:
    unfinished = [plan for plan in _plans(host, world) if not is_ended(plan) and not plan.spec.cancel]
    cancelled = tuple(PatchSpec(plan, {"cancel": True}) for plan in unfinished)
    was_complete = host.status.is_true("Drained")
    told = host.status.drain is not None and not was_complete
    events = (Event("DrainCancelled", "what has not started is cancelled"),) if told else ()
    return DrainStage(events=events, children=cancelled)


def _finished(host: Host) -> DrainStage:
    status = Drain(plan_ref=_ref(host))
    events = () if host.status.is_true("Drained") else (Event("DrainCompleted", "no VM is left on it"),)
    verdict = true("Drained", "Drained", "no VM is on the host: it can be serviced")
    return DrainStage(status, (verdict,), events)


def _under_way(host: Host, vms: list[VirtualMachine], world: World, now: datetime) -> DrainStage:
    name, plan = _current(host, world, now)
    ref = NamespacedRef(name=name, namespace=world.operator_namespace)
    if plan is None:
        verdict = false("Drained", "InProgress", f"{_left(vms)}; plan {ref.namespace}/{name} is being made")
        return _stage(host, vms, verdict, ref, children=(Create(_plan(host, ref)), *_outdated(host, world)))
    blocked_by = _blocked_by(plan, vms)
    if not is_ended(plan):
        status = plan.status
        done = f"{status.succeeded} of {counted(status.total, 'VM')} moved" if status.total else "not begun"
        verdict = false("Drained", "InProgress", f"{_left(vms)}; plan {ref.namespace}/{name}: {done}")
        return _stage(host, vms, verdict, ref, blocked_by, estimated_completion_time=_eta(plan, host, world))
    again = retry_at(plan)
    why = (
        f"{counted(len(vms), 'VM')} could not leave: {'; '.join(blocked_by[:3])}. Make room, change or stop them; "
        f"it is tried again at {again:%Y-%m-%dT%H:%M:%SZ}"
    )
    return _stage(host, vms, false("Drained", "Blocked", why), ref, blocked_by, requeue_at=again)


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
    return DrainStage(status, verdicts, _events(host, vms, verdict), children, requeue_at)


def _events(host: Host, vms: list[VirtualMachine], verdict: Verdict) -> tuple[Event, ...]:
    started = (Event("DrainStarted", _left(vms)),) if host.status.drain is None else ()
    known = host.status.condition("Drained")
    if verdict.reason != "Blocked" or (known is not None and known.reason == "Blocked"):
        return started
    return (*started, warning("DrainBlocked", verdict.message))


def _left(vms: list[VirtualMachine]) -> str:
    return f"{counted(len(vms), 'VM')} ({human(_memory(vms))}) still here"


def _memory(vms: list[VirtualMachine]) -> int:
    return sum(vm.status.flavor.memory_bytes for vm in vms if vm.status.flavor is not None)


# The plan


def is_ended(plan: MigrationPlan) -> bool:
    return plan.status.phase in FINAL_PLAN_PHASES


def retry_at(plan: MigrationPlan) -> datetime:
    """When the next plan is due after this one, which has ended."""
    ended = plan.status.end_timestamp or plan.metadata.creation_timestamp
    return (ended or datetime.min.replace(tzinfo=UTC)) + RETRY_AFTER


def _current(host: Host, world: World, now: datetime) -> tuple[str, MigrationPlan | None]:
    """The plan that counts now and its name; no plan where one has to be made."""
    name = _remembered(host, world)
    plan = world.plan(world.operator_namespace, name)
    while plan is not None and is_ended(plan) and retry_at(plan) <= now:
        name = _successor(host, name)
        plan = world.plan(world.operator_namespace, name)
    return name, plan


def _remembered(host: Host, world: World) -> str:
    if host.status.drain is not None and host.status.drain.plan_ref is not None:
        return host.status.drain.plan_ref.name
    unfinished = [plan.name for plan in _plans(host, world) if not is_ended(plan) and not plan.spec.cancel]
    return unfinished[0] if unfinished else f"{_stem(host)}-{host.metadata.generation}"


def _outdated(host: Host, world: World) -> tuple[Child, ...]:
    ended = [plan for plan in _plans(host, world) if is_ended(plan)]
    ended.sort(key=retry_at)
    return tuple(Delete(plan) for plan in ended[:-KEPT_PLANS])


def _plans(host: Host, world: World) -> list[MigrationPlan]:
    plans = (cast("MigrationPlan | None", world.find(key)) for key in world.plans_of_host[host.name])
    return [p for p in plans if p is not None and p.metadata.labels.get(TRIGGER_LABEL) == TRIGGER]


def _stem(host: Host) -> str:
    """``drain-<host>``, shortened where a plan's name would get too long for a label."""
    stem, room = f"drain-{host.name}", MAX_NAME - MAX_SUFFIX
    if len(stem) <= room:
        return stem
    digest = sha256(host.name.encode()).hexdigest()[:8]
    return f"{stem[: room - len(digest) - 1]}-{digest}"


def _successor(host: Host, name: str) -> str:
    generation, _, number = name.removeprefix(f"{_stem(host)}-").partition("-")
    return f"{_stem(host)}-{generation}-{int(number or 1) + 1}"


def _plan(host: Host, ref: NamespacedRef) -> MigrationPlan:
    return MigrationPlan(
        metadata=ObjectMeta(
            name=ref.name,
            namespace=ref.namespace or "",
            labels={TRIGGER_LABEL: TRIGGER},
            finalizers=(FINALIZER,),
        ),
        spec=MigrationPlanSpec(host_name=host.name, priority=host.spec.maintenance.priority),
    )


def _ref(host: Host) -> NamespacedRef | None:
    return host.status.drain.plan_ref if host.status.drain else None


def _blocked_by(plan: MigrationPlan, vms: list[VirtualMachine]) -> tuple[str, ...]:
    """The VMs still here that the plan could not move, as namespace/name: reason."""
    why = {Key("VirtualMachine", m.namespace, m.virtual_machine): m.reason for m in plan.status.migrations}
    ended = is_ended(plan)
    found = []
    for vm in vms:
        reason = why.get(vm.key) or ("NotMoved" if ended else None)
        if reason is not None:
            found.append(f"{vm.namespace}/{vm.name}: {reason}"[:MAX_REASON])
    return tuple(found[:MAX_BLOCKED])


def _eta(plan: MigrationPlan, host: Host, world: World) -> str | None:
    """Start plus the median predicted duration, in wall time."""
    estimate, began = plan.status.estimate, plan.status.start_timestamp
    if estimate is None or estimate.duration_seconds is None or began is None:
        return None
    end = began + world.pace(host.spec.pool_ref.name).wall(estimate.duration_seconds.p50)
    return end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
