"""VirtualMachineMigration: one VM, one live move, through the stages of pre-copy (Clark et al. 2005).

::

    Pending --> PreparingTarget --> PreCopy --> StopAndCopy --> Commitment --> Activation --> Succeeded
       |         (target claimed)   (passes)   (guest paused)       |          (the VM has moved)
       |               |               |             |              |
       +---------------+---------------+-------------+--------------+--> Failed     (the VM is intact on its source)
       +---------------+---------------+-------------+-----------------> Cancelled  (likewise)

The target is claimed in the PATCH that leaves Pending. The point of no return is not ours: it is the VM's PATCH of
``hostName``, which it makes once it sees our Commitment confirmed. Each phase's work starts where the one before it
ended, not when somebody looked, so an operator that was down catches up to where the move would have been.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from drover.api.host import Host
from drover.api.meta import FINALIZER
from drover.api.quantity import human
from drover.api.virtualmachine import MigrationSummary, VirtualMachine
from drover.api.virtualmachinemigration import (
    MigrationProgress,
    MigrationQueue,
    MigrationResult,
    VirtualMachineMigration,
)
from drover.control import conditions
from drover.control.world.claims import is_final, is_up, migration_bandwidth, size_of
from drover.control.conditions import Verdict, false, true
from drover.control.driver import POLICY, Activate, Copied, PassSent, PrepareTarget, SendPass, StopAndCopy
from drover.control.virtualmachinemigration.inputs import claim_of, copying, guest_of, link_of, told
from drover.control.virtualmachinemigration.queueing import Blocked, admission
from drover.control.virtualmachinemigration.watches import WATCHES
from drover.control.outcome import Controller, Event, Outcome, warning
from drover.control.world import World
from drover.model import migration as model
from drover.model.placement import Refused, Request, decide

UNSCHEDULABLE_SECONDS = 300.0
"""Model seconds a migration waits for a target that fits (KubeVirt's pending timeout)."""
MIGRATABLE_PHASES = ("Running", "Migrating")
WORTH_WAITING_FOR = ("Pending", "Provisioning", "Scheduling", "Unschedulable", "Starting")


class End(NamedTuple):
    """Why a migration is over before its VM has moved."""

    phase: str
    reason: str
    message: str


def reconcile(migration: VirtualMachineMigration, world: World, now: datetime) -> Outcome:
    if is_final(migration):
        late = Outcome(status=conditions.acknowledged(migration, now))
        return Outcome(protect=False) if migration.deleting else late
    if FINALIZER not in migration.metadata.finalizers:
        return Outcome() if migration.deleting else Outcome(protect=True)
    vm = world.get(VirtualMachine, migration.namespace, migration.spec.virtual_machine_name)
    end = _premature_end(migration, vm, world)
    if end is not None:
        return _ended(migration, now, end)
    match migration.status.phase:
        case "PreparingTarget":
            return _preparing(migration, world, now)
        case "PreCopy":
            return _pre_copy(migration, _present(vm), world, now)
        case "StopAndCopy":
            return _stop_and_copy(migration, _present(vm), world, now)
        case "Commitment":
            return _commitment(migration, vm, world, now)
        case "Activation":
            return _activation(migration, world, now)
        case _:
            return _pending(migration, _present(vm), world, now)


def _present(vm: VirtualMachine | None) -> VirtualMachine:
    assert vm is not None, "a migration without its VM has ended before"
    return vm


def _has_moved(migration: VirtualMachineMigration, vm: VirtualMachine | None) -> bool:
    if migration.status.phase == "Activation":
        return True
    return migration.status.phase == "Commitment" and vm is not None and _committed(migration, vm)


def _committed(migration: VirtualMachineMigration, vm: VirtualMachine) -> bool:
    """Whether the VM's PATCH has moved it; its summary says so even where it has been restarted elsewhere since."""
    summary = vm.status.migration or MigrationSummary()
    # An earlier migration may have had the same name: while this one is under way the summary names it as current.
    recorded = summary.current is None and (summary.last, summary.last_result) == (migration.name, "Succeeded")
    return recorded or vm.status.host_name == migration.status.target_host


def _premature_end(migration: VirtualMachineMigration, vm: VirtualMachine | None, world: World) -> End | None:
    """The first thing that ends a migration whose VM has not moved; the rules in the order users ask about them."""
    if _has_moved(migration, vm):
        return None
    name, status = migration.spec.virtual_machine_name, migration.status
    if vm is None or vm.deleting or (status.vm_uid and status.vm_uid != vm.uid):
        gone = "is being deleted" if vm is not None and vm.deleting else f"does not exist in {migration.namespace}"
        return End("Failed", "VirtualMachineDeleted", f"VirtualMachine {name} {gone}")
    if migration.deleting or (migration.spec.cancel and status.phase != "Commitment"):
        return End("Cancelled", "Cancelled", f"cancelled; {name} stays on {vm.status.host_name or 'no host'}")
    if not status.target_host:
        return None
    if not is_up(world.host(status.source_host)):
        return End("Failed", "SourceHostFailed", f"source host {status.source_host} is lost; {name} went with it")
    if not is_up(world.host(status.target_host)):
        message = f"target host {status.target_host} is lost; {name} goes on running on {status.source_host}"
        return End("Failed", "TargetHostFailed", message)
    if vm.status.phase not in MIGRATABLE_PHASES or vm.status.host_name != status.source_host:
        return End(
            "Failed", "VirtualMachineStopped", f"{name} is {vm.status.phase} on {vm.status.host_name or 'no host'}"
        )
    return _severed(migration, world)


def _severed(migration: VirtualMachineMigration, world: World) -> End | None:
    """The link may be taken away in mid-copy: hardware can be changed."""
    if migration.status.phase not in ("PreCopy", "StopAndCopy"):
        return None
    source, target = _hosts(migration, world)
    return None if migration_bandwidth(source) and migration_bandwidth(target) else _no_link(source, target)


# Pending


def _pending(migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    if (vm.status.phase or "Pending") in WORTH_WAITING_FOR:
        return _not_running_yet(migration, vm, world, now)
    if vm.status.phase not in MIGRATABLE_PHASES:
        message = f"{vm.name} is {vm.status.phase}; only a running guest can be migrated live"
        return _ended(migration, now, End("Failed", "NotMigratable", message))
    other = world.migration_of(vm)
    if other is not None and is_final(other):
        return Outcome()  # until its end is confirmed, which wakes us
    if other is not None:
        message = f"{vm.name} is being migrated by {other.name}: wait for it or cancel it"
        return _ended(migration, now, End("Failed", "OtherMigrationInProgress", message))
    if migration.spec.target_host_name == vm.status.host_name:
        message = f"{vm.name} is on {vm.status.host_name} already"
        return _ended(migration, now, End("Failed", "NotMigratable", message))
    blocked = admission(migration, vm, world, now)
    if isinstance(blocked, Blocked):
        return _wait(migration, now, blocked.queue)
    return _choose_target(migration, vm, world, now, blocked.exclude)


def _not_running_yet(
    migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime
) -> Outcome:
    waiting = migration.status.queue is not None and migration.status.queue.blocked_by == "None"
    since = (migration.status.transition_started_at if waiting else None) or now
    deadline = since + world.pace(vm.status.node_pool_name).wall(UNSCHEDULABLE_SECONDS)
    if now >= deadline:
        message = f"{vm.name} is still {vm.status.phase or 'Pending'}; only a running guest can be migrated live"
        return _ended(migration, now, End("Failed", "NotMigratable", message))
    queue = MigrationQueue(message=f"{vm.name} is {vm.status.phase or 'Pending'}, not Running yet")
    outcome = _wait(migration, now, queue, since)
    return Outcome(status=outcome.status, events=outcome.events, requeue_at=deadline)


def _wait(
    migration: VirtualMachineMigration, now: datetime, queue: MigrationQueue, since: datetime | None = None
) -> Outcome:
    status = _status(migration, now, "Pending", _waiting(queue.message or ""), queue=queue, transition_started_at=since)
    events = () if migration.status.phase else (Event("MigrationQueued", queue.message or "queued"),)
    return Outcome(status=status, events=events)


def _waiting(message: str) -> Verdict:
    return false("Ready", "InProgress", f"waiting: {message}")


def _choose_target(
    migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime, exclude: frozenset[str]
) -> Outcome:
    assert vm.status.flavor is not None
    wanted = migration.spec.target_host_name
    decision = decide(
        world.ledger,
        Request(
            resources=size_of(vm.status.flavor),
            pool=None if wanted else vm.spec.placement.node_pool_name or vm.status.node_pool_name,
            node_selector={**vm.spec.placement.node_selector, **(migration.spec.added_node_selector or {})},
            hosts=frozenset({wanted}) if wanted else None,
            exclude=exclude | {str(vm.status.host_name)},
        ),
    )
    if isinstance(decision, Refused):
        return _no_target(migration, world, now, decision, vm)
    target, source = world.host(decision.host), world.host(vm.status.host_name)
    assert target is not None
    assert source is not None
    return _claim(migration, vm, source, target, world, now)


def _no_target(
    migration: VirtualMachineMigration, world: World, now: datetime, refused: Refused, vm: VirtualMachine
) -> Outcome:
    waiting = migration.status.queue is not None and migration.status.queue.blocked_by == "Capacity"
    since = (migration.status.transition_started_at if waiting else None) or now
    deadline = since + world.pace(vm.status.node_pool_name).wall(UNSCHEDULABLE_SECONDS)
    if now >= deadline:
        return _ended(migration, now, End("Failed", "TargetUnschedulable", refused.message))
    outcome = _wait(migration, now, MigrationQueue(blocked_by="Capacity", message=refused.message), since)
    return Outcome(status=outcome.status, events=outcome.events, requeue_at=deadline)


def _claim(
    migration: VirtualMachineMigration, vm: VirtualMachine, source: Host, target: Host, world: World, now: datetime
) -> Outcome:
    assert vm.status.flavor is not None
    guest = guest_of(vm, world)
    link = _link(migration, source, target, world)
    if link.bandwidth <= 0:
        return _ended(migration, now, _no_link(source, target))
    estimate = told(model.estimate(guest, link, POLICY))
    first = model.first_pass(guest)
    status = _status(
        migration,
        now,
        "PreparingTarget",
        false("Ready", "InProgress", f"preparing {target.name} for {vm.name} from {source.name}"),
        source_host=source.name,
        target_host=target.name,
        resources=claim_of(vm.status.flavor),
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


def _no_link(source: Host, target: Host) -> End:
    message = f"no Migration or Shared NIC joins {source.name} and {target.name}: give their pool one"
    return End("Failed", "LinkFailed", message)


def _link(migration: VirtualMachineMigration, source: Host, target: Host, world: World) -> model.Link:
    others = [
        (m.status.source_host or "", m.status.target_host or "") for m in copying(world) if m.key != migration.key
    ]
    return link_of(source, target, world, others)


# Copying


def _preparing(migration: VirtualMachineMigration, world: World, now: datetime) -> Outcome:
    work = PrepareTarget(migration.uid, migration.status.attempts, _began(migration, now), _pace(migration, world))
    done = world.completion(work)
    if done is None:
        return Outcome(work=frozenset({work}))
    progress = _progress(migration)
    status = _status(
        migration,
        now,
        "PreCopy",
        _copying(migration, 1),
        transition_started_at=done.at,
        progress=progress.model_copy(update={"iteration": 1}),
    )
    message = f"{human(progress.total_bytes)} at {human(progress.bandwidth_bytes_per_second)}/s"
    return Outcome(status=status, events=(Event("PreCopyStarted", message),))


def _pre_copy(migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    """One pass; the next one takes the share of the links it meets then."""
    guest, link = guest_of(vm, world), _stored_link(migration, world)
    work = SendPass(
        migration.uid,
        migration.status.attempts,
        _began(migration, now),
        _pace(migration, world),
        guest,
        link,
        _pass_state(migration),
    )
    done = world.completion(work)
    if done is None:
        return Outcome(work=frozenset({work}))
    assert isinstance(done.result, PassSent)
    source, target = _hosts(migration, world)
    after, link = done.result.state, _link(migration, source, target, world)
    progress = _advanced(migration, after, link)
    match model.next_step(after, guest, link, POLICY):
        case model.GiveUp(reason, message):
            return _ended(migration, now, End("Failed", reason, message), progress)
        case model.SwitchOver():
            return _switch_over(migration, now, done.at, progress)
    progress = progress.model_copy(update={"iteration": after.iteration + 1})
    status = _status(
        migration,
        now,
        "PreCopy",
        _copying(migration, progress.iteration),
        transition_started_at=done.at,
        progress=progress,
    )
    return Outcome(status=status)


def _switch_over(
    migration: VirtualMachineMigration, now: datetime, at: datetime, progress: MigrationProgress
) -> Outcome:
    status = _status(
        migration,
        now,
        "StopAndCopy",
        false("Ready", "InProgress", f"guest is paused, {human(progress.remaining_bytes)} to send"),
        transition_started_at=at,
        mode="Paused",
        progress=progress,
    )
    told = f"after {progress.iteration} passes, {human(progress.remaining_bytes)} left"
    return Outcome(status=status, events=(Event("SwitchOver", told),))


def _stop_and_copy(migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    state = _pass_state(migration, finished=True)
    work = StopAndCopy(
        migration.uid,
        migration.status.attempts,
        _began(migration, now),
        _pace(migration, world),
        guest_of(vm, world),
        _stored_link(migration, world),
        state,
    )
    done = world.completion(work)
    if done is None:
        return Outcome(work=frozenset({work}))
    assert isinstance(done.result, Copied)
    progress = _progress(migration)
    sent = progress.processed_bytes + done.result.sent_bytes
    status = _status(
        migration,
        now,
        "Commitment",
        false("Ready", "InProgress", f"{migration.status.target_host} has the whole guest; moving the claim"),
        transition_started_at=done.at,
        progress=progress.model_copy(update={"processed_bytes": sent, "remaining_bytes": 0, "percent": 99}),
        result=_result(migration, state, done.result.downtime_seconds, sent),
    )
    return Outcome(status=status)


def _commitment(migration: VirtualMachineMigration, vm: VirtualMachine | None, world: World, now: datetime) -> Outcome:
    """Wait for the VM's PATCH; only one the API server has confirmed counts."""
    confirmed = world.confirmed(vm.key) if vm is not None else None
    if not isinstance(confirmed, VirtualMachine) or not _committed(migration, confirmed):
        return Outcome()
    message = f"guest runs on {migration.status.target_host}; announcing its addresses"
    status = _status(
        migration, now, "Activation", false("Ready", "InProgress", message), transition_started_at=now, mode=None
    )
    return Outcome(status=status)


def _activation(migration: VirtualMachineMigration, world: World, now: datetime) -> Outcome:
    work = Activate(migration.uid, migration.status.attempts, _began(migration, now), _pace(migration, world))
    done = world.completion(work)
    if done is None:
        return Outcome(work=frozenset({work}))
    result = migration.status.result or MigrationResult()
    message = (
        f"{migration.spec.virtual_machine_name} moved from {migration.status.source_host} to "
        f"{migration.status.target_host} in {result.duration_seconds:.1f} s, {result.passes} passes, "
        f"{human(result.transferred_bytes)}, downtime {result.downtime_milliseconds:.0f} ms"
    )
    progress = _progress(migration).model_copy(update={"percent": 100, "eta_seconds": 0.0})
    status = _status(
        migration, now, "Succeeded", true("Ready", "Succeeded", message), end_timestamp=now, progress=progress
    )
    return Outcome(status=status, events=(Event("SuccessfulMigration", message),))


# Status


def _status(migration: VirtualMachineMigration, now: datetime, phase: str, ready: Verdict, **fields: Any) -> Any:
    reserved = phase not in ("Pending", "Failed", "Cancelled")
    target = fields.get("target_host", migration.status.target_host)
    verdicts = [
        ready,
        true("TargetReserved", "Reserved", f"on {target}") if reserved else false("TargetReserved", "NotReserved"),
    ]
    if phase in ("Failed", "Cancelled"):
        verdicts.append(true("Stalled", ready.reason, ready.message))
    elif ready.status != "True":
        verdicts.append(true("Reconciling", ready.reason, ready.message))
    return conditions.derive(
        migration, now, phase=phase, verdicts=verdicts, **fields, abort_requested=migration.spec.cancel
    )


def _ended(
    migration: VirtualMachineMigration, now: datetime, end: End, progress: MigrationProgress | None = None
) -> Outcome:
    """Failed or cancelled: one PATCH ends it and gives the target back."""
    status = _status(
        migration,
        now,
        end.phase,
        false("Ready", end.reason, end.message),
        failure_reason=end.reason,
        end_timestamp=now,
        progress=progress or migration.status.progress,
        mode=None,
        queue=None,
    )
    reason = "SuccessfulAbortMigration" if end.phase == "Cancelled" else "FailedMigration"
    event = Event(reason, end.message) if end.phase == "Cancelled" else warning(reason, f"{end.reason}: {end.message}")
    return Outcome(status=status, events=(event,))


def _copying(migration: VirtualMachineMigration, iteration: int) -> Verdict:
    route = f"{migration.status.source_host} to {migration.status.target_host}"
    return false("Ready", "InProgress", f"pass {iteration} from {route}")


def _progress(migration: VirtualMachineMigration) -> MigrationProgress:
    return migration.status.progress or MigrationProgress()


def _pass_state(migration: VirtualMachineMigration, *, finished: bool = False) -> model.PassState:
    """The model's state as the status tells it: while a pass is under way, ``iteration`` counts that one too."""
    progress = _progress(migration)
    return model.PassState(
        iteration=progress.iteration if finished else progress.iteration - 1,
        remaining=progress.remaining_bytes,
        sent=progress.processed_bytes,
        elapsed=progress.elapsed_seconds,
    )


def _advanced(migration: VirtualMachineMigration, after: model.PassState, link: model.Link) -> MigrationProgress:
    before, estimate = _progress(migration), migration.status.estimate
    predicted = estimate.duration_seconds.p50 if estimate and estimate.duration_seconds else 0.0
    elapsed = POLICY.target_preparation + after.elapsed
    eta = max(predicted - elapsed, after.remaining / link.line + POLICY.activation)
    percent = min(99, max(before.percent, int(100 * elapsed / (elapsed + eta))))
    return before.model_copy(
        update={
            "percent": percent,
            "iteration": after.iteration,
            "processed_bytes": round(after.sent),
            "remaining_bytes": round(after.remaining),
            "elapsed_seconds": after.elapsed,
            "bandwidth_bytes_per_second": round(link.bandwidth),
            "eta_seconds": round(eta, 3),
        }
    )


def _result(migration: VirtualMachineMigration, state: model.PassState, downtime: float, sent: int) -> MigrationResult:
    """What was played beside what was predicted, in model time."""
    duration = POLICY.target_preparation + state.elapsed + downtime
    estimate = migration.status.estimate
    predicted = estimate.duration_seconds.p50 if estimate and estimate.duration_seconds else 0.0
    predicted_ms = estimate.downtime_milliseconds.p50 if estimate and estimate.downtime_milliseconds else 0.0
    return MigrationResult(
        downtime_milliseconds=round(downtime * 1000, 1),
        duration_seconds=round(duration, 3),
        transferred_bytes=sent,
        passes=state.iteration,
        duration_error_percent=_error(duration, predicted),
        downtime_error_percent=_error(downtime * 1000, predicted_ms),
    )


def _error(played: float, predicted: float) -> float | None:
    return round(100 * (played - predicted) / predicted, 1) if predicted else None


# The rest of the world


def _began(migration: VirtualMachineMigration, now: datetime) -> datetime:
    return migration.status.transition_started_at or now


def _pace(migration: VirtualMachineMigration, world: World) -> Any:
    source = world.host(migration.status.source_host)
    return world.pace(source.spec.pool_ref.name if source is not None else None)


def _hosts(migration: VirtualMachineMigration, world: World) -> tuple[Host, Host]:
    source, target = world.host(migration.status.source_host), world.host(migration.status.target_host)
    assert source is not None
    assert target is not None
    return source, target


def _stored_link(migration: VirtualMachineMigration, world: World) -> model.Link:
    """The link as it was shared when the present pass began, so that a restart plays the same pass."""
    source, target = _hosts(migration, world)
    alone = link_of(source, target, world, ())
    share = min(float(_progress(migration).bandwidth_bytes_per_second), alone.line)
    return model.Link(bandwidth=share, line=alone.line, rtt=alone.rtt)


CONTROLLER = Controller(VirtualMachineMigration.KIND, reconcile, WATCHES)
