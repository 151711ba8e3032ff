"""Consolidation: empty hosts into the others, each wholly or not at all.

Two passes. First hosts are emptied directly, the one with fewest virtual machines first, each machine to its best fit.
When none can be emptied that way the room left is stranded (CPU without memory on some hosts, memory without CPU on
others), and ``exchange`` trades machines between two hosts until those of a third fit. The first pass costs what the
emptied hosts run; the second several times that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from drover.model.packing.exchange import Exchange
from drover.model.packing.fleet import Fleet
from drover.model.packing.sequence import shortened
from drover.model.packing.snapshot import Allowed, FloatArray, IntArray, Move, Snapshot

GIVE_UP_AFTER: Final = 8
"""So many hosts in a row that could not be emptied end the second pass."""


def drain(
    snapshot: Snapshot, budget: int, *, allowed: Allowed | None = None, exchange: bool = True
) -> tuple[Move, ...]:
    """Moves, at most as many as the budget, after which fewer hosts are in use; none where there is no way.

    Each is feasible when they are executed one after another: no target is filled above its capacity, and no host is
    used that was empty at first. ``exchange`` False leaves out the second pass.
    """
    fleet = Fleet(snapshot, allowed)
    _drain_directly(fleet, budget)
    fleet.moves[:] = shortened(fleet.moves)
    if exchange:
        _drain_by_exchange(fleet, budget, Exchange(fleet))
    return shortened(fleet.moves)


def _drain_directly(fleet: Fleet, budget: int) -> None:
    """Tries each host in use once: emptying one leaves less room in the others, so a second try seldom helps."""
    hosts = np.flatnonzero(fleet.vms)
    for host in hosts[np.lexsort((_load(fleet, hosts), fleet.vms[hosts]))]:
        _empty(fleet, host, budget, fleet.best_fit)


def _drain_by_exchange(fleet: Fleet, budget: int, exchange: Exchange) -> None:
    """Hosts whose largest machine is small come first: room for those is the easiest to make."""

    def target(vm: int, source: int) -> int | None:
        host = fleet.best_fit(vm, source)
        return exchange.make_room(vm, source) if host is None else host

    hosts = np.flatnonzero(fleet.vms)
    failures = 0
    for host in hosts[np.lexsort((fleet.vms[hosts], _largest(fleet)[hosts]))]:
        failures = 0 if _empty(fleet, host, budget, target) else failures + 1
        if failures == GIVE_UP_AFTER:
            return


def _empty(fleet: Fleet, source: int, budget: int, find_target: Callable[[int, int], int | None]) -> bool:
    """Moves all of a host's machines away within the budget, or leaves everything as it was."""
    begun = len(fleet.moves)
    if fleet.vms[source] > budget - begun:
        return False
    for vm in fleet.largest_first(source):
        target = find_target(vm, source)
        if target is None or len(fleet.moves) >= budget:
            fleet.undo(begun)
            return False
        fleet.move(vm, target)
    return True


def _load(fleet: Fleet, hosts: IntArray) -> FloatArray:
    """The sum of the fractions in use, but for a constant where hosts are alike."""
    load: FloatArray = -(fleet.room[:, hosts] * fleet.inverse[:, hosts]).sum(axis=0)
    return load


def _largest(fleet: Fleet) -> FloatArray:
    """Of every host, the largest fraction of any resource that one of its machines takes; 0 without machines."""
    largest = np.zeros(fleet.room.shape[1])
    np.maximum.at(largest, fleet.host, (fleet.sizes * fleet.inverse[:, fleet.host].T).max(axis=1))
    return largest
