"""What many moves will take together.

The moves are played on a `Network`, as the simulated driver plays them, a few times over with other noise; what differs
between the plays is the band of the forecast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from drover.model.migration.course import Course, arrives, patience_with, run
from drover.model.migration.noise import NONE, Drawn, Noise
from drover.model.migration.play import PLAIN, Conduct, Move, Played, play_together
from drover.model.migration.setting import Setting
from drover.model.migration.slots import Limits


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


def forecast(moves: Sequence[Move], limits: Mapping[str, Limits], conduct: Conduct = PLAIN) -> Forecast:
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


def is_better_alone(moves: Sequence[Move], made: Forecast, conduct: Conduct = PLAIN) -> bool:
    """Whether one move after the other lets more guests converge, or ends sooner, than they were forecast together.

    Moves that meet on a card slow each other's passes, in which their guests dirty the more.
    """
    courses: dict[Setting, Course] = {}
    doubtful, seconds = 0, 0.0
    for move in moves:
        alone, _ = _alone(move)
        course = courses[alone] if alone in courses else courses.setdefault(alone, run(alone))
        attempts = 1 if arrives(course) else 1 + conduct.retries
        doubtful += course.verdict != "Converges"
        seconds += attempts * course.total + conduct.control
    together = sum(played.verdict != "Converges" for played in made.moves)
    return (doubtful, seconds * NOTABLY) < (together, max(played.end for played in made.moves))


def _quiet(_move: Move, _attempt: int) -> Noise:
    return NONE


PASSES = 30_000
"""Passes played for one forecast, at most, as counted without noise: some 20 us each."""
NOTABLY = 1.02
"""What ends sooner by less than this factor is no better."""
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
