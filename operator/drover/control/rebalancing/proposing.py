"""What to move: sought on arrays, where it is quick, and then tried on the ledger, where every rule is kept.

::

    arrays --drain | improve | balance--> wanted moves --tried one by one--> moves that hold
       ^                                                        |
       +------------------- refused ones are forbidden ---------+

It ends when nothing is refused, or after so many rounds with the best found. No proposal is worse than no moves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final, Literal

from drover.control.rebalancing.arrays import ALL, LOAD, Arrays
from drover.control.rebalancing.movable import stays_because, under_way
from drover.control.rebalancing.trying import Moves, TriedMove
from drover.control.world import World
from drover.model.packing import balance, drain, variation
from drover.model.packing.improve import improve
from drover.model.placement import Reserve
from drover.model.placement.whatif import tolerated, trial

Goal = Literal["pack", "balance"]
"""pack: fewer hosts in use. balance: hosts loaded alike."""
LEAST_GAIN: Final = 0.001
"""What a move must take off the variation at least,"""
LEAST_GAIN_OF_ALL: Final = 0.1
"""or this divided by the number of hosts: the more there are, the less is one move to them all."""
ROUNDS: Final = 16
"""Refusals are learnt from so often."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How a pool is used."""

    hosts_in_use: int
    """Hosts with anything charged to them. VMs that are to be moved already are charged to their targets too."""
    variation: float
    """Coefficient of variation (standard deviation / mean) of the loads of its hosts that are open for new VMs.

    The load of a host is the larger fraction of its CPU and memory that is charged.
    """


@dataclass(frozen=True, slots=True)
class Proposal:
    """Moves, in an order in which each holds when it is its turn, and what they bring."""

    pool: str
    goal: Goal
    moves: tuple[TriedMove, ...]
    before: Measure
    after: Measure
    stays: Mapping[str, int]
    """Why VMs of the pool are not moved live at all, with how many there are."""

    @property
    def transfer_bytes(self) -> int:
        """What all moves together should send."""
        return sum(move.transfer_bytes for move in self.moves)


def propose(pool: str, goal: Goal, world: World, budget: int, effort: float = 0.0) -> Proposal:
    """At most ``budget`` moves within a pool; none where nothing is to be gained.

    ``effort`` above 0 seeks a better consolidation with CP-SAT, for about so many of its deterministic seconds. Raises
    ModuleNotFoundError where OR-Tools is missing then. The World is as before afterwards.
    """
    with trial(world.ledger) as attempt:
        search = _Search(Moves(attempt, pool, world), pool, world)
        before, failures = search.measure(), search.survives()
        search.seek(goal, budget, effort)
        while search.moves.made and search.survives() < failures:
            budget = len(search.moves.made) // 2
            search.moves.undo()
            search.seek(goal, budget, effort)
        return Proposal(pool, goal, tuple(search.moves.made), before, search.measure(), search.stays)


class _Search:
    """One pool, and the moves sought in it."""

    def __init__(self, moves: Moves, pool: str, world: World) -> None:
        self.moves = moves
        rows = [row for row in moves.ledger.table.rows if row.pool == pool]
        moving = under_way(world)
        moves.expect(moving)
        on_hosts = [vm for row in rows for vm in world.vms(world.vms_on[row.name])]
        reasons = {vm.uid: stays_because(vm, world, moving) for vm in on_hosts}
        self.stays = Counter(reason for reason in reasons.values() if reason is not None)
        movable = {uid for uid, reason in reasons.items() if reason is None}
        # Somebody of higher priority waits for the room that is being made there.
        closed = {host for host, _ in world.vms_nominating.items()}
        self._open = [row for row in rows if row.blocked is None]
        self._reserve = moves.ledger.reserves.get(pool, Reserve())
        self._all = Arrays(rows, moves, movable, closed, ALL)
        self._loads = Arrays(self._open, moves, movable, closed, LOAD)

    def measure(self) -> Measure:
        return Measure(self._all.in_use(), variation(self._loads.totals()))

    def survives(self) -> int:
        """How many host failures the pool survives, up to those it has to."""
        most = self._reserve.host_failures
        names = [row.name for row in self._open]
        return tolerated(self.moves.ledger, names, self.moves.residents, most) if most else 0

    def seek(self, goal: Goal, budget: int, effort: float) -> None:
        if goal == "pack":
            self._pack(budget, effort)
        else:
            self._balance(budget)

    # Fewer hosts

    def _pack(self, budget: int, effort: float) -> None:
        """The most hosts emptied, with the fewest moves that will do, of all rounds."""
        best: tuple[int, int, list[TriedMove]] = (self._all.in_use(), 0, [])
        for _ in range(ROUNDS):
            refused = self._empty_hosts(self._wanted(budget, effort))
            best = min(best, (self._all.in_use(), len(self.moves.made), list(self.moves.made)), key=lambda b: b[:2])
            self.moves.undo()
            for uid, host in refused.items():
                self._all.forbid(uid, host)
            if not refused:
                break
        for move in best[2]:
            self.moves.make(move.vm.uid, move.target)

    def _wanted(self, budget: int, effort: float) -> Mapping[str, str]:
        snapshot, allowed = self._all.snapshot(), self._all.allowed
        if not effort:
            return self._all.targets(drain(snapshot, budget, allowed=allowed))
        # It searches twice, half a second a round.
        return self._all.targets(improve(snapshot, budget, allowed=allowed, rounds=ceil(effort)))

    def _empty_hosts(self, targets: Mapping[str, str]) -> Mapping[str, str]:
        """Makes those of the moves that hold and empty a host; returns those that do not hold."""
        refused = left = self._make(targets)
        while left:
            claims_on = self.moves.ledger.claims_on
            useful = {move.vm.uid: move.target for move in self.moves.made if not claims_on(move.source)}
            self.moves.undo()
            left = self._make(useful)
        return refused

    def _make(self, targets: Mapping[str, str]) -> Mapping[str, str]:
        """Makes the moves in an order in which each holds; returns those that are left over."""
        left = dict(targets)
        while made := {uid for uid, host in left.items() if self.moves.make(uid, host)}:
            left = {uid: host for uid, host in left.items() if uid not in made}
        return left

    # Hosts loaded alike

    def _balance(self, budget: int) -> None:
        least_gain = min(LEAST_GAIN, LEAST_GAIN_OF_ALL / max(1, len(self._open)))
        for _ in range(ROUNDS):
            snapshot, left = self._loads.snapshot(), budget - len(self.moves.made)
            found = balance(snapshot, left, allowed=self._loads.allowed, least_gain=least_gain)
            refused = [move for move in self._loads.targets(found).items() if not self._evens_out(*move)]
            for uid, host in refused:
                self._loads.forbid(uid, host)
            if not refused:
                return

    def _evens_out(self, uid: str, host: str) -> bool:
        """Makes a move if it holds and, after others have been refused, helps still."""
        begun, before = len(self.moves.made), variation(self._loads.totals())
        if not self.moves.make(uid, host):
            return False
        if variation(self._loads.totals()) < before:
            return True
        self.moves.undo(begun)
        return False
