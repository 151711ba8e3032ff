"""A plan's entries, one a VM: what each is doing, as its migration tells.

::

    Pending --named, created--> the migration's own phases --> Succeeded --(rollback)--> Pending, returning --> ...
       ^                                 |
       +------ back-off, attempts left --+--> Failed | Cancelled
"""

from __future__ import annotations

from datetime import datetime, timedelta

from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import PlanMigration
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.migrationplan.children import child_of
from drover.control.world import World
from drover.control.world.claims import FINAL_MIGRATION_PHASES, is_final

NOT_RETRIED = frozenset(
    {
        "VirtualMachineDeleted",
        "VirtualMachineStopped",
        "VirtualMachineNotFound",
        "NotMigratable",
        "PostCopyInterrupted",
        "Cancelled",
    }
)


def is_active(entry: PlanMigration) -> bool:
    return entry.migration is not None and entry.phase not in FINAL_MIGRATION_PHASES


def is_pending(entry: PlanMigration) -> bool:
    """Whether no migration of its own has claimed a target yet, be it that one waits for a slot."""
    return entry.phase in (None, "Pending")


def has_ended(entry: PlanMigration) -> bool:
    return entry.phase in FINAL_MIGRATION_PHASES


def has_moved(entry: PlanMigration) -> bool:
    """Whether the VM sits where the plan sent it."""
    return entry.phase == "Succeeded" and entry.reason != "AlreadySatisfied" and not entry.returning


def has_failed(entry: PlanMigration) -> bool:
    """Whether the VM could not be moved, its retries spent."""
    return entry.phase == "Failed" and not entry.returning


def is_home(entry: PlanMigration) -> bool:
    return entry.phase == "Succeeded" and bool(entry.returning)


def follow(plan: MigrationPlan, entry: PlanMigration, world: World, now: datetime) -> PlanMigration:
    """The entry as its migration stands now."""
    if has_ended(entry) or entry.migration is None:
        return entry
    migration = child_of(entry, world)
    if migration is None:
        return _without_migration(entry, world)
    status = migration.status
    fields: dict[str, object] = {
        "phase": status.phase or "Pending",
        "reason": status.failure_reason if is_final(migration) else None,
        "start_timestamp": entry.start_timestamp or status.start_timestamp,
        "end_timestamp": status.end_timestamp if is_final(migration) else entry.end_timestamp,
    }
    if not entry.returning:
        fields["target"] = status.target_host or entry.target
    followed = entry.model_copy(update=fields | _outcome(entry, migration))
    return _retried(plan, followed, migration, now)


def _without_migration(entry: PlanMigration, world: World) -> PlanMigration:
    """Seen before and gone: somebody deleted it. Named but never seen: still to be created, while there is a VM."""
    if not is_pending(entry):
        return entry.model_copy(update={"phase": "Cancelled", "reason": "Cancelled"})
    if world.get(VirtualMachine, entry.namespace, entry.virtual_machine) is None:
        return entry.model_copy(update={"phase": "Failed", "reason": "VirtualMachineDeleted"})
    return entry


def _outcome(entry: PlanMigration, migration: VirtualMachineMigration) -> dict[str, object]:
    """What the move took, once it is over; the way home adds to the way there."""
    result = migration.status.result
    if migration.status.phase != "Succeeded" or result is None:
        return {}
    return {
        "downtime_ms": (entry.downtime_ms or 0.0) + result.downtime_milliseconds,
        "transferred_bytes": (entry.transferred_bytes or 0) + result.transferred_bytes,
    }


def _retried(
    plan: MigrationPlan, entry: PlanMigration, migration: VirtualMachineMigration, now: datetime
) -> PlanMigration:
    """A failed migration is tried again after a back-off that doubles, while the limit allows."""
    if entry.phase != "Failed" or entry.reason in NOT_RETRIED or entry.attempts > plan.spec.retry.limit:
        return entry
    backoff = plan.spec.retry.backoff.seconds * 2 ** (entry.attempts - 1)
    ended = migration.status.end_timestamp or now
    again = {"phase": "Pending", "migration": None, "retry_after": ended + timedelta(seconds=backoff)}
    return entry.model_copy(update=again | {"end_timestamp": None})


def given_up(entry: PlanMigration) -> PlanMigration:
    """An entry that will not be begun: one that had failed before has failed for good."""
    failed = entry.reason is not None and entry.attempts > 0
    return entry.model_copy(
        update={
            "phase": "Failed" if failed else "Cancelled",
            "reason": entry.reason if failed else "Cancelled",
            "migration": None,
            "retry_after": None,
        }
    )


def sent_home(entry: PlanMigration) -> PlanMigration:
    """An entry that has moved, about to go back to its source."""
    return entry.model_copy(update={"phase": "Pending", "returning": True, "migration": None, "attempts": 0})
