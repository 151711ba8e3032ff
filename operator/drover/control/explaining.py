"""Where a VM would land if it were placed now, or why nowhere: by the functions that place it, on the World as it is.

Nothing is changed: the VM's own claims are taken back on trial, so that it is placed as if it were stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from drover.api.meta import AnyResource, ObjectMeta
from drover.api.virtualmachine import PlacementDecision, ResolvedFlavor, VirtualMachine
from drover.control.virtualmachine.choosing import choose, request_for
from drover.control.virtualmachine.placing import decision_of, told_of
from drover.control.virtualmachine.prerequisites import Missing, gather, resolve_flavor
from drover.control.virtualmachine.refusing import unschedulable
from drover.control.world import World
from drover.model.placement import Placed
from drover.model.placement.whatif import trial

ResourceT = TypeVar("ResourceT", bound=AnyResource)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer for one VM, beside what its status has recorded."""

    vm: VirtualMachine
    priority: int
    """Of its PriorityClass."""
    recorded: str
    """What its status says of its placement, in a sentence; empty where it says nothing yet."""
    missing: str
    """What it needs before it can be placed at all; empty where it has everything."""
    now: PlacementDecision | None
    """The decision if it were placed now; None where its size is not known, because its flavor is missing."""
    message: str
    """That decision in a sentence; empty where there is none."""
    reason: str
    """Of a refusal, in one word; empty where a host was found."""


def explain(vm: VirtualMachine, world: World, now: datetime, *, preempting: bool = True) -> Explanation:
    """``vm`` is in the World. Unless ``preempting``, it is not asked which VMs would have to go: of many that takes
    long.
    """
    with trial(world.ledger) as attempt:
        for host in _hosts_held(vm, world):
            attempt.withdraw(vm.uid, host)
        free = vm.model_copy(update={"status": vm.status.model_copy(update={"host_name": None, "placement": None})})
        needs, size = gather(free, world), resolve_flavor(free, world)
        missing = needs.message if isinstance(needs, Missing) else ""
        answer = (None, "", "") if isinstance(size, Missing) else _placed(free, size, world, now, preempting)
        return Explanation(vm, world.priority(vm).value, _recorded(vm), missing, *answer)


def supposed(resource: ResourceT, world: World, now: datetime) -> ResourceT:
    """An object as the API server would have it once it were applied: a new one, or a new spec of one that is there."""
    known = world.find(resource.key)
    labels, annotations = resource.metadata.labels, resource.metadata.annotations
    if known is None:
        metadata = ObjectMeta(
            name=resource.name,
            namespace=resource.namespace,
            uid=f"supposed-{resource.key}",
            resource_version="1",
            generation=1,
            labels=labels,
            annotations=annotations,
            creation_timestamp=now,
        )
        return resource.model_copy(update={"metadata": metadata})
    metadata = known.metadata.model_copy(
        update={
            "resource_version": str(int(known.metadata.resource_version or 0) + 1),
            "generation": known.metadata.generation + 1,
            "labels": {**known.metadata.labels, **labels},
            "annotations": {**known.metadata.annotations, **annotations},
        }
    )
    return resource.model_copy(update={"metadata": metadata, "status": known.status})


def _hosts_held(vm: VirtualMachine, world: World) -> list[str]:
    migration = world.migration_of(vm)
    target = migration.status.target_host if migration is not None else None
    return [host for host in dict.fromkeys((vm.status.host_name, target)) if host]


def _placed(
    vm: VirtualMachine, size: ResolvedFlavor, world: World, now: datetime, preempting: bool
) -> tuple[PlacementDecision, str, str]:
    """The decision, its message and the reason of a refusal."""
    request = request_for(vm, size, world)
    decision = choose(vm, request, world)
    if isinstance(decision, Placed):
        return decision_of(decision, now), told_of(decision), ""
    status = unschedulable(vm, world, now, request, decision, {}, preempting=preempting).status
    assert isinstance(status, type(vm.status))
    scheduled = status.condition("Scheduled")
    assert status.placement is not None
    return status.placement, scheduled.message if scheduled is not None else decision.message, decision.reason


def _recorded(vm: VirtualMachine) -> str:
    """The conditions' own words: of being placed, else of what is missing, else of how it is."""
    said = (vm.status.condition(name) for name in ("Scheduled", "PrerequisitesReady", "Ready"))
    return next((condition.message for condition in said if condition is not None and condition.message), "")
