"""What one move will take, before it is begun: its course without noise, and a band from courses with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from drover.model.migration.advice import advise, longer_limit
from drover.model.migration.course import Course, arrives, patience_with, run
from drover.model.migration.forecast import Band, band
from drover.model.migration.noise import Drawn
from drover.model.migration.setting import Setting
from drover.model.migration.verdict import LONGER_FACTOR, Verdict

MEMBERS = 29
"""Courses of an ensemble: the quantiles of 29 are three of them."""
FEW = 9
"""As many as have the same three quantiles among them."""

LimitedBy = Literal["None", "Bandwidth", "DirtyRate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A forecast. Bands are over the courses that agree with the verdict; seconds and bytes."""

    verdict: Verdict
    """Of most courses."""
    message: str
    """Its figures, and what would help."""
    limited_by: LimitedBy
    likely: Course
    """The one of median duration."""
    total: Band
    downtime: Band
    blackout: Band
    bytes: Band
    passes: Band
    warnings: tuple[str, ...]
    """How sure the verdict is."""


def estimate(given: Setting, sigma: float = 0.0, members: int = MEMBERS) -> Estimate:
    """Forecast a move whose working sets vary from pass to pass, log-normally with `sigma`."""
    courses = _ensemble(given, sigma, members) if sigma and given.link.bandwidth else [run(given)]
    failed = [course for course in courses if not arrives(course)]
    arrived = [course for course in courses if arrives(course)]
    agreeing = sorted(arrived if len(arrived) > len(failed) else failed, key=lambda course: course.total)
    likely = agreeing[len(agreeing) // 2]

    def over(figure: Callable[[Course], float]) -> Band:
        return band([figure(course) for course in agreeing])

    return Estimate(
        _verdict(likely, given),
        _message(likely, given),
        _limited_by(likely, given),
        likely,
        over(lambda course: course.total),
        over(lambda course: course.downtime),
        over(lambda course: course.blackout),
        over(lambda course: course.bytes),
        over(lambda course: course.passes[-1].index if course.passes else 0),
        _warnings(failed, arrived, sigma),
    )


def _ensemble(given: Setting, sigma: float, members: int) -> list[Course]:
    """Courses with noise. Patience is only for those whom a quiet pass may help; where none arrives, few will do."""
    patience = patience_with(given, sigma)

    def draw(seed: int) -> Course:
        return run(replace(given, noise=Drawn(seed, "estimate", 1, sigma), patience=patience))

    first = [draw(seed) for seed in range(min(FEW, members))]
    more = range(FEW, members) if any(arrives(course) for course in first) else ()
    return first + [draw(seed) for seed in more]


def _verdict(likely: Course, given: Setting) -> Verdict:
    """A guest that arrives with a pause a little longer than allowed is not one that never will."""
    if likely.verdict != "DoesNotConverge" or given.policy.max_downtime is None:
        return likely.verdict
    needed = longer_limit(given)
    near = needed is not None and needed <= LONGER_FACTOR * given.policy.max_downtime
    return "ConvergesWithLongerDowntime" if near else likely.verdict


def _message(likely: Course, given: Setting) -> str:
    if arrives(likely) or likely.verdict == "Blocked":
        return likely.message
    knobs = advise(given)
    return f"{likely.message}; what helps: {', or '.join(knobs)}" if knobs else f"{likely.message}; no setting helps"


def _limited_by(likely: Course, given: Setting) -> LimitedBy:
    if arrives(likely):
        return "None"
    if not given.link.bandwidth:
        return "Bandwidth"
    timeout = given.policy.completion_timeout(given.memory.bytes)
    return "Bandwidth" if likely.whole > timeout * given.link.bandwidth else "DirtyRate"


def _warnings(failed: Sequence[Course], arrived: Sequence[Course], sigma: float) -> tuple[str, ...]:
    if not failed or not arrived:
        return ()
    draws = len(failed) + len(arrived)
    return (f"fails in {len(failed)} of {draws} draws of the dirty noise {sigma:g}: {failed[0].message}",)
