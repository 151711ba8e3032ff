"""Moves in an order in which each is feasible when it is its turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from drover.model.packing.fleet import Fleet
from drover.model.packing.snapshot import Move


def shortened(moves: Sequence[Move]) -> tuple[Move, ...]:
    """The same outcome by fewer moves, every one still feasible: a machine that moves twice moves once where it can.

    From a to b and later from b to c becomes from a to c, at the later moment if nobody came to a in between (so that
    the machine may stay), or else at the earlier one if nobody left c in between (so that its room is there already).
    """
    kept: list[Move | None] = list(moves)
    latest: dict[int, int] = {}
    for index, move in enumerate(moves):
        earlier = latest.get(move.vm)
        first = None if earlier is None else kept[earlier]
        latest[move.vm] = index
        if earlier is None or first is None:
            continue
        between = [other for other in kept[earlier + 1 : index] if other]
        direct = Move(move.vm, first.source, move.target) if first.source != move.target else None
        if all(other.target != first.source for other in between):
            kept[earlier], kept[index] = None, direct
        elif all(other.source != move.target for other in between):
            kept[earlier], kept[index] = direct, None
            latest[move.vm] = earlier
    return tuple(move for move in kept if move)


def rearrange(fleet: Fleet, targets: Mapping[int, int]) -> bool:
    """Moves machines to where they shall be, in a feasible order; whether that could be done.

    Machines that wait for each other in a circle are untied by moving one of them aside, to another host in use or to
    one emptied before; each at most once. Where it cannot be done, some moves may remain.
    """
    pending = [vm for vm, target in targets.items() if fleet.host[vm] != target]
    aside: set[int] = set()
    while pending:
        ready = [vm for vm in pending if fleet.fits(vm, targets[vm])]
        if ready:
            fleet.move(ready[0], targets[ready[0]])
            pending.remove(ready[0])
            continue
        untied = next(((vm, host) for vm in pending if vm not in aside for host in _spare(fleet, vm)), None)
        if untied is None:
            return False
        fleet.move(*untied)
        aside.add(untied[0])
    return True


def _spare(fleet: Fleet, vm: int) -> list[int]:
    """Hosts with room for the machine: those in use first, then those emptied before."""
    hosts = np.concatenate([np.flatnonzero(fleet.vms), fleet.vacated()])
    hosts = hosts[(hosts != fleet.host[vm]) & (fleet.room[:, hosts] >= fleet.sizes[vm][:, None]).all(axis=0)]
    spare: list[int] = fleet.admitted(vm, hosts).tolist()
    return spare
