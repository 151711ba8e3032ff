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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from drover.model.migration.link import Link, max_min_fair
from drover.model.migration.repeats import repeat, repeats
from drover.model.migration.rounds import advance, pass_left, send_round
from drover.model.migration.rules import Decision, decide
from drover.model.migration.setting import Setting
from drover.model.migration.state import State

LEAST_RATE = 1e-3
"""Bytes a second of a leg that gets nothing: it waits for as long as that lasts."""


@dataclass(frozen=True, slots=True)
class Card:
    """What one host sends, or receives, live migrations with; or an uplink, or a WAN pipe."""

    name: str
    line: float
    """Bytes a second."""
    passes: float
    """Bytes a second of it that passes may use together."""


@dataclass(frozen=True, slots=True)
class Route:
    """The cards one migration crosses."""

    cards: tuple[Card, ...]
    cap: float = math.inf
    """Bytes a second its passes may use at most."""
    rtt: float = 0.0
    """Round trip in seconds."""

    @property
    def line(self) -> float:
        """Bytes a second of the last phase, alone on the cards."""
        return min(card.line for card in self.cards)

    @property
    def alone(self) -> Link:
        """What a migration gets with nobody beside it."""
        passes = min(self.cap, *(card.passes for card in self.cards))
        return Link(min(passes, self.line), self.line, self.rtt)


def passes_share(routes: Sequence[Route]) -> float:
    """Bytes a second the passes on the first route get beside those on the others."""
    crossed = [tuple(_passing(str(number), route)) for number, route in enumerate(routes)]
    capacities = {name: most for resources in crossed for name, most in resources}
    return max_min_fair(capacities, [tuple(name for name, _ in resources) for resources in crossed])[0]


def _passing(name: str, route: Route) -> Iterator[tuple[str, float]]:
    """What passes take a share of, and how much there is of it."""
    for card in route.cards:
        yield card.name, card.line
        yield f"{card.name} passes", card.passes
    yield f"{name} cap", min(route.cap, route.line)


@dataclass(slots=True)
class Passes:
    """Pre-copy on its way, until a rule of the policy hits."""

    name: str
    route: Route
    given: Setting
    """Its link is the share the leg has now."""
    state: State
    decision: Decision | None = None
    """The rule that ended the passes."""
    has_share: bool = False
    """Whether it has been told its share; before that it cannot have sent anything."""
    skips: bool = False
    """Whether passes that only repeat are counted at once: for a forecast, where the noise of each does not matter."""
    _repeats: int = field(default=0, repr=False, compare=False)
    """Passes like the last that are under way together."""
    _left: float | None = field(default=None, repr=False, compare=False)
    """As `left` last found it; a pass is looked at more often than it changes."""

    def starts(self) -> bool:
        """Whether it is over before it begins: a policy may want no pass at all."""
        return not self.state.partial.seconds and self._ask()

    def resources(self) -> Iterator[tuple[str, float]]:
        return _passing(self.name, self.route)

    def use(self, rate: float) -> None:
        self.has_share = True
        link = Link(max(rate, LEAST_RATE), self.route.line, self.route.rtt)
        if link != self.given.link:
            self.given, self._left, self._repeats = replace(self.given, link=link), None, 0

    def left(self) -> float:
        """Seconds to the end of the pass under way."""
        if self._left is None:
            last = self.state.last
            repeating = self._repeats * last.seconds if last else 0.0
            self._left = repeating or pass_left(self.state, self.given)
        return self._left

    def go_on(self, seconds: float) -> bool:
        """True if the passes are over: the policy is asked between two."""
        earlier, ends = self.state, seconds == self.left()
        if self._repeats:
            self._go_on_repeating(self._repeats if ends else None, seconds)
        else:
            self.state = send_round(earlier, self.given) if ends else advance(earlier, self.given, seconds)
            if self.skips and ends:
                self._repeats = repeats(earlier, self.state, self.given)
        self._left = None
        return self._ask()

    def _go_on_repeating(self, times: int | None, seconds: float) -> None:
        """All of the passes that repeat, or those that fit the time and a part of the next."""
        last = self.state.last
        assert last is not None
        whole = int(seconds / last.seconds) if times is None else times
        self.state, self._repeats = repeat(self.state, whole), 0
        if times is None:
            rest = min(seconds - whole * last.seconds, pass_left(self.state, self.given))
            self.state = advance(self.state, self.given, max(0.0, rest))

    def _ask(self) -> bool:
        self.decision = decide(self.state, self.given)
        return self.decision is not None


@dataclass(slots=True)
class Rest:
    """A fixed amount at line rate: what is left of a paused guest, or what post-copy pulls."""

    name: str
    route: Route
    bytes: float
    rate: float = 0.0

    @property
    def has_share(self) -> bool:
        """Whether it has been told its share."""
        return self.rate > 0

    def starts(self) -> bool:
        """Whether there is nothing to send."""
        return self.bytes == 0

    def resources(self) -> Iterator[tuple[str, float]]:
        for card in self.route.cards:
            yield card.name, card.line

    def use(self, rate: float) -> None:
        self.rate = max(rate, LEAST_RATE)

    def left(self) -> float:
        return self.bytes / self.rate

    def go_on(self, seconds: float) -> bool:
        """True if nothing is left."""
        over = seconds >= self.left()
        self.bytes = 0.0 if over else max(0.0, self.bytes - seconds * self.rate)
        return over


Leg = Passes | Rest


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

    def __contains__(self, name: str) -> bool:
        return name in self._riding

    def join(self, leg: Leg, since: float) -> None:
        """Let a leg begin. One that began in the past catches up at its present share, and disturbs nobody's past."""
        riding = _Riding(leg, min(since, self.now), over=leg.starts())
        self._riding[leg.name] = riding
        for name, _ in leg.resources():
            self._crossing[name].add(leg.name)
        self._share(leg)

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

    def _share(self, leg: Leg) -> None:
        self._divide(self._neighbours(leg))

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
