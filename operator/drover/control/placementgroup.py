"""PlacementGroup: whether its members stand as its policy asks.

::

    Satisfied <--members come, go and move--> Violated     (any) --deleted--> Terminating --no VM names it--> gone

Placement keeps a hard policy. Violated it is all the same where a VM joined the group on a host, a host was moved to
another rack, or maxPerDomain was lowered; a soft policy also where there was no better host.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast

from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.placementgroup import PlacementGroup
from drover.api.virtualmachine import VirtualMachine
from drover.control.conditions import Verdict
from drover.control.outcome import Controller, Event, Outcome, Watch, warning
from drover.control.stage import Hold, Stage, conclude, counted, named, ready, waiting
from drover.control.watching import on_change
from drover.control.world import World
from drover.control.world.claims import group_of_vm
from drover.model.placement.hosts import natural_key

MAX_VIOLATIONS = 32
MAX_TOLD = 256

Members = dict[str, list[str]]
"""The names of the members in each domain that has any."""


def reconcile(group: PlacementGroup, world: World, now: datetime) -> Outcome:
    keys = world.vms_of_group[group.key]
    violations = tuple(told[:MAX_TOLD] for told in _violations(group, _members(group, world.vms(keys), world)))
    verdicts = _readiness(group, len(keys), violations)
    stage = Stage(
        phase="Violated" if violations else "Satisfied",
        verdicts=verdicts,
        fields={"members": len(keys), "violations": violations[:MAX_VIOLATIONS]},
        events=_events(group, verdicts[0]),
    )
    return conclude(group, stage, now, _hold(keys))


def _members(group: PlacementGroup, vms: Sequence[VirtualMachine], world: World) -> Members:
    """The domains in natural order, and so the names in each."""
    found: Members = defaultdict(list)
    for vm in sorted(vms, key=lambda vm: natural_key(vm.name)):
        row = world.ledger.row(vm.status.host_name) if vm.status.host_name else None
        if row is not None:
            found[row.domain(group.spec.topology_key)].append(vm.name)
    return dict(sorted(found.items(), key=lambda item: natural_key(item[0])))


def _violations(group: PlacementGroup, members: Members) -> Iterator[str]:
    """Each domain that breaks the policy, with those who do."""
    spec, told = group.spec, {domain: _told(group, domain, names) for domain, names in members.items()}
    if spec.policy in ("AntiAffinity", "SoftAntiAffinity"):
        limit = f", {spec.max_per_domain} allowed" if spec.max_per_domain > 1 else ""
        yield from (f"{told[domain]}{limit}" for domain in members if len(members[domain]) > spec.max_per_domain)
        return
    home = max(members, key=lambda domain: len(members[domain]), default="")
    yield from (f"{told[domain]}, {told[home]}" for domain in members if domain != home)


def _told(group: PlacementGroup, domain: str, names: Sequence[str]) -> str:
    """Who is there: ``db-0 and db-1 on general-3``, ``db-0, db-1 and 3 more in zone-a``."""
    rest = len(names) - 2
    who = f"{names[0]}, {names[1]} and {rest} more" if rest > 0 else " and ".join(names)
    match group.spec.topology_key:
        case "Host":
            return f"{who} on {domain}"
        case "Rack":
            return f"{who} in rack {domain}"
        case "FailureDomain":
            return f"{who} in {domain or 'no zone'}"


# Readiness


def _readiness(group: PlacementGroup, members: int, violations: Sequence[str]) -> tuple[Verdict, ...]:
    """A soft policy is kept as far as it can be, and that is all that was declared."""
    spec = group.spec
    policy = f"{spec.policy} by {spec.topology_key}"
    if not violations:
        return ready("Satisfied", f"{counted(members, 'VM')}; those that have a host stand as {policy} asks")
    more = f" and {len(violations) - 1} more" if len(violations) > 1 else ""
    told = f"{policy} is not kept: {violations[0]}{more}; migrate VMs to mend it"
    if spec.policy.startswith("Soft"):
        return ready("Violated", told)
    return waiting("Violated", told)


def _events(group: PlacementGroup, readiness: Verdict) -> tuple[Event, ...]:
    known = group.status.condition("Ready")
    was = known.reason if known is not None else "Satisfied"
    if readiness.reason == was:
        return ()
    if readiness.reason == "Violated":
        return (warning("GroupViolated", readiness.message),)
    return (Event("GroupSatisfied", readiness.message),)


def _hold(users: list[Key]) -> Hold | None:
    if not users:
        return None
    who = f"{counted(len(users), 'VM')} of this group: {named(users)}"
    return Hold(f"{who}; delete them or remove their spec.placement.placementGroupName")


# What wakes it


def _membership(vm: VirtualMachine) -> object:
    return vm.spec.placement.placement_group_name, vm.status.host_name


def _by_host(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """The groups with members on a host that appeared, went, or stands somewhere else."""
    old, new = cast("Host | None", before), cast("Host | None", after)
    if _place(old) == _place(new):
        return []
    members = world.vms(world.vms_on[cast(Host, new or old).name])
    return sorted({key for vm in members for key in group_of_vm(vm)})


def _place(host: Host | None) -> object:
    return (host.spec.failure_domain, host.spec.rack) if host is not None else None


CONTROLLER = Controller(
    kind=PlacementGroup.KIND,
    reconcile=reconcile,
    watches=(
        Watch(VirtualMachine.KIND, on_change(group_of_vm, of=_membership), after=1.0),
        Watch(Host.KIND, _by_host, after=1.0),
    ),
)
