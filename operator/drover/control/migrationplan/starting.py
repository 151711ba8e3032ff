"""Which of a plan's VMs begin to move now, and which need not any more."""

from __future__ import annotations

from datetime import datetime

from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import PlanMigration
from drover.api.virtualmachine import VirtualMachine
from drover.control.migrationplan.children import child_name
from drover.control.migrationplan.entries import is_active, is_pending
from drover.control.migrationplan.targets import target_again
from drover.control.world import World
from drover.control.world.claims import is_up


def started(
    plan: MigrationPlan, entries: tuple[PlanMigration, ...], world: World, now: datetime
) -> tuple[PlanMigration, ...]:
    """With the migrations named that may begin now; how many run at a time the plan limits, the rest is their queue."""
    planned = plan.status.estimate.concurrency if plan.status.estimate is not None else None
    limit = min(plan.spec.limits.max_concurrent or len(entries), planned or len(entries))
    active = sum(map(is_active, entries))
    result = []
    for entry in entries:
        due = entry.retry_after is None or entry.retry_after <= now
        if is_pending(entry) and entry.migration is None and due and active < limit:
            entry = _begun(plan, entry, world)
            active += is_active(entry)
        result.append(entry)
    return tuple(result)


def _begun(plan: MigrationPlan, entry: PlanMigration, world: World) -> PlanMigration:
    vm = world.get(VirtualMachine, entry.namespace, entry.virtual_machine)
    if vm is not None and _is_there(plan, entry, vm.status.host_name):
        reason = None if entry.returning else "AlreadySatisfied"
        return entry.model_copy(update={"phase": "Succeeded", "reason": reason, "retry_after": None})
    home = world.host(entry.source)
    if entry.returning and (home is None or not is_up(home) or home.spec.maintenance.mode == "Drain"):
        return entry.model_copy(update={"phase": "Failed", "reason": "HomeUnavailable"})
    attempt = entry.attempts + 1
    fields: dict[str, object] = {"migration": child_name(plan, entry, attempt), "attempts": attempt}
    if attempt > 1 and not entry.returning and vm is not None:
        fields["target"] = target_again(plan, vm, world) or entry.target
    return entry.model_copy(update=fields | {"retry_after": None, "reason": None})


def _is_there(plan: MigrationPlan, entry: PlanMigration, host: str | None) -> bool:
    """Whether a VM got where it should be without this move: with another one, or started anew when its host failed."""
    if host is None or entry.returning:
        return host is not None and host == entry.source
    return host == entry.target or (plan.spec.host_name is not None and host != plan.spec.host_name)
