"""Room for a virtual machine that fits nowhere, made by trading others between two hosts.

Host G has CPU to spare and no memory, host P memory and no CPU. If one machine *big* of G goes to P and several
*small* ones of P, all of one size, go to G, both keep within their capacity and one of them gains the room needed. In
every resource, with r the room of a host::

    big - r_P [+ need, on P]  <=  copies x small  <=  big + r_G [- need, on G]

All pairs (big on G, small on P) are looked at together, as a matrix of the fewest copies; the smallest is taken. None
at all is the plain case: big fits P as it is.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from drover.model.packing.fleet import Fleet
from drover.model.packing.snapshot import FloatArray, IntArray

MOST_PER_EXCHANGE: Final = 32
"""So many small machines for a big one at most."""
MOST_CANDIDATES: Final = 400
"""So many (host, size) candidates are paired with each other; those with most room come first."""
MOST_KINDS: Final = 256
"""So many sizes, the most frequent ones, take part."""
MOST_TRIES: Final = 8
"""So many exchanges are tried where placement rules forbid the best."""
_HASH: Final = np.uint64(0x9E3779B97F4A7C15)
"""An odd multiplier with well-mixed bits (2**64 / golden ratio)."""


class _Candidates(NamedTuple):
    """For each (host, size) that may take part, one row."""

    host: IntArray
    kind: IntArray
    copies: IntArray
    """How many the host runs."""
    size: FloatArray
    room: FloatArray


class _Trade(NamedTuple):
    giver: int
    big: int
    partner: int
    small: int
    copies: int
    target: int


class Exchange:
    """Exchanges in a fleet. Virtual machines of one size are of one *kind*."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        sizes, kind, count = np.unique(fleet.sizes, axis=0, return_inverse=True, return_counts=True)
        common = np.sort(np.argsort(-count, kind="stable")[:MOST_KINDS])
        renumbered = np.full(len(sizes), -1)
        renumbered[common] = np.arange(len(common))
        self._sizes: IntArray = sizes[common]
        self._kind: IntArray = renumbered[kind]
        """Of every virtual machine; -1 where its size is too rare."""

    def make_room(self, vm: int, source: int) -> int | None:
        """Trades machines of hosts other than the source until the machine fits one, and returns that host.

        Moves nothing and returns None where no exchange makes the room.
        """
        candidates = self._candidates(source)
        for trade in _cheapest(candidates, self._fleet.sizes[vm].astype(np.float64)):
            if self._fleet.admits(vm, trade.target) and self._execute(trade, source):
                return trade.target
        return None

    def _candidates(self, source: int) -> _Candidates:
        """Of hosts with the same room, the one with the most of a kind stands for all that run that kind."""
        fleet, kinds = self._fleet, len(self._sizes)
        known = (self._kind >= 0) & (fleet.host != source)
        counts = np.bincount(fleet.host[known] * kinds + self._kind[known], minlength=fleet.room.shape[1] * kinds)
        pairs = np.flatnonzero(counts)
        alike = _numbered(fleet.room)[pairs // kinds] * kinds + pairs % kinds
        most = np.zeros_like(counts)
        np.maximum.at(most, alike, counts[pairs])
        first = np.full_like(counts, -1)
        leading = np.flatnonzero(counts[pairs] == most[alike])[::-1]
        first[alike[leading]] = pairs[leading]  # of several, the last assigned: the first pair
        pairs = first[first >= 0]
        freest = (fleet.room * fleet.inverse).max(axis=0)[pairs // kinds]
        pairs = pairs[np.argsort(-freest, kind="stable")[:MOST_CANDIDATES]]
        host, kind = np.divmod(pairs, kinds)
        room = fleet.room[:, host].T.astype(np.float64)
        return _Candidates(host, kind, counts[pairs], self._sizes[kind].astype(np.float64), room)

    def _execute(self, trade: _Trade, source: int) -> bool:
        """Does the moves of an exchange, by way of a third host where it takes machines both ways."""
        fleet = self._fleet
        big = self._pick(trade.giver, trade.big, trade.partner, 1)
        small = self._pick(trade.partner, trade.small, trade.giver, trade.copies)
        if len(big) < 1 or len(small) < trade.copies:
            return False
        if trade.copies:
            stage = self._stage(big[0], source)
            if stage is None:
                return False
            fleet.move(big[0], stage)
        for vm in small:
            fleet.move(vm, trade.giver)
        fleet.move(big[0], trade.partner)
        return True

    def _pick(self, host: int, kind: int, target: int, count: int) -> list[int]:
        """The first machines of the kind on the host that the target admits."""
        of_kind = np.flatnonzero((self._fleet.host == host) & (self._kind == kind)).tolist()
        admitted = (vm for vm in of_kind if self._fleet.admits(vm, target))
        return [vm for vm, _ in zip(admitted, range(count), strict=False)]

    def _stage(self, vm: int, source: int) -> int | None:
        """A host to keep the machine while the others move: one emptied before, or the one being emptied."""
        hosts = self._fleet.admitted(vm, np.append(self._fleet.vacated(), source))
        return next((int(host) for host in hosts if self._fleet.fits(vm, host)), None)


def _cheapest(candidates: _Candidates, need: FloatArray) -> list[_Trade]:
    """The exchanges that make the room, fewest moves first."""
    none = np.zeros_like(need)
    copies = np.stack([_least_copies(candidates, need, none), _least_copies(candidates, none, need)])
    possible = np.flatnonzero(copies <= MOST_PER_EXCHANGE)
    best = possible[np.argsort(copies.ravel()[possible], kind="stable")[:MOST_TRIES]]
    host, kind = candidates.host.tolist(), candidates.kind.tolist()
    return [
        _Trade(host[big], kind[big], host[small], kind[small], int(copies[at, big, small]), host[small if at else big])
        for at, big, small in zip(*(axis.tolist() for axis in np.unravel_index(best, copies.shape)), strict=True)
    ]


def _numbered(columns: IntArray) -> IntArray:
    """Shape (columns,): the same number for equal columns. Two others that share one only hide a candidate."""
    weights = _HASH ** np.arange(1, len(columns) + 1, dtype=np.uint64)
    numbers: IntArray = np.unique(weights @ columns.astype(np.uint64), return_inverse=True)[1]
    return numbers


def _least_copies(candidates: _Candidates, at_giver: FloatArray, at_partner: FloatArray) -> FloatArray:
    """Shape (candidates as big, candidates as small): the least count, infinite where there is none."""
    size, room = candidates.size, candidates.room
    least = np.zeros((len(size), len(size)))
    most = np.broadcast_to(candidates.copies.astype(np.float64), least.shape).copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        for resource in range(size.shape[1]):
            big, small = size[:, None, resource], size[None, :, resource]
            lowest = big - room[None, :, resource] + at_partner[resource]
            highest = big + room[:, None, resource] - at_giver[resource]
            # A size of 0 divides to an infinity of the right sign, or to NaN where it sets no limit: fmax drops NaN.
            np.fmax(least, np.ceil(lowest / small), out=least)
            np.fmin(most, np.floor(highest / small), out=most)
    impossible = (least > most) | (candidates.host[:, None] == candidates.host[None, :])
    least[impossible] = np.inf
    return least
