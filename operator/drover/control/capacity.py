"""How many more VMs of a flavor fit, now and after the loss of a host: told by counting and by trying."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from drover.api.flavor import Flavor, FlavorCapacity
from drover.api.meta import Condition
from drover.api.quantity import human
from drover.control.conditions import Verdict, false, true
from drover.control.outcome import Event, warning
from drover.control.stage import counted
from drover.control.virtualmachine.prerequisites import resolved
from drover.control.world import World
from drover.control.world.requests import request_of_flavor, residents
from drover.model.placement import Decision, Refused, Request, decide
from drover.model.placement.whatif import Headroom, Loss, headroom, worst_loss

REFRESH = timedelta(minutes=5)
"""A change that matters little is told so long after the last one, or with the next that matters: in a busy cloud
every flavor's numbers change all the time."""
LITTLE = 10
"""Percent of a number by which it may change before it matters."""


class Capacity(NamedTuple):
    """What a flavor's status says of it."""

    numbers: FlavorCapacity | None = None
    verdicts: tuple[Verdict, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_at: datetime | None = None


def capacity(flavor: Flavor, world: World, now: datetime, *, told_anyway: bool) -> Capacity:
    """Nothing is said of a flavor for which no VM may ask, and nothing before there has been a host.

    ``told_anyway``: the status is written for another reason, so that it may say the latest.
    """
    before = flavor.status.capacity
    no_host = before is None and all(row.blocked is not None for row in world.ledger.table.rows)
    if no_host or flavor.spec.lifecycle.state == "Obsolete":
        return Capacity()
    numbers, verdict = _count(flavor, world, now)
    known = flavor.status.condition("Placeable")
    if before is None or known is None:
        return Capacity(numbers, (verdict,))
    if (known.status, known.reason) != (verdict.status, verdict.reason):
        return Capacity(numbers, (verdict,), _events(before, known, numbers, verdict))
    same = numbers.model_copy(update={"computed_at": before.computed_at}) == before
    if same and known.message == verdict.message:
        return Capacity(before, (verdict,))
    due = before.computed_at + REFRESH
    if told_anyway or now >= due or _matters(before, numbers):
        return Capacity(numbers, (verdict,))
    return Capacity(before, (replace(verdict, message=known.message),), requeue_at=due)


def _count(flavor: Flavor, world: World, now: datetime) -> tuple[FlavorCapacity, Verdict]:
    request = request_of_flavor(flavor, resolved(flavor))
    room = headroom(world.ledger, request)
    loss = worst_loss(world.ledger, request, lambda host: residents(host, world)) if room.fits else Loss(0)
    numbers = FlavorCapacity(
        placeable=room.fits,
        placeable_after_host_failure=min(room.fits, loss.fits),
        limiting_resource=room.limiting[:64] if room.limiting is not None else None,
        computed_at=now,
    )
    if room.fits:
        return numbers, _room(room, loss)
    return numbers, _no_room(decide(world.ledger, request), request, room.limiting)


def _matters(before: FlavorCapacity, now: FlavorCapacity) -> bool:
    pairs = (
        (before.placeable, now.placeable),
        (before.placeable_after_host_failure, now.placeable_after_host_failure),
    )
    return any(100 * abs(new - old) > LITTLE * old for old, new in pairs)


def _room(room: Headroom, loss: Loss) -> Verdict:
    if not loss.fits:
        homeless = f", whose {counted(loss.stranded, 'VM')} would find no other host" if loss.stranded else ""
        told = f"{room.fits} more fit now, none after the loss of {loss.host}{homeless}"
        return true("Placeable", "OnlyWithoutFailover", told)
    after = min(room.fits, loss.fits)
    told = f"{room.fits} more fit now, {after} after the loss of any one host; {room.limiting} runs out first"
    return true("Placeable", "CapacityAvailable", told)


def _no_room(decision: Decision, request: Request, limiting: str | None) -> Verdict:
    assert isinstance(decision, Refused), "the count and the decision agree on whether one more fits"
    match decision.reason:
        case "NoHostWithTraits":
            return false("Placeable", "NoHostWithTraits", decision.message)
        case "FailoverCapacityWouldBeLost":
            mend = "scale the pool up, or hold back less with its spec.admissionControl"
            return false("Placeable", "OnlyWithoutFailover", f"{decision.message}; {mend}")
    short = f"; each takes {_amount(request, limiting)}" if limiting is not None else ""
    return false("Placeable", "NoCapacity", f"{decision.message}{short}")


def _amount(request: Request, resource: str) -> str:
    """What one VM takes of a resource that ``headroom`` names."""
    size = request.resources
    match resource:
        case "cpu":
            return f"{counted(request.vcpus, 'vCPU')}"
        case "memory":
            return f"{human(size.memory)} of memory"
        case "disk":
            return f"{human(size.disk)} of disk"
        case "network":
            return f"{human(size.bandwidth)}/s of network bandwidth"
        case "NUMA cells":
            return f"room in {counted(request.numa_nodes, 'NUMA cell')}"
    return f"{dict(size.gpus)[resource]} {resource}"


def _events(before: FlavorCapacity, known: Condition, now: FlavorCapacity, verdict: Verdict) -> tuple[Event, ...]:
    """Told where a resource has run out, or had; hosts that come, go and are cordoned speak for themselves."""
    if known.status == verdict.status:
        return ()
    if verdict.status == "True":
        return (Event("CapacityRestored", verdict.message),) if before.limiting_resource is not None else ()
    return (warning("CapacityExhausted", verdict.message),) if now.limiting_resource is not None else ()
