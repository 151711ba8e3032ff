"""Before a migration begins: wait for the VM, for a slot and for room; then claim the target in one PATCH."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from drover.api.host import Host
from drover.api.migrationplan import MigrationPlan
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import BlockedBy, MigrationProgress, MigrationQueue, VirtualMachineMigration
from drover.control.conditions import Verdict, false
from drover.control.migrationplan.holding import Hold, hold_on
from drover.control.outcome import Event, Outcome, warning
from drover.control.policies import Chosen, PolicyNotFound, bandwidth_cap, policy_of
from drover.control.virtualmachinemigration.inputs import as_planned, claim_of, route_of, setting_of, told, workload_of
from drover.control.virtualmachinemigration.links import no_link, present_share
from drover.control.virtualmachinemigration.queueing import Blocked, admission
from drover.control.virtualmachinemigration.status import End, ended, next_status
from drover.control.world import World
from drover.control.world.claims import is_final
from drover.control.world.requests import request_of
from drover.model import migration as model
from drover.model.placement import Refused, decide

UNSCHEDULABLE_SECONDS = 300.0
"""Model seconds a migration waits for its VM, a policy or a target that fits (KubeVirt's pending timeout)."""
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
    chosen = _policy(migration, vm, world)
    if isinstance(chosen, PolicyNotFound):
        return _wait_at_most(migration, vm, world, now, MigrationQueue(blocked_by="Policy", message=chosen.message))
    if (hold := hold_on(migration, world, now)) is not None:
        return _held(migration, now, hold)
    blocked = admission(migration, vm, world)
    if isinstance(blocked, Blocked):
        same = blocked.queue == migration.status.queue
        return _wait(migration, now, blocked.queue, migration.status.transition_started_at if same else None)
    return _choose_target(migration, vm, chosen, world, now, blocked.exclude)


def _held(migration: VirtualMachineMigration, now: datetime, hold: Hold) -> Outcome:
    by: BlockedBy = "Window" if hold.reason in ("WindowNotOpen", "WindowClosed") else "Plan"
    outcome = _wait(migration, now, MigrationQueue(blocked_by=by, message=f"its plan holds it: {hold.message}"))
    return replace(outcome, requeue_at=hold.until)


def _is_confirmed(vm: VirtualMachine, world: World) -> bool:
    confirmed = world.confirmed(vm.key)
    return (
        isinstance(confirmed, VirtualMachine)
        and confirmed.status.phase in MIGRATABLE_PHASES
        and confirmed.status.host_name == vm.status.host_name
    )


def _not_running_yet(migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    state = vm.status.phase or "Pending"
    waiting = MigrationQueue(
        message=f"{vm.name} is {state}, not Running yet: only a running guest can be migrated live"
    )
    return _wait_at_most(migration, vm, world, now, waiting)


def _wait_at_most(
    migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime, queue: MigrationQueue
) -> Outcome:
    """Wait for what may never come: its VM, a policy, room on a target."""
    before = migration.status.queue
    waiting = before is not None and before.blocked_by == queue.blocked_by
    since = (migration.status.transition_started_at if waiting else None) or now
    deadline = since + world.pace(vm.status.node_pool_name).wall(UNSCHEDULABLE_SECONDS)
    if now >= deadline:
        reason = "TargetUnschedulable" if queue.blocked_by == "Capacity" else "NotMigratable"
        return ended(migration, now, End("Failed", reason, queue.message or ""))
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
    migration: VirtualMachineMigration,
    vm: VirtualMachine,
    chosen: Chosen,
    world: World,
    now: datetime,
    exclude: frozenset[str],
) -> Outcome:
    assert vm.status.flavor is not None
    wanted, preferred = migration.spec.target_host_name, migration.spec.preferred_target_host_name
    own = request_of(vm, vm.status.flavor, world)
    request = replace(
        own,
        pool=None if wanted else own.pool or vm.status.node_pool_name,
        node_selector={**(migration.spec.added_node_selector or {}), **own.node_selector},
        hosts=frozenset({wanted}) if wanted else None,
        exclude=exclude | {str(vm.status.host_name)},
        unreserved=True,
    )
    decision = decide(world.ledger, replace(request, hosts=frozenset({preferred}))) if preferred else None
    if decision is None or isinstance(decision, Refused):
        decision = decide(world.ledger, request)
    if isinstance(decision, Refused):
        waiting = MigrationQueue(blocked_by="Capacity", message=decision.message)
        return _wait_at_most(migration, vm, world, now, waiting)
    target, source = world.host(decision.host), world.host(vm.status.host_name)
    assert target is not None
    assert source is not None
    return _claim(migration, vm, chosen, source, target, decision.cells, world, now)


def _claim(
    migration: VirtualMachineMigration,
    vm: VirtualMachine,
    chosen: Chosen,
    source: Host,
    target: Host,
    cells: tuple[int, ...],
    world: World,
    now: datetime,
) -> Outcome:
    assert vm.status.flavor is not None
    route = present_share(route_of(source, target, world, bandwidth_cap(chosen.settings)), world)
    if route.alone.bandwidth <= 0:
        return ended(migration, now, no_link(source, target))
    workload = workload_of(vm, world)
    given = setting_of(workload, chosen.settings, route)
    estimate = told(model.estimate(given, workload.dirty_noise), route.alone.bandwidth)
    if (plan := _plan(migration, world)) is not None:
        estimate = as_planned(estimate, plan, migration.name, target.name)
    whole = round(workload.memory.wire_bytes)
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
        policy_name=chosen.name,
        settings=chosen.settings,
        estimate=estimate,
        queue=None,
        attempts=migration.status.attempts + 1,
        progress=MigrationProgress(
            total_bytes=whole,
            remaining_bytes=whole,
            bandwidth_bytes_per_second=round(route.alone.bandwidth),
            eta_seconds=estimate.duration_seconds.p50 if estimate.duration_seconds else None,
        ),
    )
    reserved = Event("TargetReserved", f"{source.name} to {target.name}")
    doubtful = () if estimate.verdict == "Converges" else (warning("EstimatedNotToConverge", estimate.message or ""),)
    return Outcome(status=status, events=(reserved, *doubtful))


def _policy(migration: VirtualMachineMigration, vm: VirtualMachine, world: World) -> Chosen | PolicyNotFound:
    """The policy that holds for the move, with what its plan puts before it."""
    plan = _plan(migration, world)
    return policy_of(vm, world, migration.spec.policy_name, plan.spec.overrides if plan is not None else None)


def _plan(migration: VirtualMachineMigration, world: World) -> MigrationPlan | None:
    spec = migration.spec
    return world.plan(spec.plan_namespace or migration.namespace, spec.plan_name) if spec.plan_name else None
