"""MigrationPlan: many moves as one intention, planned first, then carried out through migrations.

::

    Pending --> Planned                                   (mode DryRun ends here)
       |
       +------> Queued <--> Migrating --> Succeeded | PartiallySucceeded | Failed
                   |           |
                   +-----------+--------> Cancelling --> Cancelled

While it works, a plan of one VM shows that migration's own phase (PreCopy, StopAndCopy, Commitment, Activation).
A plan writes its own status and creates migrations; it never touches a VM. Migrations are named after plan, VM and
attempt, so a crash between the status and the creation makes none twice.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any, cast

from drover.api.meta import FINALIZER, GROUP, Key, ObjectMeta
from drover.api.migrationplan import MigrationPlan, PlanMigration, PlanResult
from drover.api.virtualmachinemigration import VirtualMachineMigration, VirtualMachineMigrationSpec
from drover.control import conditions, planning
from drover.control.world.claims import is_final, plan_of_migration
from drover.control.conditions import Verdict, false, true
from drover.control.outcome import Child, Controller, Create, Delete, Event, Outcome, PatchSpec, Watch, warning
from drover.control.world import World

FINAL_PHASES = frozenset({"Succeeded", "PartiallySucceeded", "Failed", "Cancelled"})
FINAL_ENTRY_PHASES = frozenset({"Succeeded", "Failed", "Cancelled"})
NOT_RETRIED = frozenset(
    {"VirtualMachineDeleted", "VirtualMachineStopped", "VirtualMachineNotFound", "NotMigratable", "Cancelled"}
)
SHOWN_FOR_ONE = frozenset({"PreCopy", "StopAndCopy", "Commitment", "Activation"})
PLAN_NAMESPACE_LABEL = f"{GROUP}/plan-namespace"
PLAN_NAME_LABEL = f"{GROUP}/plan-name"
PLAN_UID_LABEL = f"{GROUP}/plan-uid"
MAX_NAME = 253
MAX_LABEL = 63
GATHER_SECONDS = 0.5
"""Progress of many migrations is gathered into one write of the plan."""


def reconcile(plan: MigrationPlan, world: World, now: datetime) -> Outcome:
    if plan.deleting:
        return _deleted(plan, world)
    if FINALIZER not in plan.metadata.finalizers:
        return Outcome(protect=True)
    if plan.status.phase in FINAL_PHASES:
        return Outcome(status=conditions.acknowledged(plan, now))
    if plan.status.phase in (None, "Pending") or _dry_run_changed(plan):
        return _plan(plan, world, now)
    if plan.status.phase == "Planned":
        return Outcome()
    return _work(plan, world, now)


def _dry_run_changed(plan: MigrationPlan) -> bool:
    return plan.status.phase == "Planned" and plan.status.observed_generation != plan.metadata.generation


# Planning


def _plan(plan: MigrationPlan, world: World, now: datetime) -> Outcome:
    if plan.spec.host_name is not None and plan.namespace != world.operator_namespace:
        message = (
            f"spec.hostName drains VMs of every namespace, so it works in namespace {world.operator_namespace} only: "
            f"create the plan there, or name spec.virtualMachines"
        )
        return _refused(plan, now, message)
    if plan.spec.host_name is not None and world.host(plan.spec.host_name) is None:
        return _refused(plan, now, f"host {plan.spec.host_name} does not exist: see `kubectl get hosts`")
    if plan.spec.cancel:
        return _finished(plan, world, now, plan.status.migrations, "Cancelled")
    planned = planning.compute(plan, world)
    told = _told(planned)
    events = (Event("PlanComputed", told), *_infeasible(planned))
    if plan.spec.mode == "DryRun":
        verdicts = (true("Ready", "DryRunComplete", told), *_planned_verdicts(planned))
        status = _status(plan, now, "Planned", planned.migrations, verdicts, estimate=planned.estimate)
        return Outcome(status=status, events=events)
    if not any(entry.phase == "Pending" for entry in planned.migrations):
        return _finished(plan, world, now, planned.migrations, None, estimate=planned.estimate)
    verdicts = (false("Ready", "InProgress", _progress(planned.migrations)), *_planned_verdicts(planned))
    status = _status(plan, now, "Queued", planned.migrations, verdicts, estimate=planned.estimate)
    return Outcome(status=status, events=events)


def _refused(plan: MigrationPlan, now: datetime, message: str) -> Outcome:
    verdicts = (false("Ready", "Failed", message), false("Planned", "NotMigratable", message))
    status = _status(plan, now, "Failed", (), verdicts, end_timestamp=now)
    return Outcome(status=status, events=(warning("PlanFailed", message),))


def _told(planned: planning.Planned) -> str:
    estimate = planned.estimate
    duration, pause = estimate.duration_seconds, estimate.downtime_milliseconds
    moving = sum(entry.phase == "Pending" for entry in planned.migrations)
    return (
        f"{moving} of {len(planned.migrations)} VMs to move, {duration.p50 if duration else 0:.0f} s p50, "
        f"worst pause {pause.p90 if pause else 0:.0f} ms, {estimate.verdict}"
    )


def _infeasible(planned: planning.Planned) -> tuple[Event, ...]:
    wrong = [
        entry for entry in planned.migrations if entry.phase == "Failed" or entry.verdict not in (None, "Converges")
    ]
    if not wrong:
        return ()
    named = ", ".join(f"{e.namespace}/{e.virtual_machine}: {e.reason or e.verdict}" for e in wrong[:5])
    return (warning("PlanInfeasible", named + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")),)


def _planned_verdicts(planned: planning.Planned) -> tuple[Verdict, ...]:
    verdict, warnings = planned.estimate.verdict, planned.estimate.warnings
    detail = "; ".join(warnings[:3])
    feasible = verdict == "Converges"
    return (
        true("Planned", "Planned", _told(planned)),
        true("Feasible", verdict) if feasible else false("Feasible", verdict, detail or verdict),
    )


# Work


def _work(plan: MigrationPlan, world: World, now: datetime) -> Outcome:
    entries = tuple(_follow(plan, entry, world, now) for entry in plan.status.migrations)
    if plan.spec.cancel:
        return _cancel(plan, world, now, entries)
    if all(entry.phase in FINAL_ENTRY_PHASES and entry.retry_after is None for entry in entries):
        return _finished(plan, world, now, entries, None)
    entries, started = _start(plan, entries, now)
    children = tuple(Create(_migration(plan, entry)) for entry in entries if _needs_creation(entry, world))
    verdicts = (false("Ready", "InProgress", _progress(entries)), *_kept(plan))
    status = _status(
        plan,
        now,
        _working_phase(plan, entries),
        entries,
        verdicts,
        start_timestamp=plan.status.start_timestamp or (now if started else None),
    )
    # A retry that is due already waits for a slot or for paused to be lifted, not for a time.
    retries = [entry.retry_after for entry in entries if entry.retry_after is not None and entry.retry_after > now]
    return Outcome(status=status, children=children, requeue_at=min(retries, default=None))


def _follow(plan: MigrationPlan, entry: PlanMigration, world: World, now: datetime) -> PlanMigration:
    """The entry as its migration stands now."""
    migration = _child(entry, world)
    if entry.phase in FINAL_ENTRY_PHASES or entry.migration is None:
        return entry
    if migration is None:
        # Named but never seen: still to be created. Seen before and gone: somebody deleted it.
        seen = entry.phase not in (None, "Pending")
        return entry.model_copy(update={"phase": "Cancelled", "reason": "Cancelled"}) if seen else entry
    followed = entry.model_copy(
        update={
            "phase": migration.status.phase or "Pending",
            "target": migration.status.target_host or entry.target,
            "reason": migration.status.failure_reason if is_final(migration) else None,
        }
    )
    return _retried(plan, followed, migration, now)


def _retried(
    plan: MigrationPlan, entry: PlanMigration, migration: VirtualMachineMigration, now: datetime
) -> PlanMigration:
    """A failed migration is tried again after a back-off that doubles, while the limit allows."""
    if entry.phase != "Failed" or entry.reason in NOT_RETRIED or entry.attempts > plan.spec.retry.limit:
        return entry
    backoff = plan.spec.retry.backoff.seconds * 2 ** (entry.attempts - 1)
    ended = migration.status.end_timestamp or now
    return entry.model_copy(
        update={"phase": "Pending", "migration": None, "retry_after": ended + timedelta(seconds=backoff)}
    )


def _start(
    plan: MigrationPlan, entries: tuple[PlanMigration, ...], now: datetime
) -> tuple[tuple[PlanMigration, ...], bool]:
    """Name the migrations that may begin now; how many run at a time the plan limits, the rest is their queue."""
    limit = plan.spec.limits.max_concurrent or len(entries)
    active = sum(_is_active(entry) for entry in entries)
    result = []
    for entry in entries:
        due = entry.retry_after is None or entry.retry_after <= now
        if entry.phase == "Pending" and entry.migration is None and due and active < limit and not plan.spec.paused:
            attempt = entry.attempts + 1
            name = child_name(plan, entry, attempt)
            entry = entry.model_copy(update={"migration": name, "attempts": attempt, "retry_after": None})
            active += 1
        result.append(entry)
    return tuple(result), active > 0


def _is_active(entry: PlanMigration) -> bool:
    return entry.migration is not None and entry.phase not in FINAL_ENTRY_PHASES


def child_name(plan: MigrationPlan, entry: PlanMigration, attempt: int) -> str:
    """The same for the same plan, VM and attempt; shortened by a hash where it would be too long."""
    name = f"{plan.name}-{entry.virtual_machine}-{attempt}"
    digest = hashlib.sha256(f"{plan.uid}/{entry.namespace}/{name}".encode()).hexdigest()[:10]
    return f"{name[: MAX_NAME - 11]}-{digest}" if len(name) > MAX_NAME or _foreign(plan, entry) else name


def _foreign(plan: MigrationPlan, entry: PlanMigration) -> bool:
    """A plan of another namespace must not meet a namesake's migrations."""
    return plan.namespace != entry.namespace


def _needs_creation(entry: PlanMigration, world: World) -> bool:
    return entry.migration is not None and entry.phase == "Pending" and _child(entry, world) is None


def _child(entry: PlanMigration, world: World) -> VirtualMachineMigration | None:
    return world.get(VirtualMachineMigration, entry.namespace, entry.migration) if entry.migration else None


def _migration(plan: MigrationPlan, entry: PlanMigration) -> VirtualMachineMigration:
    named = next((vm for vm in plan.spec.virtual_machines or () if vm.name == entry.virtual_machine), None)
    # The planned target is advice; what the user named, or narrowed to, is binding.
    target = named.target_host_name if named else None
    binding = target or (entry.target if plan.spec.target.host_names or plan.spec.target.exclude_hosts else None)
    return VirtualMachineMigration(
        metadata=ObjectMeta(
            name=cast(str, entry.migration),
            namespace=entry.namespace,
            labels={
                PLAN_NAMESPACE_LABEL: plan.namespace,
                PLAN_NAME_LABEL: plan.name[:MAX_LABEL],
                PLAN_UID_LABEL: plan.uid,
            },
        ),
        spec=VirtualMachineMigrationSpec(
            virtual_machine_name=entry.virtual_machine,
            target_host_name=binding,
            added_node_selector=None if binding else plan.spec.target.node_selector or None,
            priority=plan.spec.priority,
            plan_name=plan.name,
            plan_namespace=plan.namespace,
        ),
    )


def _cancel(plan: MigrationPlan, world: World, now: datetime, entries: tuple[PlanMigration, ...]) -> Outcome:
    """Nothing new starts; what runs is asked to stop, and ends as it can."""
    entries = tuple(
        entry.model_copy(update={"phase": "Cancelled", "reason": "Cancelled", "retry_after": None})
        if entry.phase == "Pending" and _child(entry, world) is None
        else entry
        for entry in entries
    )
    if all(entry.phase in FINAL_ENTRY_PHASES for entry in entries):
        return _finished(plan, world, now, entries, "Cancelled")
    children: list[Child] = []
    for entry in entries:
        child = _child(entry, world)
        if child is not None and not is_final(child) and not child.spec.cancel:
            children.append(PatchSpec(child, {"cancel": True}))
    verdicts = (false("Ready", "InProgress", f"cancelling: {_progress(entries)}"), *_kept(plan))
    return Outcome(status=_status(plan, now, "Cancelling", entries, verdicts), children=tuple(children))


def _working_phase(plan: MigrationPlan, entries: tuple[PlanMigration, ...]) -> str:
    if not any(_is_active(entry) for entry in entries):
        return "Migrating" if plan.status.start_timestamp else "Queued"
    if len(entries) == 1 and entries[0].phase in SHOWN_FOR_ONE:
        return str(entries[0].phase)
    return "Migrating"


# The end


def _finished(
    plan: MigrationPlan,
    world: World,
    now: datetime,
    entries: tuple[PlanMigration, ...],
    outcome: str | None,
    **fields: Any,
) -> Outcome:
    moved = sum(entry.phase == "Succeeded" for entry in entries)
    failed = sum(entry.phase == "Failed" for entry in entries)
    phase = outcome or ("Succeeded" if not failed else "PartiallySucceeded" if moved else "Failed")
    message = _progress(entries) + _failures(entries)
    satisfied = bool(entries) and all(entry.reason == "AlreadySatisfied" for entry in entries)
    reason = "AlreadySatisfied" if satisfied else phase
    ready = true("Ready", reason, message) if phase == "Succeeded" else false("Ready", _ready_reason(phase), message)
    status = _status(
        plan,
        now,
        phase,
        entries,
        (ready, *_kept(plan)),
        end_timestamp=now,
        result=_result(plan, world, now, entries),
        **fields,
    )
    event = Event(f"Plan{phase}", message) if phase in ("Succeeded", "Cancelled") else warning(f"Plan{phase}", message)
    return Outcome(status=status, events=(event,))


def _ready_reason(phase: str) -> str:
    return "Cancelled" if phase == "Cancelled" else "Failed"


def _failures(entries: tuple[PlanMigration, ...]) -> str:
    failed = [entry for entry in entries if entry.phase == "Failed"]
    if not failed:
        return ""
    named = ", ".join(f"{entry.namespace}/{entry.virtual_machine}: {entry.reason}" for entry in failed[:5])
    more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
    return f" ({named}{more}); mend the cause and create a new plan"


def _result(plan: MigrationPlan, world: World, now: datetime, entries: tuple[PlanMigration, ...]) -> PlanResult | None:
    if plan.status.start_timestamp is None:
        return None
    children = [child for entry in entries if (child := _child(entry, world)) is not None]
    results = [child.status.result for child in children if child.status.phase == "Succeeded" and child.status.result]
    source = world.host(entries[0].source) if entries else None
    pace = world.pace(source.spec.pool_ref.name if source is not None else None)
    seconds = pace.model(now - plan.status.start_timestamp)
    estimate = plan.status.estimate
    predicted = estimate.duration_seconds.p50 if estimate and estimate.duration_seconds else 0.0
    return PlanResult(
        duration_seconds=round(seconds, 3),
        total_downtime_milliseconds=round(sum(result.downtime_milliseconds for result in results), 1),
        transferred_bytes=sum(result.transferred_bytes for result in results),
        duration_error_percent=round(100 * (seconds - predicted) / predicted, 1) if predicted else None,
    )


# Status


def _progress(entries: tuple[PlanMigration, ...]) -> str:
    moved = sum(entry.phase == "Succeeded" for entry in entries)
    failed = sum(entry.phase == "Failed" for entry in entries)
    active = sum(_is_active(entry) for entry in entries)
    return f"{moved} of {len(entries)} VMs moved, {active} under way, {failed} failed"


def _kept(plan: MigrationPlan) -> tuple[Verdict, ...]:
    """Conditions decided when the plan was made."""
    kept = (plan.status.condition(name) for name in ("Planned", "Feasible"))
    return tuple(Verdict(c.type, c.status, c.reason, c.message) for c in kept if c is not None)


def _status(
    plan: MigrationPlan,
    now: datetime,
    phase: str,
    entries: tuple[PlanMigration, ...],
    verdicts: tuple[Verdict, ...],
    **fields: Any,
) -> Any:
    ready = verdicts[0]
    if phase in ("Failed", "PartiallySucceeded", "Cancelled"):
        verdicts += (true("Stalled", ready.reason, ready.message),)
    elif ready.status != "True":
        verdicts += (true("Reconciling", ready.reason, ready.message),)
    skipped = sum(entry.reason == "AlreadySatisfied" or entry.phase == "Cancelled" for entry in entries)
    done = sum(entry.phase in FINAL_ENTRY_PHASES for entry in entries)
    counts = {
        "total": len(entries),
        "pending": sum(entry.phase == "Pending" and not _is_active(entry) for entry in entries),
        "active": sum(_is_active(entry) for entry in entries),
        "succeeded": sum(entry.phase == "Succeeded" and entry.reason != "AlreadySatisfied" for entry in entries),
        "failed": sum(entry.phase == "Failed" for entry in entries),
        "skipped": skipped,
        "percent": 100 * done // len(entries) if entries else 100,
        "migrations": entries,
    }
    return conditions.derive(plan, now, phase=phase, verdicts=verdicts, **counts, **fields)


# Deletion


def _deleted(plan: MigrationPlan, world: World) -> Outcome:
    """A plan goes with its migrations: what runs is cancelled, and all are removed once they have ended."""
    children = world.migrations(world.migrations_of_plan[plan.key])
    mine = [child for child in children if child.metadata.labels.get(PLAN_UID_LABEL) == plan.uid]
    if not mine:
        return Outcome(protect=False)
    todo: list[Child] = []
    for child in mine:
        if is_final(child):
            todo.append(Delete(child))
        elif not child.spec.cancel:
            todo.append(PatchSpec(child, {"cancel": True}))
    return Outcome(children=tuple(todo))


def _by_migration(before: Any, after: Any, _world: World) -> list[Key]:
    migration = cast(VirtualMachineMigration, after if after is not None else before)
    if before is not None and after is not None and before.status.phase == after.status.phase:
        return []
    return plan_of_migration(migration)


CONTROLLER = Controller(
    MigrationPlan.KIND, reconcile, (Watch(VirtualMachineMigration.KIND, _by_migration, GATHER_SECONDS),)
)
