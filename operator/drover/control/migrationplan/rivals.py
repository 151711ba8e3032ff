"""Plans that were made later, but move the same VMs first: they supersede one that has not begun."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from drover.api.meta import AnyResource, Key
from drover.api.migrationplan import MigrationPlan
from drover.api.virtualmachine import VirtualMachine
from drover.control.migrationplan.entries import has_ended
from drover.control.migrationplan.holding import has_begun
from drover.control.world import World
from drover.control.world.claims import FINAL_PLAN_PHASES


def rivals_of(plan: MigrationPlan, world: World) -> list[Key]:
    """The newer plans at work that between them move all VMs this one still has to move; none where any is left."""
    left = _unmoved(plan)
    if not left:
        return []
    newer = [other for other in world.all(MigrationPlan) if _is_at_work(other) and _made(other) > _made(plan)]
    rivals = [other for other in newer if _unmoved(other) & left]
    return sorted(rival.key for rival in rivals) if left <= set().union(*map(_unmoved, rivals)) else []


def waiting_plans(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """The plans that have not begun, when another one begins to move VMs of theirs."""
    old, new = cast("MigrationPlan | None", before), cast("MigrationPlan | None", after)
    if new is None or not _is_at_work(new) or (old is not None and _is_at_work(old)):
        return []
    moved = _unmoved(new)
    waiting = (other for other in world.all(MigrationPlan) if other.status.phase in ("AwaitingApproval", "Queued"))
    return sorted(other.key for other in waiting if _unmoved(other) & moved)


def _is_at_work(plan: MigrationPlan) -> bool:
    return has_begun(plan) and plan.status.phase not in FINAL_PLAN_PHASES


def _unmoved(plan: MigrationPlan) -> set[Key]:
    entries = plan.status.migrations
    return {Key(VirtualMachine.KIND, e.namespace, e.virtual_machine) for e in entries if not has_ended(e)}


def _made(plan: MigrationPlan) -> tuple[datetime, str]:
    return plan.metadata.creation_timestamp or datetime.max.replace(tzinfo=UTC), plan.uid
