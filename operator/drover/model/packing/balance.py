"""Balance: moves that even out how loaded the hosts are."""

from __future__ import annotations

from typing import Final

import numpy as np

from drover.model.packing.fleet import Fleet
from drover.model.packing.snapshot import Allowed, FloatArray, IntArray, Move, Snapshot

LEAST_GAIN: Final = 0.001
"""What a move must take off the coefficient of variation, unless told otherwise."""
MOST_SOURCES: Final = 16
"""So many of the most loaded hosts are searched for a move that helps."""


def variation(snapshot: Snapshot) -> float:
    """The coefficient of variation of the hosts' loads: standard deviation / mean; 0 where nothing is loaded.

    The load of a host is the largest fraction of a resource in use on it, where a capacity of 0 counts as 1. Empty
    hosts count too.
    """
    return float(_variation_of(_loads(Fleet(snapshot))))


def balance(
    snapshot: Snapshot, budget: int, *, allowed: Allowed | None = None, least_gain: float = LEAST_GAIN
) -> tuple[Move, ...]:
    """Greedy moves, at most as many as the budget, each of which lowers ``variation`` by at least ``least_gain``.

    Each is the best move off the most loaded host that has one, and no machine moves twice. Raises ValueError for a
    gain that is not above 0.
    """
    if least_gain <= 0:
        raise ValueError(f"least_gain must be above 0, not {least_gain}")
    fleet = Fleet(snapshot, allowed)
    while len(fleet.moves) < budget and _move_once(fleet, least_gain):
        pass
    return tuple(fleet.moves)


def _move_once(fleet: Fleet, least_gain: float) -> bool:
    loads = _loads(fleet)
    wanted = _variation_of(loads) - least_gain
    moved = [move.vm for move in fleet.moves]
    for source in np.argsort(-loads, kind="stable")[:MOST_SOURCES].tolist():
        vms = np.setdiff1d(fleet.on(source), moved)
        after = _variation_after(fleet, loads, vms, source)
        if after.min(initial=np.inf) <= wanted:
            row, target = np.unravel_index(after.argmin(), after.shape)
            fleet.move(int(vms[row]), int(target))
            return True
    return False


def _variation_after(fleet: Fleet, loads: FloatArray, vms: IntArray, source: int) -> FloatArray:
    """Shape (machines, hosts): the variation once one machine is on one host; infinite where it may not go."""
    sizes = fleet.sizes[vms].T
    used = fleet.capacity - fleet.room
    left = _load(used[:, source, None] - sizes, fleet.inverse[:, source, None])[:, None]
    joined = _load(used[:, None, :] + sizes[:, :, None], fleet.inverse[:, None, :])
    total = loads.sum() - loads[source] - loads + left + joined
    squares = (loads**2).sum() - loads[source] ** 2 - loads**2 + left**2 + joined**2
    possible = (fleet.room[:, None, :] >= sizes[:, :, None]).all(axis=0) & fleet.admission(vms)
    possible[:, source] = False
    return np.where(possible, _variation(len(loads), total, squares), np.inf)


def _loads(fleet: Fleet) -> FloatArray:
    return _load(fleet.capacity - fleet.room, fleet.inverse)


def _load(used: IntArray, inverse: FloatArray) -> FloatArray:
    """The largest fraction of a resource in use; the resources are the first axis."""
    load: FloatArray = (used * inverse).max(axis=0, initial=0)
    return load


def _variation_of(loads: FloatArray) -> FloatArray:
    return _variation(len(loads), loads.sum(), (loads**2).sum())


def _variation(hosts: int, total: FloatArray, squares: FloatArray) -> FloatArray:
    """From the sums of loads and of their squares: sqrt(E[x^2] - E[x]^2) / E[x]."""
    mean = np.maximum(total / max(hosts, 1), np.finfo(np.float64).tiny)
    variation: FloatArray = np.sqrt(np.maximum(squares / max(hosts, 1) - mean**2, 0)) / mean
    return variation
