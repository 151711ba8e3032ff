"""Which host a VM gets: the best of all, as its pool's rules, its group and those more important leave it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from drover.api.placementgroup import PlacementGroup
from drover.api.virtualmachine import ResolvedFlavor, VirtualMachine
from drover.control.virtualmachine.power import power_of
from drover.control.virtualmachine.prerequisites import Missing, resolve_flavor
from drover.control.world import World
from drover.control.world.requests import request_of, residents
from drover.model.placement import Decision, Placed, Refused, Request, decide
from drover.model.placement.whatif import place_together, stranded, trial
from drover.model.placement.whatif.failover import fullest_first

FELLOWS_FOLLOW = timedelta(seconds=1)
"""Members of a group that are applied together are all there so long after the first."""
MAX_FELLOWS = 64
"""Members of a group that are looked ahead on at once."""


def fellows_seen_at(vm: VirtualMachine) -> datetime:
    """When a VM may be placed: a member of a group waits an instant, so that its fellows are looked ahead on."""
    created = vm.metadata.creation_timestamp or datetime.min.replace(tzinfo=UTC)
    return created + FELLOWS_FOLLOW if vm.spec.placement.placement_group_name else created


def request_for(vm: VirtualMachine, size: ResolvedFlavor, world: World) -> Request:
    """What is asked for a VM that starts. One whose host has failed may use what is held back for that."""
    return replace(
        request_of(vm, size, world),
        exclude=_kept_for_others(vm, world),
        unreserved=vm.status.host_name is not None,
    )


def choose(vm: VirtualMachine, request: Request, world: World) -> Decision:
    decision = decide(world.ledger, request, _planned(vm, request, world))
    if isinstance(decision, Placed) and not request.unreserved:
        return _without_failover(vm, request, decision, world) or decision
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
    name = vm.spec.placement.placement_group_name
    group = world.get(PlacementGroup, vm.namespace, name) if name else None
    if group is None or group.spec.policy.startswith("Soft"):
        return None
    waiting = (other for other in world.vms(world.vms_of_group[group.key]) if not other.status.host_name)
    members = {vm.uid: request}
    for other in waiting:
        size = resolve_flavor(other, world)
        if len(members) < MAX_FELLOWS and other.key != vm.key and power_of(other).on and not isinstance(size, Missing):
            members[other.uid] = request_for(other, size, world)
    return place_together(world.ledger, members).get(vm.uid) if len(members) > 1 else None


def _without_failover(vm: VirtualMachine, request: Request, placed: Placed, world: World) -> Refused | None:
    """A refusal where the pool could no longer lose its fullest hosts with the VM on this one, told by trying."""
    host = world.host(placed.host)
    pool = host.spec.pool_ref.name if host is not None else ""
    reserve = world.ledger.reserves.get(pool)
    if reserve is None or not reserve.host_failures:
        return None

    def homeless(host: str) -> dict[str, Request]:
        return residents(host, world) | ({vm.uid: request} if host == placed.host else {})

    with trial(world.ledger) as attempt:
        attempt.claim(vm.uid, request, placed.host)
        up = [row.name for row in world.ledger.table.rows if row.pool == pool and row.blocked is None]
        fullest = fullest_first(world.ledger, up)
        others = [name for name in fullest if name != placed.host]
        for failing in (fullest[: reserve.host_failures], [placed.host, *others[: reserve.host_failures - 1]]):
            left = stranded(world.ledger, failing, homeless)
            if left:
                return _refusal(placed, failing, len(left), str(reserve))
    return None


def _refusal(placed: Placed, failing: list[str], left: int, rule: str) -> Refused:
    message = (
        f"0/{placed.evaluated} hosts available: {placed.evaluated} {rule}: with it on {placed.host}, losing "
        f"{' and '.join(failing)} would leave {left} VM{'s' if left > 1 else ''} without a host"
    )
    return Refused("FailoverCapacityWouldBeLost", placed.evaluated, {rule: placed.evaluated}, message)
