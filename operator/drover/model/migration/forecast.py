"""What many moves will take together: they wait for slots, share the network, and are tried again when they fail.

The moves are played on a `Network`, as the simulated driver plays them, a few times over with other noise; what differs
between the plays is the band of the forecast.
"""

from __future__ import annotations

import heapq
import math
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from drover.model.migration.course import patience_with
from drover.model.migration.ending import Ending, ending
from drover.model.migration.memory import Memory
from drover.model.migration.network import Ended, Network, Passes, Rest, Route
from drover.model.migration.noise import NONE, Drawn, Noise
from drover.model.migration.rounds import begin
from drover.model.migration.rules import Decision
from drover.model.migration.setting import MODELLED, PATIENCE, Hypervisor, Setting
from drover.model.migration.slots import Limits, Slots
from drover.model.migration.state import State
from drover.model.migration.stop import Reason, StopPolicy
from drover.model.migration.verdict import Verdict, judge


@dataclass(frozen=True, slots=True)
class Move:
    """One guest to move. Moves are given in the order in which they are to start."""

    name: str
    pool: str
    """Whose slots it takes."""
    source: str
    target: str
    route: Route
    memory: Memory
    policy: StopPolicy
    dirty_noise: float = 0.0
    """Log-normal sigma of the hot set from pass to pass."""
    hypervisor: Hypervisor = MODELLED
    patience: int = PATIENCE
    """As `Setting.patience`."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """How the moves are carried out."""

    retries: int = 0
    """How often a move that failed is tried again."""
    backoff: float = 20.0
    """Seconds before the first retry; it doubles each time."""
    control: float = 0.0
    """Seconds that the control plane takes for each move, to claim, commit and let the next one start."""


class Played(NamedTuple):
    """One move as it went in one play; of one that failed, its last attempt. Times in seconds from the first start."""

    start: float
    end: float
    seconds: float
    """Of the last attempt, from the preparation of the target on."""
    downtime: float
    blackout: float
    bytes: float
    passes: int
    attempts: int
    verdict: Verdict
    reason: Reason
    message: str


class Band(NamedTuple):
    """Quantiles of a prediction: eight outcomes in ten lie between the outer two."""

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the moves will take, in seconds."""

    duration: Band
    """From the first start to the last end."""
    downtime: Band
    """Of all guests together."""
    plays: tuple[tuple[Played, ...], ...]
    """The moves in each play, in the order given; the first play is without noise."""

    @property
    def moves(self) -> tuple[Played, ...]:
        """The moves as they will most likely go."""
        return self.plays[0]

    def band_of(self, figure: Callable[[tuple[Played, ...]], float]) -> Band:
        """A figure of all moves together."""
        return band([figure(play) for play in self.plays[1:] or self.plays])

    def band(self, index: int, figure: Callable[[Played], float]) -> Band:
        """A figure of one move."""
        return band([figure(play[index]) for play in self.plays[1:] or self.plays])


def forecast(moves: Sequence[Move], limits: Mapping[str, Limits], conduct: Conduct = Conduct()) -> Forecast:
    """Play the moves without noise, and with it as often as their number allows. Raises ValueError for no moves."""
    if not moves:
        raise ValueError("there is nothing to forecast: no moves")
    quiet = play_together(moves, limits, conduct, _quiet)
    passes = sum(played.passes * played.attempts for played in quiet)
    noisy = any(move.dirty_noise for move in moves)
    patient = _with_patience(moves) if noisy else ()
    seeds = range(members(len(moves), passes) if noisy else 0)
    plays = [play_together(patient, limits, conduct, _drawn(seed)) for seed in seeds]
    whole = (quiet, *plays)
    return Forecast(
        _band(whole, lambda play: max(played.end for played in play), lambda played: played.seconds),
        _band(whole, lambda play: sum(played.downtime for played in play), lambda played: played.downtime),
        whole,
    )


def _with_patience(moves: Sequence[Move]) -> Sequence[Move]:
    """As much as their noise asks for, which is the same for moves that are alike."""
    found: dict[object, int] = {}
    for move in moves:
        if (alike := _alone(move)) not in found:
            found[alike] = patience_with(*alike)
    return [replace(move, patience=found[_alone(move)]) for move in moves]


def _alone(move: Move) -> tuple[Setting, float]:
    """The move with its cards to itself, and its noise."""
    return Setting(move.memory, move.route.alone, move.policy, move.hypervisor), move.dirty_noise


def _band(
    plays: Sequence[tuple[Played, ...]],
    whole: Callable[[tuple[Played, ...]], float],
    part: Callable[[Played], float],
) -> Band:
    """Quantiles of a figure of all moves together; `part` is a move's share of it.

    A single play with noise still tells how far single moves stray, and with independent noise variances add up.
    """
    quiet, *noisy = plays
    if len(noisy) != 1:
        return band([whole(play) for play in noisy or plays])
    strayed = [part(drawn) - part(likely) for drawn, likely in zip(noisy[0], quiet, strict=True)]
    mean = sum(strayed) / len(strayed)
    middle, lot = whole(noisy[0]), sum(map(part, noisy[0]))
    spread = TENTH * math.sqrt(sum((one - mean) ** 2 for one in strayed)) * (middle / lot if lot else 0.0)
    return Band(max(0.0, middle - spread), middle, middle + spread)


def is_better_alone(moves: Sequence[Move], made: Forecast, conduct: Conduct = Conduct()) -> bool:
    """Whether one move after the other lets more guests converge, or ends sooner, than they were forecast together.

    Moves that meet on a card slow each other's passes, in which their guests dirty the more.
    """
    serial = {move.pool: Limits(max_concurrent=1) for move in moves}
    return _merit(play_together(moves, serial, conduct, _quiet)) < _merit(made.moves)


def _merit(played: Sequence[Played]) -> tuple[int, float]:
    """Less is better: guests that do not converge, then the end of it all, to the nearest percent or so."""
    end = max(one.end for one in played)
    return sum(one.verdict != "Converges" for one in played), float(f"{end:.1e}")


def _quiet(_move: Move, _attempt: int) -> Noise:
    return NONE


PASSES = 30_000
"""Passes played for one forecast, at most, as counted without noise: some 20 us each."""
TENTH = 1.2816
"""Standard deviations beyond which lies a tenth of a normal distribution."""


def members(moves: int, passes: int) -> int:
    """Plays with noise: 29, 19 or 9, whose order statistics are the quantiles; 1 where many moves even it out.

    Fewer, too, where the moves need many passes, so that no forecast takes long.
    """
    wanted = 29 if moves <= 10 else 19 if moves <= 40 else 9 if moves <= 100 else 1
    return next((count for count in (29, 19, 9) if count <= wanted and count * passes <= PASSES), 1)


def band(figures: Sequence[float]) -> Band:
    """Quantiles of a sample: the value at p(n + 1), which of 9, 19 or 29 is one of them (Weibull plotting position)."""
    ordered = sorted(figures)

    def at(share: float) -> float:
        rank = share * (len(ordered) + 1) - 1
        low = min(max(math.floor(rank), 0), len(ordered) - 1)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * min(max(rank - low, 0.0), 1.0)

    return Band(at(0.1), at(0.5), at(0.9))


def _drawn(seed: int) -> Callable[[Move, int], Noise]:
    return lambda move, attempt: Drawn(seed, move.name, attempt, move.dirty_noise)


def hand_over(state: State, decision: Decision, given: Setting, seconds: float | None = None) -> Ending:
    """What follows the passes, where what is left takes `seconds` on the wire; None = at the line rate."""
    rest = state.remaining
    if not seconds or not rest:
        return ending(state, decision, given)
    line = min(given.link.line, rest / seconds)
    link = replace(given.link, line=line, bandwidth=min(given.link.bandwidth, line))
    return ending(state, decision, replace(given, link=link))


def play_together(
    moves: Sequence[Move], limits: Mapping[str, Limits], conduct: Conduct, noise: Callable[[Move, int], Noise]
) -> tuple[Played, ...]:
    """One play of all moves; `noise` is that of a move's attempt, from 1. Pools without limits have the defaults."""
    return _Play(moves, limits, conduct, noise).run()


class _Play:
    """Slots, clocks and network of one play. Moves are known by their index."""

    def __init__(
        self,
        moves: Sequence[Move],
        limits: Mapping[str, Limits],
        conduct: Conduct,
        noise: Callable[[Move, int], Noise],
    ) -> None:
        self._moves, self._conduct, self._noise = moves, conduct, noise
        self._slots = {pool: Slots(limits.get(pool, Limits())) for pool in {move.pool for move in moves}}
        self._network = Network()
        self._waiting: dict[str, list[int]] = defaultdict(list)
        for index, move in enumerate(moves):
            self._waiting[move.source].append(index)
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer = 0
        self._attempts = [0] * len(moves)
        self._began = [0.0] * len(moves)
        self._started = [0.0] * len(moves)
        self._copied: dict[int, tuple[Passes, float]] = {}
        self._played: dict[int, Played] = {}

    def run(self) -> tuple[Played, ...]:
        self._start_what_fits()
        while self._timers or self._network.next_at < math.inf:
            due = self._timers[0][0] if self._timers else math.inf
            if (ended := self._network.advance(due)) is not None:
                self._ended(ended)
            else:
                heapq.heappop(self._timers)[2]()
        return tuple(self._played[index] for index in range(len(self._moves)))

    def _at(self, when: float, what: Callable[[], None]) -> None:
        self._timer += 1
        heapq.heappush(self._timers, (when, self._timer, what))

    def _start_what_fits(self) -> None:
        """In order; what does not fit holds up nothing behind it."""
        heads = [(line[0], source, 0) for source, line in self._waiting.items() if line]
        heapq.heapify(heads)
        while heads:
            index, source, place = heapq.heappop(heads)
            line, move = self._waiting[source], self._moves[index]
            block = self._slots[move.pool].blocked(source, move.target)
            if block is None:
                self._slots[move.pool].take(source, move.target)
                del line[place]
                self._start(index)
            elif block.by == "InboundLimit":
                place += 1
            else:
                continue  # nothing more can leave this host now
            if place < len(line):
                heapq.heappush(heads, (line[place], source, place))

    def _start(self, index: int) -> None:
        self._attempts[index] += 1
        if self._attempts[index] == 1:
            self._began[index] = self._network.now
        self._started[index] = self._network.now
        self._at(self._network.now + self._moves[index].hypervisor.setup, lambda: self._copy(index))

    def _copy(self, index: int) -> None:
        move = self._moves[index]
        noise = self._noise(move, self._attempts[index])
        given = Setting(move.memory, move.route.alone, move.policy, move.hypervisor, noise, move.patience)
        self._network.join(Passes(str(index), move.route, given, begin(given), skips=True), self._network.now)

    def _ended(self, ended: Ended) -> None:
        leg, index = ended.leg, int(ended.leg.name)
        if isinstance(leg, Passes):
            self._copied[index] = leg, ended.at
            self._hand_over(index, leg, ended.at)
            return
        copied, since = self._copied[index]
        assert copied.decision is not None
        over = hand_over(copied.state, copied.decision, copied.given, ended.at - since)
        if copied.decision.then == "postCopy":
            self._finish(index, over)
            return
        fixed = max(0.0, over.downtime - (ended.at - since)) + self._conduct.control
        self._at(ended.at + fixed, lambda: self._finish(index, over))

    def _hand_over(self, index: int, copied: Passes, at: float) -> None:
        """Pause and send the rest, or pause and let it be pulled, or leave the guest alone."""
        assert copied.decision is not None
        rest = Rest(copied.name, copied.route, copied.state.remaining)
        match copied.decision.then:
            case "abort":
                self._finish(index, Ending())
            case "postCopy":
                pause = hand_over(copied.state, copied.decision, copied.given).downtime
                self._copied[index] = copied, at + pause
                self._at(at + pause, lambda: self._network.join(rest, at + pause))
            case _:
                self._network.join(rest, at)

    def _finish(self, index: int, over: Ending) -> None:
        move, now = self._moves[index], self._network.now
        copied, _ = self._copied.pop(index)
        assert copied.decision is not None
        verdict, message = judge(copied.decision, copied.state, copied.given)
        self._played[index] = Played(
            self._began[index],
            now,
            now - self._started[index],
            over.downtime,
            over.blackout,
            copied.state.processed + over.bytes,
            copied.state.passes,
            self._attempts[index],
            verdict,
            copied.decision.reason,
            message,
        )
        self._slots[move.pool].release(move.source, move.target)
        attempt = self._attempts[index]
        if copied.decision.then == "abort" and attempt <= self._conduct.retries:
            self._at(now + self._conduct.backoff * 2 ** (attempt - 1), lambda: self._again(index))
        self._start_what_fits()

    def _again(self, index: int) -> None:
        insort(self._waiting[self._moves[index].source], index)
        self._start_what_fits()
