"""One play of many moves: they wait for slots, share the network, and are tried again when they fail."""

from __future__ import annotations

import heapq
import math
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from drover.model.migration.ending import Ending, ending
from drover.model.migration.legs import Passes, Rest, Route
from drover.model.migration.memory import Memory
from drover.model.migration.network import Ended, Network
from drover.model.migration.noise import Noise
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


PLAIN = Conduct()
"""No retries, and a control plane that takes no time."""


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
