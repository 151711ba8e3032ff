"""The plans that drain a host: their names, which one counts now, when the next is due, and who cannot leave.

A plan is named ``drain-<host>-<generation>``, the generation that asked for the drain, and the next ones
``...-2``, ``...-3``. ``status.drain.planRef`` remembers the name; where a crash lost it, the unfinished plan is found
by its label.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import cast

from drover.api.host import Host
from drover.api.meta import FINALIZER, GROUP, Key, NamespacedRef, ObjectMeta
from drover.api.migrationplan import MigrationPlan, MigrationPlanSpec
from drover.api.migrationplanstatus import PlanMigration
from drover.api.virtualmachine import VirtualMachine
from drover.control.driver import Pace
from drover.control.migrationplan.entries import has_moved
from drover.control.migrationplan.holding import told_time
from drover.control.migrationplan.targets import leaves_by_itself, targets_of
from drover.control.outcome import Child, Delete
from drover.control.world import World
from drover.control.world.claims import FINAL_PLAN_PHASES

TRIGGER_LABEL = f"{GROUP}/trigger"
TRIGGER = "drain"
RETRY_AFTER = timedelta(seconds=60)
"""Wall time from a plan that ended with VMs left over to the next one."""
SETTLING = timedelta(seconds=5)
"""And if one of these VMs seems able to leave before that: hosts and VMs change in swarms."""
FOR_WANT_OF_ROOM = frozenset({"NoTarget", "TargetUnschedulable"})
"""Reasons that planning can see to be gone."""
KEPT_PLANS = 3
"""Ended plans of a host that are kept to be read; a drain without room makes one a minute."""
FORESEEN = {"Blocked": "NoTarget", "DoesNotConverge": "DoesNotConverge"}
"""What a planned verdict says of a VM before its migration can."""
MAX_NAME = 63
MAX_SUFFIX = 16
MAX_BLOCKED = 64
MAX_REASON = 1024


def is_ended(plan: MigrationPlan) -> bool:
    return plan.status.phase in FINAL_PLAN_PHASES


def retry_at(plan: MigrationPlan) -> datetime:
    """When the next plan is due after this one, which has ended."""
    return ended_at(plan) + RETRY_AFTER


def ended_at(plan: MigrationPlan) -> datetime:
    return plan.status.end_timestamp or plan.metadata.creation_timestamp or datetime.min.replace(tzinfo=UTC)


def current_plan(
    host: Host, vms: list[VirtualMachine], world: World, now: datetime
) -> tuple[str, MigrationPlan | None]:
    """The plan that counts now and its name; no plan where one has to be made."""
    name = _remembered(host, world)
    plan = world.plan(world.operator_namespace, name)
    while plan is not None and is_ended(plan) and _is_due(plan, vms, world, now):
        name = _successor(host, name)
        plan = world.plan(world.operator_namespace, name)
    return name, plan


def _is_due(plan: MigrationPlan, vms: list[VirtualMachine], world: World, now: datetime) -> bool:
    """Whether it is time for the next plan: by the clock, or because it has something to do."""
    if now >= retry_at(plan):
        return True
    return now >= ended_at(plan) + SETTLING and (bool(untried(plan, vms, world)) or may_leave(plan, vms, world))


def untried(plan: MigrationPlan, vms: list[VirtualMachine], world: World) -> list[VirtualMachine]:
    """The VMs beyond those the plan listed, which are as many as a plan takes."""
    listed = {_vm(entry) for entry in plan.status.migrations}
    return [vm for vm in vms if listed and vm.key not in listed and not leaves_by_itself(vm, world)]


def may_leave(plan: MigrationPlan, vms: list[VirtualMachine], world: World) -> bool:
    """Whether there is somewhere to go now for a VM that stayed for want of room."""
    left = {vm.key for vm in vms}
    stayed = {_vm(entry) for entry in plan.status.migrations if entry.reason in FOR_WANT_OF_ROOM} & left
    return bool(stayed) and any(move.vm.key in stayed for move in targets_of(plan, world).moves)


def _remembered(host: Host, world: World) -> str:
    if host.status.drain is not None and host.status.drain.plan_ref is not None:
        return host.status.drain.plan_ref.name
    unfinished = [plan.name for plan in plans_of(host, world) if not is_ended(plan) and not plan.spec.cancel]
    return unfinished[0] if unfinished else f"{_stem(host)}-{host.metadata.generation}"


def outdated_plans(host: Host, world: World) -> tuple[Child, ...]:
    ended = [plan for plan in plans_of(host, world) if is_ended(plan)]
    ended.sort(key=retry_at)
    return tuple(Delete(plan) for plan in ended[:-KEPT_PLANS])


def plans_of(host: Host, world: World) -> list[MigrationPlan]:
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


def plan_of(host: Host, ref: NamespacedRef) -> MigrationPlan:
    return MigrationPlan(
        metadata=ObjectMeta(
            name=ref.name,
            namespace=ref.namespace or "",
            labels={TRIGGER_LABEL: TRIGGER},
            finalizers=(FINALIZER,),
        ),
        spec=MigrationPlanSpec(host_name=host.name, priority=host.spec.maintenance.priority),
    )


def blockers(plan: MigrationPlan, vms: list[VirtualMachine], world: World) -> tuple[str, ...]:
    """The VMs still here that the plan could not move, as namespace/name: reason."""
    why = {_vm(entry): _obstacle(entry) for entry in plan.status.migrations}
    ended = is_ended(plan)
    found = []
    for vm in vms:
        reason = why.get(vm.key) or ("NotMoved" if ended and vm.key in why else None)
        if reason is not None and not leaves_by_itself(vm, world):
            found.append(f"{vm.namespace}/{vm.name}: {reason}"[:MAX_REASON])
    return tuple(found[:MAX_BLOCKED])


def _vm(entry: PlanMigration) -> Key:
    return Key(VirtualMachine.KIND, entry.namespace, entry.virtual_machine)


def _obstacle(entry: PlanMigration) -> str | None:
    """What keeps a VM of a plan from leaving, as known or as foreseen."""
    return entry.reason or FORESEEN.get(entry.verdict or "")


def predicted_end(plan: MigrationPlan, host: Host, world: World) -> datetime | None:
    """Start (when it was planned, before there is one) plus the median predicted duration, in wall time."""
    estimate, began = plan.status.estimate, _began(plan)
    if estimate is None or estimate.duration_seconds is None or began is None:
        return None
    return began + world.pace(host.spec.pool_ref.name).wall(estimate.duration_seconds.p50)


def eta_of(plan: MigrationPlan, host: Host, world: World) -> str | None:
    """When the host should be empty: as predicted, stretched by how late the last VM was that has moved."""
    end, began = predicted_end(plan, host, world), _began(plan)
    if end is None or began is None or any(_obstacle(entry) is not None for entry in plan.status.migrations):
        return None
    return told_time(began + (end - began) * _lateness(plan, began, world.pace(host.spec.pool_ref.name)))


def _began(plan: MigrationPlan) -> datetime | None:
    return plan.status.start_timestamp or plan.status.planned_timestamp


def _lateness(plan: MigrationPlan, began: datetime, pace: Pace) -> float:
    """Real over predicted time up to the end of the last VM that has moved; 1 before there is one."""
    ends = [
        (entry.end_timestamp, (entry.estimated_start_seconds or 0.0) + entry.estimated_seconds)
        for entry in plan.status.migrations
        if has_moved(entry) and entry.end_timestamp is not None and entry.estimated_seconds
    ]
    if not ends:
        return 1.0
    real, predicted = max(ends)
    return (real - began) / pace.wall(predicted)
