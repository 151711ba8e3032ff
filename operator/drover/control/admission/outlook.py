"""What is told on ``--dry-run=server``: where a VM would land, what a move, a plan or a drain would take."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from drover.api.host import Host
from drover.api.meta import NamespacedRef, ObjectMeta
from drover.api.migrationplan import MigrationPlan, MigrationPlanSpec, PlannedVirtualMachine
from drover.api.quantity import human
from drover.api.virtualmachine import HostScore, PlacementDecision, VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.admission.capacity import Room, supposing
from drover.control.drainplans import plan_of
from drover.control.migrationplan.holding import hold_of
from drover.control.migrationplan.preparing import drafted, told_of
from drover.control.migrationplan.targets import scope
from drover.control.virtualmachine.power import power_of
from drover.control.world import World

MAX_FORECAST = 32
"""VMs whose moves are forecast together: an answer must not take longer than a write."""
MAX_WITH_NOISE = 3
"""VMs whose forecast has a band; of more only the likely course is told."""
MAX_TOLD = 3
"""Moves told one by one, and doubts about them."""


def of_vm(vm: VirtualMachine, room: Room) -> Iterator[str]:
    """Where it would land and why, or what it waits for."""
    told, decision = room.told, room.told.now
    if not power_of(vm).on:
        yield f"stays stopped, as {power_of(vm).declared_by} asks; if it were started: {told.message}"
        return
    when = "its next start would be" if vm.status.host_name else "would land"
    if decision is not None and decision.host_name:
        yield f"{when} {told.message}"
        yield from _ranked(decision)
    elif room.by_stopping:
        yield f"{told.message}; but VMs of lower priority can be stopped to make room"
    if told.missing:
        yield f"but first: {told.missing}"


def _ranked(decision: PlacementDecision) -> Iterator[str]:
    best, *others = decision.top_hosts
    runner_up = f"; runner-up {_scored(others[0])}" if others else ""
    yield f"by strategy {decision.strategy}: {_scored(best)}{runner_up}"


def _scored(host: HostScore) -> str:
    parts = sorted(host.parts.items(), key=lambda part: -abs(part[1]))
    return f"{host.host} {host.score:.2f} ({', '.join(f'{name} {part:.2f}' for name, part in parts)})"


def of_plan(plan: MigrationPlan, world: World, now: datetime) -> Iterator[str]:
    """How many VMs, how long, how long a pause, and what is doubtful. Times are model seconds."""
    vms = len(scope(plan, world))
    if vms > MAX_FORECAST:
        yield f"{vms} VMs to move are not forecast here, more than {MAX_FORECAST}: a plan of mode DryRun tells"
        return
    draft = drafted(plan, world, now, quick=vms > MAX_WITH_NOISE)
    estimate = draft.status.estimate
    assert estimate is not None
    yield told_of(draft)
    if estimate.duration_seconds is not None:
        band = f"nine in ten within {estimate.duration_seconds.p90:.0f} s, " if vms <= MAX_WITH_NOISE else ""
        yield f"{band}done by {estimate.finish_by}; {human(estimate.transfer_bytes)} to send"
    moves = [entry for entry in draft.status.migrations if entry.phase == "Pending" and entry.target]
    if moves:
        told = ", ".join(f"{move.virtual_machine} {move.source} > {move.target}" for move in moves[:MAX_TOLD])
        more = f" and {len(moves) - MAX_TOLD} more" if len(moves) > MAX_TOLD else ""
        yield f"moves {told}{more}"
    yield from estimate.warnings[:MAX_TOLD]
    hold = hold_of(draft, draft.status.migrations, world, now)
    if plan.spec.mode == "Execute" and hold is not None:
        yield f"nothing would start yet: {hold.message}"


def of_migration(migration: VirtualMachineMigration, world: World, now: datetime) -> Iterator[str]:
    """As of a plan that moves this VM alone."""
    spec = migration.spec
    alone = PlannedVirtualMachine(name=spec.virtual_machine_name, target_host_name=spec.target_host_name)
    wanted = MigrationPlanSpec(virtual_machines=(alone,), policy_name=spec.policy_name)
    metadata = ObjectMeta(name=migration.name, namespace=migration.namespace)
    yield from of_plan(MigrationPlan(metadata=metadata, spec=wanted), world, now)


def of_drain(host: Host, world: World, now: datetime) -> list[str]:
    """As of the plan that the host would make."""
    with supposing(host, world):
        return list(
            of_plan(plan_of(host, NamespacedRef(name=host.name, namespace=world.operator_namespace)), world, now)
        )
