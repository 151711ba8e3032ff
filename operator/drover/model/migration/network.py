"""Moves under way at once, which share the cards of their hosts.

Rates are max-min fair at every instant: each start, end and switch-over changes them, and the passes of the others grow
longer or shorter from there on. The stop rules see the share, so a crowd can keep a guest from converging that would
converge alone. Between two changes nothing has to be computed: a leg knows when its pass will end.

Passes may use a part of a card; the last phase, as in QEMU, goes at line rate. Times are model seconds from an origin
of the caller's choice.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from drover.model.migration.legs import Leg
from drover.model.migration.link import max_min_fair


@dataclass(frozen=True, slots=True)
class Ended:
    """A leg that is over, and when."""

    at: float
    leg: Leg


@dataclass(slots=True)
class _Riding:
    """A leg in the network, as it was at `at`."""

    leg: Leg
    at: float
    over: bool = False
    entry: int = 0
    """Its valid entry in the queue of pass ends."""

    def ride(self, until: float) -> None:
        """Go on at the present rate, pass after pass, until then or until it is over."""
        while not self.over:
            left = self.leg.left()
            if self.at + left > until:
                break
            self._go_on(left)
        if not self.over and self.at < until:
            self._go_on(until - self.at)

    def _go_on(self, seconds: float) -> None:
        self.at += seconds
        self.over = self.leg.go_on(seconds)


class Network:
    """Legs that share cards, event by event."""

    def __init__(self) -> None:
        self.now = 0.0
        self._riding: dict[str, _Riding] = {}
        self._crossing: dict[str, set[str]] = defaultdict(set)
        self._due: list[tuple[float, int, str]] = []
        self._entries = 0

    def join(self, leg: Leg, since: float) -> None:
        """Let a leg begin. One that began in the past catches up at its present share, and disturbs nobody's past."""
        riding = _Riding(leg, min(since, self.now), over=leg.starts())
        self._riding[leg.name] = riding
        for name, _ in leg.resources():
            self._crossing[name].add(leg.name)
        self._divide(self._neighbours(leg))

    def leave(self, name: str) -> Leg | None:
        """Take a leg out, as it is now; None if it is not there."""
        riding = self._riding.get(name)
        if riding is None:
            return None
        riding.ride(self.now)
        self._remove(riding)
        return riding.leg

    def look(self, name: str) -> Leg:
        """A leg as it is now. Raises KeyError if it is not there."""
        riding = self._riding[name]
        riding.ride(self.now)
        self._enqueue(riding)
        return riding.leg

    @property
    def next_at(self) -> float:
        """When something happens next; infinite for never."""
        while self._due and not self._is_valid(self._due[0]):
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else math.inf

    def advance(self, until: float) -> Ended | None:
        """Go on to the next leg that ends, but not past `until`."""
        while (at := self.next_at) <= until:
            _, _, name = heapq.heappop(self._due)
            riding = self._riding[name]
            self.now = max(self.now, at)
            riding.ride(at)
            if riding.over:
                self._remove(riding)
                return Ended(riding.at, riding.leg)
            self._enqueue(riding)
        self.now = max(self.now, until)
        return None

    def _remove(self, riding: _Riding) -> None:
        neighbours = self._neighbours(riding.leg) - {riding.leg.name}
        del self._riding[riding.leg.name]
        for card, _ in riding.leg.resources():
            self._crossing[card].discard(riding.leg.name)
            if not self._crossing[card]:
                del self._crossing[card]
        self._divide(neighbours)

    # Shares

    def _neighbours(self, leg: Leg) -> set[str]:
        """The legs whose rates depend on one another's, this one among them."""
        found: set[str] = set()
        cards, seen = [name for name, _ in leg.resources()], set[str]()
        while cards:
            card = cards.pop()
            if card in seen:
                continue
            seen.add(card)
            for name in self._crossing[card] - found:
                found.add(name)
                cards += [resource for resource, _ in self._riding[name].leg.resources()]
        return found

    def _divide(self, names: Iterable[str]) -> None:
        """Give each its max-min fair share from now on."""
        riders = [self._riding[name] for name in sorted(names)]
        capacities: dict[str, float] = {}
        flows: list[tuple[str, ...]] = []
        for riding in riders:
            crossed = tuple(riding.leg.resources())
            capacities.update(crossed)
            flows.append(tuple(name for name, _ in crossed))
        for riding, rate in zip(riders, max_min_fair(capacities, flows), strict=True):
            if riding.leg.has_share:
                riding.ride(self.now)
            riding.leg.use(rate)
            self._enqueue(riding)

    # The queue

    def _enqueue(self, riding: _Riding) -> None:
        self._entries += 1
        riding.entry = self._entries
        due = riding.at if riding.over else riding.at + riding.leg.left()
        heapq.heappush(self._due, (due, self._entries, riding.leg.name))

    def _is_valid(self, entry: tuple[float, int, str]) -> bool:
        riding = self._riding.get(entry[2])
        return riding is not None and riding.entry == entry[1]
