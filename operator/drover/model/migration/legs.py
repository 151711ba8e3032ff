"""What a migration sends, leg by leg, and the cards it crosses: passes until a rule ends them, then a fixed rest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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
