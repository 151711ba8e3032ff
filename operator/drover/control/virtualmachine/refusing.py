"""No host fits: say why, what would help, and make room where the VM is important enough."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from drover.api.flavor import Flavor
from drover.api.virtualmachine import PlacementDecision, VirtualMachine
from drover.control.conditions import false, true
from drover.control.outcome import Event, Outcome, warning
from drover.control.virtualmachine.choosing import request_for
from drover.control.virtualmachine.prerequisites import resolved
from drover.control.virtualmachine.status import next_status
from drover.control.world import World
from drover.model.placement import Refused, Request
from drover.model.placement.whatif import Alternative, Eviction, Victim, evict_for, would_fit_if

MAX_FLAVORS = 8
"""Smaller flavors that are tried."""
MAX_TOLD = 256


def unschedulable(
    vm: VirtualMachine, world: World, now: datetime, request: Request, refused: Refused, kept: dict[str, Any]
) -> Outcome:
    """The VM waits. The same refusal again is the same decision, and no write."""
    before = vm.status.placement
    same = before is not None and before.feasible == 0 and before.rejections == refused.rejections
    eviction = _make_room(vm, request, world)
    decision = PlacementDecision(
        decided_at=before.decided_at if before is not None and same else now,
        evaluated=refused.evaluated,
        feasible=0,
        rejections=dict(refused.rejections),
        would_fit_if=before.would_fit_if if before is not None and same else _would_fit_if(vm, request, world),
        preempts=_names(eviction, world),
        nominated_host_name=eviction.host if eviction is not None else None,
    )
    message = _told(refused, decision)
    status = next_status(
        vm,
        now,
        "Unschedulable",
        false("Ready", "Unschedulable", message),
        prerequisites=true("PrerequisitesReady", "Ready"),
        scheduled=false("Scheduled", refused.reason, message),
        placement=decision,
        **kept,
    )
    return Outcome(status=status, events=tuple(_events(before, decision, message)))


def _told(refused: Refused, decision: PlacementDecision) -> str:
    if decision.nominated_host_name:
        count = len(decision.preempts)
        stopped = f"{count} VM{'s' if count > 1 else ''} of lower priority"
        return f"{refused.message}; stopping {stopped} on {decision.nominated_host_name} to make room"
    if decision.would_fit_if:
        return f"{refused.message}; it would fit: {'; '.join(decision.would_fit_if[:2])}"
    return refused.message


def _events(before: PlacementDecision | None, decision: PlacementDecision, message: str) -> Iterator[Event]:
    if decision == before:
        return
    if decision.preempts and (before is None or decision.preempts != before.preempts):
        yield Event("Preempting", f"stopping {', '.join(decision.preempts)} on {decision.nominated_host_name}"[:1024])
    if before is None or before.feasible or before.rejections != decision.rejections:
        yield warning("FailedScheduling", message)


def _would_fit_if(vm: VirtualMachine, request: Request, world: World) -> tuple[str, ...]:
    told = would_fit_if(world.ledger, request, _smaller_flavors(vm, request, world))
    return tuple(change[:MAX_TOLD] for change in told)


def _smaller_flavors(vm: VirtualMachine, request: Request, world: World) -> Iterator[Alternative]:
    """The same VM with another flavor, the largest of the smaller ones first."""
    sizes = [resolved(flavor) for flavor in world.all(Flavor) if flavor.spec.lifecycle.state == "Active"]
    own = request.resources
    smaller = [
        size
        for size in sizes
        if size.vcpus <= request.vcpus
        and size.memory_bytes <= own.memory
        and (size.vcpus, size.memory_bytes) != (request.vcpus, own.memory)
    ]
    smaller.sort(key=lambda size: (-size.memory_bytes, -size.vcpus, size.name))
    for size in smaller[:MAX_FLAVORS]:
        change = f"flavor {size.name} instead of {vm.spec.flavor_ref.name}"
        yield Alternative(change, request_for(vm, size, world))


# Preemption


def _make_room(vm: VirtualMachine, request: Request, world: World) -> Eviction | None:
    """The VMs to stop for this one. They see it themselves (``controller``) and are placed anew."""
    own = world.priority(vm)
    if not own.preempts:
        return None
    victims: dict[str, list[Victim]] = defaultdict(list)
    for other in world.vms(world.vms_preemptible[True]):
        priority = world.priority(other).value
        if priority < own.value and other.status.host_name not in (None, *request.exclude):
            victims[str(other.status.host_name)].append(Victim(other.uid, priority))
    return evict_for(world.ledger, request, victims) if victims else None


def _names(eviction: Eviction | None, world: World) -> tuple[str, ...]:
    if eviction is None:
        return ()
    there = world.vms(world.vms_on[eviction.host])
    return tuple(f"{vm.namespace}/{vm.name}" for vm in there if vm.uid in eviction.victims)
