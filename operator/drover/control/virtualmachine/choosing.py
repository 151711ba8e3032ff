"""Which host a VM gets: the best of all, as its pool's rules, its group and those more important leave it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from drover.api.placementgroup import PlacementGroup
from drover.api.virtualmachine import ResolvedFlavor, VirtualMachine
from drover.control.virtualmachine.power import power_of
from drover.control.virtualmachine.prerequisites import Missing, resolve_flavor
from drover.control.world import World
from drover.control.world.requests import request_to_start, residents
from drover.model.placement import Decision, Placed, Refused, Request, decide
from drover.model.placement.decide import candidates
from drover.model.placement.refusal import EXCLUDED, told
from drover.model.placement.scoring import INFEASIBLE
from drover.model.placement.whatif import place_together, stranded, trial
from drover.model.placement.whatif.failover import fullest_first

FELLOWS_FOLLOW = timedelta(seconds=2)
"""Members of a group that are applied together follow one another within half of this; creationTimestamp tells only the
second."""
FELLOWS_FOLLOW_AT_MOST = timedelta(seconds=10)
"""A member waits no longer for others to follow."""
MAX_FELLOWS = 64
"""Members of a group that are looked ahead on at once."""
MAX_TRIED = 4
"""Hosts of a pool on which it is tried whether the pool could still lose as many as it has to."""


def fellows_seen_at(vm: VirtualMachine, world: World) -> datetime:
    """When a VM may be placed: where its group is looked ahead on, once no more fellows come."""
    created = _created(vm)
    youngest = max(map(_created, _waiting_fellows(vm, world)), default=None)
    return min(youngest + FELLOWS_FOLLOW, created + FELLOWS_FOLLOW_AT_MOST) if youngest is not None else created


def _created(vm: VirtualMachine) -> datetime:
    return vm.metadata.creation_timestamp or datetime.min.replace(tzinfo=UTC)


def request_for(vm: VirtualMachine, size: ResolvedFlavor, world: World) -> Request:
    """What is asked for a VM that starts. One whose host has failed may use what is held back for that."""
    return replace(
        request_to_start(vm, size, world),
        exclude=_kept_for_others(vm, world),
        unreserved=vm.status.host_name is not None,
    )


def choose(vm: VirtualMachine, request: Request, world: World) -> Decision:
    """The best host on which the VM leaves its pool able to lose as many hosts as it has to."""
    planned = _planned(vm, request, world)
    decision = decide(world.ledger, request, planned)
    held_back: dict[str, str] = {}
    tried: Counter[str] = Counter()
    first = ""
    while isinstance(decision, Placed) and (objection := without_failover(vm, request, decision.host, world)):
        first = first or objection
        pool = world.ledger.table.known[decision.host].pool
        tried[pool] += 1
        hosts = {decision.host} if tried[pool] < MAX_TRIED else _feasible(pool, request, world)
        held_back |= dict.fromkeys(hosts, str(world.ledger.reserves[pool]))
        decision = decide(world.ledger, replace(request, exclude=request.exclude | held_back.keys()), planned)
    if isinstance(decision, Refused) and held_back:
        return _held_back(decision, request, held_back, first)
    return decision


def _kept_for_others(vm: VirtualMachine, world: World) -> frozenset[str]:
    """Hosts where room is being made for VMs of higher priority."""
    own = world.priority(vm).value
    return frozenset(
        host
        for host, nominators in world.vms_nominating.items()
        if any(other.key != vm.key and world.priority(other).value > own for other in world.vms(nominators))
    )


def _planned(vm: VirtualMachine, request: Request, world: World) -> str | None:
    """The VM's host when its whole group is placed with it; None for a VM that waits alone."""
    members = {vm.uid: request}
    for other in _waiting_fellows(vm, world):
        size = resolve_flavor(other, world)
        if len(members) < MAX_FELLOWS and other.key != vm.key and power_of(other).on and not isinstance(size, Missing):
            members[other.uid] = request_for(other, size, world)
    return place_together(world.ledger, members).get(vm.uid) if len(members) > 1 else None


def _waiting_fellows(vm: VirtualMachine, world: World) -> list[VirtualMachine]:
    """The members without a host, this VM among them, of a group that is looked ahead on: a soft one is not."""
    name = vm.spec.placement.placement_group_name
    group = world.get(PlacementGroup, vm.namespace, name) if name else None
    if group is None or group.spec.policy.startswith("Soft"):
        return []
    return [other for other in world.vms(world.vms_of_group[group.key]) if not other.status.host_name]


# Failover capacity


def without_failover(vm: VirtualMachine, request: Request, host: str, world: World) -> str | None:
    """Who would be without a host, were the VM on this one and its pool lost the hosts it has to be able to lose; None
    where nobody would be. Told by trying.
    """
    pool = world.ledger.table.known[host].pool
    reserve = world.ledger.reserves.get(pool)
    if request.unreserved or reserve is None or not reserve.host_failures:
        return None

    def homeless(failed: str) -> dict[str, Request]:
        return residents(failed, world) | ({vm.uid: request} if failed == host else {})

    with trial(world.ledger) as attempt:
        attempt.claim(vm.uid, request, host)
        up = [row.name for row in world.ledger.table.rows if row.pool == pool and row.blocked is None]
        fullest = fullest_first(world.ledger, up)
        others = [name for name in fullest if name != host]
        for failing in (fullest[: reserve.host_failures], [host, *others[: reserve.host_failures - 1]]):
            left = len(stranded(world.ledger, failing, homeless))
            if left:
                lost = f"with it on {host}, losing {' and '.join(failing)}"
                return f"{lost} would leave {left} VM{'s' if left > 1 else ''} without a host"
    return None


def _feasible(pool: str, request: Request, world: World) -> set[str]:
    """The hosts of a pool that fit, failover aside."""
    table, scores = world.ledger.table, candidates(world.ledger, request)
    slots = table.slots_in_pool(pool)
    return {table.rows[slot].name for slot in slots[scores[slots] > INFEASIBLE].tolist()}


def _held_back(refused: Refused, request: Request, held_back: Mapping[str, str], why: str) -> Refused:
    """The refusal of a VM that would fit, counted for what it is: hosts tried in vain are not excluded otherwise."""
    rejections = Counter(refused.rejections)
    rejections[EXCLUDED] -= len(held_back)
    rejections.update(held_back.values())
    counts = {words: count for words, count in rejections.items() if count}
    message = f"{told(request.pool, refused.evaluated, counts)}: {why}"
    return Refused("FailoverCapacityWouldBeLost", refused.evaluated, counts, message)
