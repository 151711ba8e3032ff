"""Consolidation bettered by large-neighbourhood search (Shaw 1998): a few hosts at a time are packed anew by CP-SAT.

It finds reshuffles the greedy drain does not see and so needs fewer migrations a host, for more time. Needs OR-Tools.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from drover.model.packing.drain import drain
from drover.model.packing.fleet import Fleet
from drover.model.packing.repack import repack
from drover.model.packing.sequence import rearrange, shortened
from drover.model.packing.snapshot import Allowed, IntArray, Move, Snapshot

NEIGHBOURHOOD: Final = 12
"""Hosts packed anew at a time."""
POOL: Final = 48
"""Of each resource, the hosts with most of it free from which they are drawn."""


def improve(
    snapshot: Snapshot,
    budget: int,
    *,
    allowed: Allowed | None = None,
    rounds: int = 20,
    effort: float = 0.5,
    seed: int = 0,
) -> tuple[Move, ...]:
    """As ``drain``, and never worse: fewer hosts in use, or as few with fewer moves.

    Each round packs some hosts anew, with so much effort in CP-SAT's deterministic seconds; the answer depends on the
    arguments alone. Raises ModuleNotFoundError where OR-Tools is missing.
    """
    greedy = drain(snapshot, budget, allowed=allowed)
    plans = [greedy]
    for first in ((), greedy):
        fleet = Fleet(snapshot, allowed)
        for move in first:
            fleet.move(move.vm, move.target)
        _search(fleet, budget, rounds, effort, np.random.default_rng(seed))
        plans.append(shortened(fleet.moves))
    return min(plans, key=lambda moves: (snapshot.after(moves).hosts_in_use(), len(moves)))


def _search(fleet: Fleet, budget: int, rounds: int, effort: float, random: np.random.Generator) -> None:
    for _ in range(rounds):
        begun = len(fleet.moves)
        hosts = _neighbourhood(fleet, random)
        if begun >= budget or len(hosts) < 2:
            return
        targets = repack(fleet, hosts, budget - begun, effort=effort, seed=int(random.integers(2**31)))
        if not rearrange(fleet, targets) or len(fleet.moves) > budget:
            fleet.undo(begun)


def _neighbourhood(fleet: Fleet, random: np.random.Generator) -> IntArray:
    """Hosts in use drawn from those with most of any resource free."""
    hosts = np.flatnonzero((fleet.vms > 0) & (fleet.room >= 0).all(axis=0))
    free = fleet.room[:, hosts] * fleet.inverse[:, hosts]
    freest = np.unique(np.argsort(-free, axis=1, kind="stable")[:, :POOL])
    return np.sort(hosts[random.choice(freest, min(NEIGHBOURHOOD, len(freest)), replace=False)])
