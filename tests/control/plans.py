"""A plan and its migrations in a world of three hosts, stepped by hand."""

from __future__ import annotations

from typing import Any

from checked import reconciled
from worlds import NOW, edited, flavor, host, later, placed, plan, pool, taken, vm, world_of

from drover.api.meta import AnyResource
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import MigrationPlanStatus, PlanMigration
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import MigrationResult, VirtualMachineMigration
from drover.control.migrationplan.children import child_name
from drover.control.migrationplan.controller import reconcile
from drover.control.outcome import Create, Outcome, PatchSpec
from drover.control.world import World

BASE: tuple[AnyResource, ...] = (pool(), host("p1-0"), host("p1-1"), host("p1-2"), flavor(), vm(status=placed("p1-0")))
THREE = [{"name": name} for name in ("m1", "m2", "m3")]
MOVERS = tuple(vm(name, status=placed("p1-0")) for name in ("m1", "m2", "m3"))
OVER = ("Succeeded", "Failed", "Cancelled")


def world(*objects: AnyResource) -> World:
    mine = {resource.key: resource for resource in (*BASE, *objects)}
    return world_of(*mine.values())


def outcome_of(subject: MigrationPlan, *objects: AnyResource, at: float = 0) -> Outcome:
    return reconciled(reconcile, subject, world(*objects, subject), later(at))


def status_of(outcome: Outcome) -> MigrationPlanStatus:
    assert isinstance(outcome.status, MigrationPlanStatus)
    return outcome.status


def current(seen: World) -> MigrationPlan:
    found = seen.plan("default", "plan")
    assert found is not None
    return found


def queued(seen: World, **fields: Any) -> MigrationPlan:
    """The plan once it is planned, in this world."""
    subject = plan(**fields)
    seen.observe(subject)
    return taken(seen, subject, reconcile(subject, seen, NOW))


def begun(seen: World, **fields: Any) -> MigrationPlan:
    """The plan of three VMs once its migrations are created."""
    queued(seen, **{"virtual_machines": THREE} | fields)
    step(seen)
    return current(seen)


def step(seen: World, at: float = 0) -> Outcome:
    """Reconcile the plan, write its status, and do with its migrations what it decides: create, cancel."""
    subject = current(seen)
    outcome = reconcile(subject, seen, later(at))
    if outcome.status not in (None, subject.status):
        taken(seen, subject, outcome)
    for child in outcome.children:
        if isinstance(child, Create) and seen.find(child.resource.key) is None:
            metadata = child.resource.metadata.model_copy(update={"uid": child.resource.name, "resource_version": "1"})
            seen.observe(child.resource.model_copy(update={"metadata": metadata}))
        elif isinstance(child, PatchSpec):
            seen.observe(edited(child.resource, spec=child.spec))
    return outcome


def edit(seen: World, **spec: Any) -> None:
    """A user changes fields (wire names) of the plan's spec."""
    seen.observe(edited(current(seen), spec=spec))


def child(seen: World, name: str, phase: str, at: float = 0, **status: Any) -> VirtualMachineMigration:
    """A migration of the plan reaches a phase, ``at`` seconds; its target is claimed as it leaves Pending."""
    before = seen.get(VirtualMachineMigration, "default", name)
    assert before is not None, f"no migration {name}"
    metadata = before.metadata.model_copy(update={"resource_version": str(int(before.metadata.resource_version) + 1)})
    times = {"start_timestamp": before.status.start_timestamp or later(at)} if phase != "Pending" else {}
    if phase in OVER:
        times["end_timestamp"] = later(at)
    after = before.status.model_copy(update={"phase": phase, **times, **status})
    moved = before.model_copy(update={"metadata": metadata, "status": after})
    seen.observe(moved)
    return moved


def moves(seen: World, name: str, at: float, pause_ms: float = 100.0, sent: int = 4 * 2**30, to: str = "p1-1") -> None:
    """A migration succeeds, and its VM is where that has brought it."""
    result = MigrationResult(downtime_milliseconds=pause_ms, transferred_bytes=sent)
    over = child(seen, name, "Succeeded", at, result=result, target_host=to)
    before = seen.get(VirtualMachine, "default", over.spec.virtual_machine_name)
    assert before is not None
    status = before.status.model_copy(update={"host_name": over.spec.target_host_name or to})
    seen.observe(edited(before.model_copy(update={"status": status})))


def fails(seen: World, name: str, at: float = 0, reason: str = "NotConverging") -> None:
    child(seen, name, "Failed", at, failure_reason=reason)


def cancelled(seen: World, name: str, at: float = 0) -> None:
    child(seen, name, "Cancelled", at, failure_reason="Cancelled")


def move_of(vm: str, attempt: int = 1, *, home: bool = False) -> str:
    """The name of the plan's migration of a VM."""
    entry = PlanMigration(virtual_machine=vm, namespace="default", returning=home or None)
    return child_name(plan(), entry, attempt)


def running(seen: World) -> list[str]:
    return sorted(m.name for m in seen.all(VirtualMachineMigration) if m.status.phase not in OVER)


def asked_to_stop(seen: World) -> list[str]:
    return sorted(m.name for m in seen.all(VirtualMachineMigration) if m.spec.cancel and m.status.phase not in OVER)
