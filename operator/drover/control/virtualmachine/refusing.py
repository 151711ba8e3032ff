"""No host fits: say why, what would help, and make room where the VM is important enough."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from drover.api.flavor import Flavor
from drover.api.virtualmachine import PlacementDecision, VirtualMachine
from drover.control.conditions import false, true
from drover.control.outcome import Event, Outcome, warning
from drover.control.virtualmachine.choosing import request_for, without_failover
from drover.control.virtualmachine.prerequisites import resolved
from drover.control.virtualmachine.status import next_status
from drover.control.world import World
from drover.control.world.claims import preempted_by
from drover.model.placement import Refused, Request
from drover.model.placement.whatif import Alternative, Eviction, Victim, evict_for, would_fit_if

MAX_FLAVORS = 8
"""Smaller flavors that are tried."""
MAX_TOLD = 256
LEAVING = ("Stopping", "Terminating")
Victims = dict[str, list[Victim]]
"""VMs that may be stopped, by their host."""


def unschedulable(
    vm: VirtualMachine,
    world: World,
    now: datetime,
    request: Request,
    refused: Refused,
    kept: dict[str, Any],
    *,
    preempting: bool = True,
) -> Outcome:
    """The VM waits. The same refusal again is the same decision, and no write. Unless it is ``preempting``, no room is
    made for it.
    """
    before, eviction = _same(vm, refused), _make_room(vm, request, world) if preempting else None
    decision = PlacementDecision(
        decided_at=before.decided_at if before is not None else now,
        evaluated=refused.evaluated,
        feasible=0,
        rejections=dict(refused.rejections),
        would_fit_if=before.would_fit_if if before is not None else _would_fit_if(vm, request, world),
        preempts=_names(eviction, vm, world) if eviction is not None else (),
        nominated_host_name=eviction.host if eviction is not None else None,
    )
    return _wait(vm, now, refused, decision, kept)


def giving_way(
    vm: VirtualMachine, preemptor: VirtualMachine, world: World, now: datetime, kept: dict[str, Any]
) -> Outcome:
    """The VM has been stopped to make room, and waits until that is taken."""
    hosts = world.ledger.evaluated(vm.spec.placement.node_pool_name)
    rule = f"kept until {preemptor.namespace}/{preemptor.name} of higher priority is placed"
    refused = Refused("NoCapacity", hosts, {rule: hosts}, f"0/{hosts} hosts available: {hosts} {rule}")
    before = _same(vm, refused)
    decision = PlacementDecision(
        decided_at=before.decided_at if before is not None else now,
        evaluated=hosts,
        feasible=0,
        rejections=dict(refused.rejections),
    )
    return _wait(vm, now, refused, decision, kept)


def _same(vm: VirtualMachine, refused: Refused) -> PlacementDecision | None:
    """The decision before this one, if it was the same refusal."""
    before = vm.status.placement
    return before if before is not None and not before.feasible and before.rejections == refused.rejections else None


def _wait(
    vm: VirtualMachine, now: datetime, refused: Refused, decision: PlacementDecision, kept: dict[str, Any]
) -> Outcome:
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
    return Outcome(status=status, events=tuple(_events(vm.status.placement, decision, message)))


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
    """The VMs to stop for this one. They see it themselves (``controller``) and are placed anew once it is.

    What has been begun goes on as long as it helps: else others would be stopped too, where they are a lesser loss.
    """
    if not world.priority(vm).preempts:
        return None

    def admits(host: str) -> bool:
        return without_failover(vm, request, host, world) is None

    victims = victims_for(vm, request, world)
    for some in (_begun(vm, victims, world), victims):
        if some and (eviction := evict_for(world.ledger, request, some, admits)):
            return eviction
    return None


def victims_for(vm: VirtualMachine, request: Request, world: World) -> Victims:
    """The VMs that may be stopped for this one, by host."""
    own = world.priority(vm).value
    victims: Victims = defaultdict(list)
    for other in world.vms(world.vms_preemptible[True]):
        priority = world.priority(other).value
        if priority < own and other.status.host_name not in (None, *request.exclude):
            victims[str(other.status.host_name)].append(Victim(other.uid, priority))
    return victims


def _begun(vm: VirtualMachine, victims: Victims, world: World) -> Victims:
    """Of the VMs named already, those that still hold the host: they may be stopped, or go as it is."""
    named = [cast(VirtualMachine, other) for key in preempted_by(vm) if (other := world.find(key)) is not None]
    host = vm.status.placement.nominated_host_name if vm.status.placement is not None else None
    if not named or host is None:
        return {}
    holding, may_be_stopped = world.ledger.claims_on(host), {victim.uid for victim in victims.get(host, ())}
    going = [
        Victim(other.uid, world.priority(other).value)
        for other in named
        if other.uid in holding
        and (other.uid in may_be_stopped or other.status.host_name != host or other.status.phase in LEAVING)
    ]
    return {host: going} if going else {}


def _names(eviction: Eviction, vm: VirtualMachine, world: World) -> tuple[str, ...]:
    """The victims; the release of one named already may be on its way, so that it is on the host no more."""
    keys = {*world.vms_on[eviction.host], *preempted_by(vm)}
    there = (other for other in map(world.find, sorted(keys)) if other is not None)
    return tuple(f"{other.namespace}/{other.name}" for other in there if other.uid in eviction.victims)
