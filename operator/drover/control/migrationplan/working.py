"""Carrying a plan out: follow its migrations, start what may start, retry what failed, cancel, and finish."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any, cast

from drover.api.meta import GROUP, ObjectMeta
from drover.api.migrationplan import MigrationPlan, PlanMigration, PlanResult
from drover.api.virtualmachinemigration import VirtualMachineMigration, VirtualMachineMigrationSpec
from drover.control.conditions import false, true
from drover.control.migrationplan.status import is_active, kept, next_status, progress
from drover.control.outcome import Child, Create, Event, Outcome, PatchSpec, warning
from drover.control.world import World
from drover.control.world.claims import FINAL_MIGRATION_PHASES, PLAN_UID_LABEL, is_final

NOT_RETRIED = frozenset(
    {"VirtualMachineDeleted", "VirtualMachineStopped", "VirtualMachineNotFound", "NotMigratable", "Cancelled"}
)
SHOWN_FOR_ONE = frozenset({"PreCopy", "StopAndCopy", "Commitment", "Activation"})
PLAN_NAMESPACE_LABEL = f"{GROUP}/plan-namespace"
PLAN_NAME_LABEL = f"{GROUP}/plan-name"
MAX_NAME = 253
MAX_LABEL = 63


def work(plan: MigrationPlan, world: World, now: datetime) -> Outcome:
    entries = tuple(_follow(plan, entry, world, now) for entry in plan.status.migrations)
    if plan.spec.cancel:
        return _cancel(plan, world, now, entries)
    if all(entry.phase in FINAL_MIGRATION_PHASES and entry.retry_after is None for entry in entries):
        return finished(plan, world, now, entries, None)
    entries, started = _start(plan, entries, now)
    children = tuple(Create(_migration(plan, entry)) for entry in entries if _needs_creation(entry, world))
    verdicts = (false("Ready", "InProgress", progress(entries)), *kept(plan))
    status = next_status(
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
    if entry.phase in FINAL_MIGRATION_PHASES or entry.migration is None:
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
    active = sum(is_active(entry) for entry in entries)
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


def child_name(plan: MigrationPlan, entry: PlanMigration, attempt: int) -> str:
    """The same for the same plan, VM and attempt, and no other: plan a of VM b-c is not plan a-b of VM c."""
    digest = hashlib.sha256(f"{plan.uid}/{entry.namespace}/{entry.virtual_machine}".encode()).hexdigest()[:6]
    end = f"-{attempt}-{digest}"
    return f"{plan.name}-{entry.virtual_machine}"[: MAX_NAME - len(end)] + end


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
    if all(entry.phase in FINAL_MIGRATION_PHASES for entry in entries):
        return finished(plan, world, now, entries, "Cancelled")
    children: list[Child] = []
    for entry in entries:
        child = _child(entry, world)
        if child is not None and not is_final(child) and not child.spec.cancel:
            children.append(PatchSpec(child, {"cancel": True}))
    verdicts = (false("Ready", "InProgress", f"cancelling: {progress(entries)}"), *kept(plan))
    return Outcome(status=next_status(plan, now, "Cancelling", entries, verdicts), children=tuple(children))


def _working_phase(plan: MigrationPlan, entries: tuple[PlanMigration, ...]) -> str:
    if not any(is_active(entry) for entry in entries):
        return "Migrating" if plan.status.start_timestamp else "Queued"
    if len(entries) == 1 and entries[0].phase in SHOWN_FOR_ONE:
        return str(entries[0].phase)
    return "Migrating"


def finished(
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
    message = progress(entries) + _failures(entries) if entries else _nothing(plan)
    satisfied = bool(entries) and all(entry.reason == "AlreadySatisfied" for entry in entries)
    reason = "AlreadySatisfied" if satisfied else phase
    ready = true("Ready", reason, message) if phase == "Succeeded" else false("Ready", _ready_reason(phase), message)
    status = next_status(
        plan,
        now,
        phase,
        entries,
        (ready, *kept(plan)),
        end_timestamp=now,
        result=_result(plan, world, now, entries),
        **fields,
    )
    event = Event(f"Plan{phase}", message) if phase in ("Succeeded", "Cancelled") else warning(f"Plan{phase}", message)
    return Outcome(status=status, events=(event,))


def _ready_reason(phase: str) -> str:
    return "Cancelled" if phase == "Cancelled" else "Failed"


def _nothing(plan: MigrationPlan) -> str:
    if plan.spec.host_name:
        return f"no VM is on host {plan.spec.host_name}: there is nothing to move"
    return f"spec.selector matches no VM in {plan.namespace}: see `kubectl get vm -n {plan.namespace} --show-labels`"


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
