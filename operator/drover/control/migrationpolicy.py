"""MigrationPolicy: whose migrations it says how to do, and which policies come before it.

::

    Ready: Valid <--every VM it matches is migrated by a more specific one--> Shadowed        (any) --deleted--> gone

A deletion waits for nobody: a migration under way keeps the settings it began with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from drover.api.meta import AnyResource, Key
from drover.api.migrationpolicy import MigrationPolicy
from drover.api.namespace import Namespace
from drover.api.virtualmachine import VirtualMachine
from drover.control.conditions import Verdict, true
from drover.control.outcome import Controller, Event, Outcome, Watch, warning
from drover.control.policies import Policies, Rank, rank
from drover.control.stage import Stage, conclude, counted, named, ready
from drover.control.watching import whenever
from drover.control.world import World

GATHER_SECONDS = 5.0
"""A policy is counted anew so long after VMs, namespaces or other policies have begun to change."""
CONFLICT = "Conflicting"
"""The condition of a policy whose name alone decides whether it holds for a VM; present only when True."""


@dataclass(slots=True)
class Standing:
    """A policy among those that match the same VMs."""

    holds: int = 0
    """VMs that are migrated by it."""
    before: Counter[Rank] = field(default_factory=Counter)
    """The policies that other VMs it matches are migrated by."""
    ties: list[Key] = field(default_factory=list)
    """VMs for which nothing but the name decides between it and another one."""
    rivals: set[Key] = field(default_factory=set)
    """Those others."""


def reconcile(policy: MigrationPolicy, world: World, now: datetime) -> Outcome:
    if policy.deleting:
        return Outcome(protect=False)
    standing = _standing(policy, world)
    conflict = _conflict(policy, standing)
    stage = Stage(
        phase="Ready",
        verdicts=(*_readiness(policy, standing), *conflict),
        fields={"matched_virtual_machines": standing.holds},
        events=_events(policy, standing, conflict),
    )
    return conclude(policy, stage, now, None)


def _standing(policy: MigrationPolicy, world: World) -> Standing:
    found, policies, own = Standing(), Policies(world), rank(policy)
    for vm in world.all(VirtualMachine):
        if not policies.match(policy, vm):
            continue
        ranks = [rank(other) for other in policies.matching(vm)]
        if ranks[0] == own:
            found.holds += 1
        else:
            found.before[ranks[0]] += 1
        tied = [other for other in ranks if other != own and other.stated == own.stated == ranks[0].stated]
        if tied:
            found.ties.append(vm.key)
            found.rivals.update(Key(policy.KIND, "", other.name) for other in tied)
    return found


# Readiness


def _readiness(policy: MigrationPolicy, standing: Standing) -> tuple[Verdict, ...]:
    """Ready also where it is shadowed: it is in force, and nobody has to wait for anything."""
    holds, others = standing.holds, standing.before.total()
    if holds:
        more = f"; {counted(others, 'VM')} more that it matches by another policy" if others else ""
        return ready("Valid", f"{counted(holds, 'VM')} would be migrated by it{more}")
    if not others:
        return ready("Valid", "no VM matches its selectors")
    first, count = min(standing.before.items(), key=lambda item: (-item[1], item[0]))
    which = f"{first.name} {_advantage(first, rank(policy))}"
    told = f"it matches {counted(others, 'VM')}, and {count} of them would be migrated by {which}"
    rest = f", {others - count} by other policies" if others > count else ""
    return ready("Shadowed", f"{told}{rest}; give this one more labels in spec.selectors or a higher spec.weight")


def _advantage(first: Rank, own: Rank) -> str:
    """Why the first holds and not this one."""
    if first.labels != own.labels:
        return f"({counted(-first.labels, 'label')} in its selectors against {-own.labels})"
    if first.weight != own.weight:
        return f"(weight {-first.weight} against {-own.weight})"
    return "(as many labels and the same weight, and its name sorts first)"


def _conflict(policy: MigrationPolicy, standing: Standing) -> tuple[Verdict, ...]:
    if not standing.ties:
        return ()
    told = f"{named(standing.rivals)} matches {named(standing.ties)} too, with as many labels and the same weight"
    why = f"{told} ({policy.spec.weight}), so that the name decides; set another spec.weight on one of them"
    return (true(CONFLICT, "PolicyConflict", why),)


def _events(policy: MigrationPolicy, standing: Standing, conflict: Sequence[Verdict]) -> tuple[Event, ...]:
    events = []
    if standing.holds and not policy.status.matched_virtual_machines:
        events.append(Event("PolicyMatched", f"{counted(standing.holds, 'VM')} would be migrated by it"))
    if conflict and policy.status.condition(CONFLICT) is None:
        events.append(warning("PolicyConflict", conflict[0].message))
    return tuple(events)


# What wakes it


def _by_vm(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """The policies that match a VM which came, went, or has other labels."""
    if before is not None and after is not None and before.metadata.labels == after.metadata.labels:
        return []
    policies, sides = Policies(world), (side for side in (before, after) if isinstance(side, VirtualMachine))
    return sorted({policy.key for vm in sides for policy in policies.matching(vm)})


def _all(world: World) -> list[Key]:
    return world.keys(MigrationPolicy.KIND)


def _stated(policy: MigrationPolicy) -> object:
    return policy.spec.selectors, policy.spec.weight, policy.deleting


CONTROLLER = Controller(
    kind=MigrationPolicy.KIND,
    reconcile=reconcile,
    watches=(
        Watch(VirtualMachine.KIND, _by_vm, after=GATHER_SECONDS),
        Watch(Namespace.KIND, whenever(lambda namespace: namespace.metadata.labels, _all), after=GATHER_SECONDS),
        Watch(MigrationPolicy.KIND, whenever(_stated, _all), after=GATHER_SECONDS),
    ),
)
