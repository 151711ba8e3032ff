"""Without a host: say what is missing, find a host and claim everything in one PATCH, or rest as Stopped."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from drover.api.virtualmachine import HostScore, PlacementDecision, VirtualMachine, VirtualMachinePhase
from drover.control.conditions import false, true
from drover.control.outcome import Event, Outcome
from drover.control.virtualmachine import usage
from drover.control.virtualmachine.choosing import choose, fellows_seen_at, request_for
from drover.control.virtualmachine.power import Power
from drover.control.virtualmachine.preempted import gives_way_to
from drover.control.virtualmachine.prerequisites import Missing, Ready, gather
from drover.control.virtualmachine.refusing import giving_way, unschedulable
from drover.control.virtualmachine.status import booting_on, next_status
from drover.control.world import World
from drover.model.placement import Placed, Refused

FIRST_LOOK = timedelta(seconds=2)
"""What was applied together is often ready an instant later: a new VM waits so long before it says what is missing."""


def start(
    vm: VirtualMachine,
    world: World,
    now: datetime,
    power: Power,
    *,
    released_at: datetime | None = None,
    restarts: int | None = None,
    host_failures: tuple[datetime, ...] | None = None,
) -> Outcome:
    """Place the VM and begin to start it, or say what is missing."""
    kept = without_host(vm, released_at or now, "Stopped")
    kept |= {"restarts": vm.status.restarts if restarts is None else restarts, "last_action": power.action}
    kept |= {"host_failures": vm.status.host_failures if host_failures is None else host_failures}
    needs = gather(vm, world)
    if isinstance(needs, Missing):
        return _not_ready(vm, now, needs, kept)
    if (look := fellows_seen_at(vm, world)) > now:
        return Outcome(children=(), requeue_at=look)
    if (preemptor := gives_way_to(vm, world)) is not None:
        return giving_way(vm, preemptor, world, now, kept)
    request = request_for(vm, needs.flavor, world)
    decision = choose(vm, request, world)
    if isinstance(decision, Refused):
        return unschedulable(vm, world, now, request, decision, kept)
    return _place(vm, world, now, needs, decision, kept)


def _not_ready(vm: VirtualMachine, now: datetime, missing: Missing, kept: dict[str, Any]) -> Outcome:
    created = vm.metadata.creation_timestamp or now
    if vm.status.phase is None and not missing.stalled and now < created + FIRST_LOOK:
        return Outcome(children=missing.create, requeue_at=created + FIRST_LOOK)
    phase: VirtualMachinePhase = "Provisioning" if missing.create or missing.reason == "VolumeNotReady" else "Pending"
    status = next_status(
        vm,
        now,
        phase,
        false("Ready", _ready_reason(missing.reason), missing.message),
        prerequisites=false("PrerequisitesReady", missing.reason, missing.message),
        stalled=missing.stalled,
        **kept,
    )
    return Outcome(status=status, children=missing.create)


def _ready_reason(missing: str) -> str:
    """The Ready condition has fewer words than PrerequisitesReady."""
    return {
        "FlavorObsolete": "FlavorNotFound",
        "ImageNotFound": "ImageNotReady",
        "ImageTooLarge": "ImageNotReady",
        "PlacementGroupNotFound": "Scheduling",
        "AddressUnavailable": "NetworkNotReady",
    }.get(missing, missing)


def _place(
    vm: VirtualMachine, world: World, now: datetime, needs: Ready, placed: Placed, kept: dict[str, Any]
) -> Outcome:
    host = world.host(placed.host)
    assert host is not None, "the ledger and the hosts are kept in step"
    where = {
        "host_name": placed.host,
        "node_pool_name": host.spec.pool_ref.name,
        "failure_domain": host.spec.failure_domain,
        "flavor": needs.flavor,
        "numa_cells": placed.cells,
        "cpu_model": needs.flavor.cpu_model or world.ledger.table.known[placed.host].cpu_model,
        "interfaces": needs.interfaces,
        "primary_ip": needs.interfaces[0].ip_address if needs.interfaces else None,
        "volumes": needs.volumes,
        "placement": decision_of(placed, now),
        "usage": usage.running(kept["usage"], now, needs.flavor, host.spec.failure_domain),
        "boot_attempt": vm.status.boot_attempt + 1,
        "transition_started_at": now,
    }
    status = next_status(
        vm,
        now,
        "Starting",
        booting_on(placed.host),
        **(kept | where),
    )
    return Outcome(status=status, events=(Event("Scheduled", told_of(placed)),))


def decision_of(placed: Placed, now: datetime) -> PlacementDecision:
    """The choice of a host as a status records it."""
    return PlacementDecision(
        decided_at=now,
        host_name=placed.host,
        strategy=placed.strategy,
        weights=placed.weights._asdict(),
        score=placed.score,
        evaluated=placed.evaluated,
        feasible=placed.feasible,
        rejections={},
        top_hosts=tuple(HostScore(host=top.host, score=top.score, parts=dict(top.parts)) for top in placed.top),
    )


def told_of(placed: Placed) -> str:
    """The choice of a host in a sentence."""
    return f"on {placed.host}, score {placed.score:.2f}, {placed.feasible} of {placed.evaluated} hosts feasible"


def without_host(vm: VirtualMachine, at: datetime, phase: Any) -> dict[str, Any]:
    return {
        "host_name": None,
        "node_pool_name": None,
        "failure_domain": None,
        "numa_cells": (),
        "cpu_model": None,
        "transition_started_at": None,
        "last_start_time": None,
        "usage": usage.storage_only(vm.status.usage, at, vm.status.flavor, phase),
    }


def stopped(vm: VirtualMachine, now: datetime, power: Power, at: datetime | None = None) -> Outcome:
    """No guest and no host; addresses, volumes and the size are kept."""
    status = next_status(
        vm,
        now,
        "Stopped",
        true("Ready", "Stopped", f"stopped, as {power.declared_by} asks"),
        **without_host(vm, at or now, "Stopped"),
        last_action=power.action,
    )
    events = (Event("Stopped", "guest is stopped"),) if vm.status.phase == "Stopping" else ()
    return Outcome(status=status, events=events + power.objections(vm))
