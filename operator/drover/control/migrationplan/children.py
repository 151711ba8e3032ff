"""The migrations a plan makes: their names, labels and specs.

A migration is named after its plan, its VM and the attempt, so a crash between the plan's status and the creation makes
none twice.
"""

from __future__ import annotations

import hashlib
from typing import cast

from drover.api.meta import GROUP, ObjectMeta
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import PlanMigration
from drover.api.virtualmachinemigration import VirtualMachineMigration, VirtualMachineMigrationSpec
from drover.control.world import World
from drover.control.world.claims import PLAN_UID_LABEL

PLAN_NAMESPACE_LABEL = f"{GROUP}/plan-namespace"
PLAN_NAME_LABEL = f"{GROUP}/plan-name"
MAX_NAME = 253
MAX_LABEL = 63


def child_name(plan: MigrationPlan, entry: PlanMigration, attempt: int) -> str:
    """The same for the same plan, VM, direction and attempt, and no other: plan a of VM b-c is not plan a-b of VM c."""
    digest = hashlib.sha256(f"{plan.uid}/{entry.namespace}/{entry.virtual_machine}".encode()).hexdigest()[:6]
    end = f"{'-home' if entry.returning else ''}-{attempt}-{digest}"
    return f"{plan.name}-{entry.virtual_machine}"[: MAX_NAME - len(end)] + end


def child_of(entry: PlanMigration, world: World) -> VirtualMachineMigration | None:
    return world.get(VirtualMachineMigration, entry.namespace, entry.migration) if entry.migration else None


def needs_creation(entry: PlanMigration, world: World) -> bool:
    return entry.migration is not None and entry.phase == "Pending" and child_of(entry, world) is None


def migration_of(plan: MigrationPlan, entry: PlanMigration, turn: int) -> VirtualMachineMigration:
    """The migration that an entry has named. ``turn``: its place in the plan, whose entries stand in their order."""
    binding = entry.source if entry.returning else _bound(plan, entry)
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
            preferred_target_host_name=None if binding or entry.returning else entry.target,
            added_node_selector=None if binding else plan.spec.target.node_selector or None,
            priority=plan.spec.priority,
            turn=turn,
            policy_name=plan.spec.policy_name,
            plan_name=plan.name,
            plan_namespace=plan.namespace,
        ),
    )


def _bound(plan: MigrationPlan, entry: PlanMigration) -> str | None:
    """The planned target is advice; what the user named, or narrowed to, is binding."""
    named = next((vm for vm in plan.spec.virtual_machines or () if vm.name == entry.virtual_machine), None)
    if named is not None and named.target_host_name:
        return named.target_host_name
    return entry.target if plan.spec.target.host_names or plan.spec.target.exclude_hosts else None
