"""Before a migration begins: wait for the VM, for a slot and for room; then claim the target in one PATCH."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from drover.api.host import Host
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import MigrationProgress, MigrationQueue, VirtualMachineMigration
from drover.control.conditions import Verdict, false
from drover.control.driver import POLICY
from drover.control.outcome import Event, Outcome
from drover.control.virtualmachinemigration.inputs import claim_of, guest_of, told
from drover.control.virtualmachinemigration.links import no_link, present_link
from drover.control.virtualmachinemigration.queueing import Blocked, admission
from drover.control.virtualmachinemigration.status import End, ended, next_status
from drover.control.world import World
from drover.control.world.claims import is_final
from drover.control.world.requests import request_of
from drover.model import migration as model
from drover.model.placement import Refused, decide

UNSCHEDULABLE_SECONDS = 300.0
"""Model seconds a migration waits for its VM to run, or for a target that fits (KubeVirt's pending timeout)."""
MIGRATABLE_PHASES = ("Running", "Migrating")
WORTH_WAITING_FOR = ("Pending", "Provisioning", "Scheduling", "Unschedulable", "Starting")


def pending(migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    if (vm.status.phase or "Pending") in WORTH_WAITING_FOR:
        return _not_running_yet(migration, vm, world, now)
    if vm.status.phase not in MIGRATABLE_PHASES:
        message = f"{vm.name} is {vm.status.phase}; only a running guest can be migrated live"
        return ended(migration, now, End("Failed", "NotMigratable", message))
    if vm.status.flavor is not None and vm.status.flavor.gpus:
        message = f"{vm.name} has GPUs, which cannot be moved live: stop and start it to move it"
        return ended(migration, now, End("Failed", "NotMigratable", message))
    if not _is_confirmed(vm, world):
        return Outcome()  # it is only assumed to run there; the answer to that write wakes us
    other = world.migration_of(vm)
    if other is not None and is_final(other):
        return Outcome()  # until its end is confirmed, which wakes us
    if other is not None:
        message = f"{vm.name} is being migrated by {other.name}: wait for it or cancel it"
        return ended(migration, now, End("Failed", "OtherMigrationInProgress", message))
    if migration.spec.target_host_name == vm.status.host_name:
        message = f"{vm.name} is on {vm.status.host_name} already"
        return ended(migration, now, End("Failed", "NotMigratable", message))
    blocked = admission(migration, vm, world, now)
    if isinstance(blocked, Blocked):
        return _wait(migration, now, blocked.queue)
    return _choose_target(migration, vm, world, now, blocked.exclude)


def _is_confirmed(vm: VirtualMachine, world: World) -> bool:
    confirmed = world.confirmed(vm.key)
    return (
        isinstance(confirmed, VirtualMachine)
        and confirmed.status.phase in MIGRATABLE_PHASES
        and confirmed.status.host_name == vm.status.host_name
    )


def _not_running_yet(migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    waiting = migration.status.queue is not None and migration.status.queue.blocked_by == "None"
    since = (migration.status.transition_started_at if waiting else None) or now
    deadline = since + world.pace(vm.status.node_pool_name).wall(UNSCHEDULABLE_SECONDS)
    if now >= deadline:
        message = f"{vm.name} is still {vm.status.phase or 'Pending'}; only a running guest can be migrated live"
        return ended(migration, now, End("Failed", "NotMigratable", message))
    queue = MigrationQueue(message=f"{vm.name} is {vm.status.phase or 'Pending'}, not Running yet")
    outcome = _wait(migration, now, queue, since)
    return Outcome(status=outcome.status, events=outcome.events, requeue_at=deadline)


def _wait(
    migration: VirtualMachineMigration, now: datetime, queue: MigrationQueue, since: datetime | None = None
) -> Outcome:
    waiting = _waiting(queue.message or "")
    status = next_status(migration, now, "Pending", waiting, queue=queue, transition_started_at=since)
    events = () if migration.status.phase else (Event("MigrationQueued", queue.message or "queued"),)
    return Outcome(status=status, events=events)


def _waiting(message: str) -> Verdict:
    return false("Ready", "InProgress", f"waiting: {message}")


def _choose_target(
    migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime, exclude: frozenset[str]
) -> Outcome:
    assert vm.status.flavor is not None
    wanted = migration.spec.target_host_name
    own = request_of(vm, vm.status.flavor, world)
    request = replace(
        own,
        pool=None if wanted else own.pool or vm.status.node_pool_name,
        node_selector={**(migration.spec.added_node_selector or {}), **own.node_selector},
        hosts=frozenset({wanted}) if wanted else None,
        exclude=exclude | {str(vm.status.host_name)},
        unreserved=True,
    )
    decision = decide(world.ledger, request)
    if isinstance(decision, Refused):
        return _no_target(migration, world, now, decision, vm)
    target, source = world.host(decision.host), world.host(vm.status.host_name)
    assert target is not None
    assert source is not None
    return _claim(migration, vm, source, target, decision.cells, world, now)


def _no_target(
    migration: VirtualMachineMigration, world: World, now: datetime, refused: Refused, vm: VirtualMachine
) -> Outcome:
    waiting = migration.status.queue is not None and migration.status.queue.blocked_by == "Capacity"
    since = (migration.status.transition_started_at if waiting else None) or now
    deadline = since + world.pace(vm.status.node_pool_name).wall(UNSCHEDULABLE_SECONDS)
    if now >= deadline:
        return ended(migration, now, End("Failed", "TargetUnschedulable", refused.message))
    outcome = _wait(migration, now, MigrationQueue(blocked_by="Capacity", message=refused.message), since)
    return Outcome(status=outcome.status, events=outcome.events, requeue_at=deadline)


def _claim(
    migration: VirtualMachineMigration,
    vm: VirtualMachine,
    source: Host,
    target: Host,
    cells: tuple[int, ...],
    world: World,
    now: datetime,
) -> Outcome:
    assert vm.status.flavor is not None
    guest = guest_of(vm, world)
    link = present_link(migration, source, target, world)
    if link.bandwidth <= 0:
        return ended(migration, now, no_link(source, target))
    estimate = told(model.estimate(guest, link, POLICY))
    first = model.first_pass(guest)
    status = next_status(
        migration,
        now,
        "PreparingTarget",
        false("Ready", "InProgress", f"preparing {target.name} for {vm.name} from {source.name}"),
        source_host=source.name,
        target_host=target.name,
        resources=claim_of(vm.status.flavor, cells),
        vm_uid=vm.uid,
        start_timestamp=now,
        transition_started_at=now,
        mode="PreCopy",
        estimate=estimate,
        queue=None,
        attempts=migration.status.attempts + 1,
        progress=MigrationProgress(
            total_bytes=round(first.remaining),
            remaining_bytes=round(first.remaining),
            bandwidth_bytes_per_second=round(link.bandwidth),
            dirty_rate_bytes_per_second=round(guest.dirty_rate),
            eta_seconds=estimate.duration_seconds.p50 if estimate.duration_seconds else None,
        ),
    )
    return Outcome(status=status, events=(Event("TargetReserved", f"{source.name} to {target.name}"),))
