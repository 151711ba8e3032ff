"""What would let a migration end that will not: each knob is turned in the model before it is named."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from drover.model.migration.course import Course, run
from drover.model.migration.link import Link
from drover.model.migration.setting import Setting
from drover.model.migration.stop import GIB, AutoConverge
from drover.model.migration.units import rate, span
from drover.model.migration.verdict import LONGER_FACTOR

STEPS = 6
"""Halvings of the range in which a figure is looked for: to within a few percent where it spans a factor of 64."""
MOST_DOWNTIME = 2000.0
"""Seconds, the largest QEMU takes."""
MOST_BANDWIDTH = 64.0
"""Times the present one: more is no advice."""
ROOM = 1.05
"""What is proposed is so many times what is needed."""
STRIDE = 1.15
"""More is tried in strides of this, where the least that helps is surrounded by more that does not."""


def advise(given: Setting) -> tuple[str, ...]:
    """What would help, with figures; empty if nothing does."""
    tried = (_auto_converge(given), _post_copy(given), _downtime(given), _bandwidth(given), _timeout(given))
    return tuple(knob for knob in tried if knob is not None)


def _auto_converge(given: Setting) -> str | None:
    aids = given.policy.aids
    if aids.auto_converge is not None:
        return None
    course = _ends(replace(given, policy=replace(given.policy, aids=replace(aids, auto_converge=AutoConverge()))))
    return f"auto-converge ({span(course.total)}, pause {span(course.downtime)})" if course else None


def _post_copy(given: Setting) -> str | None:
    if "postCopy" in given.policy.on_exhausted:
        return None
    course = _ends(replace(given, policy=replace(given.policy, on_exhausted=("postCopy",))))
    if course is None or not course.post_copy:
        return None
    return (
        f"post-copy (pause {span(course.downtime)}, then {span(course.post_copy)} in which a failure loses the guest)"
    )


def longer_limit(given: Setting) -> float | None:
    """Seconds of downtime with which the guest arrives, above those that are allowed; None if no limit helps."""
    limit = given.policy.max_downtime
    if not limit or not given.link.line:
        return None

    def with_limit(seconds: float) -> Setting:
        return replace(given, policy=replace(given.policy, max_downtime=seconds))

    most = min(MOST_DOWNTIME, 2 * given.memory.wire_bytes / given.link.line)
    near = _least(with_limit, limit, LONGER_FACTOR * limit)
    return near if near is not None else _least(with_limit, limit, most)


def _downtime(given: Setting) -> str | None:
    limit, needed = given.policy.max_downtime, longer_limit(given)
    return f"maxDowntime {span(needed)} instead of {span(limit)}" if limit and needed else None


def _bandwidth(given: Setting) -> str | None:
    present = given.link

    def with_bandwidth(speed: float) -> Setting:
        return replace(given, link=Link(speed, max(present.line, speed), present.rtt))

    needed = _least(with_bandwidth, present.bandwidth, present.bandwidth * MOST_BANDWIDTH)
    return f"bandwidth {rate(needed)} instead of {rate(present.bandwidth)}" if needed else None


def _timeout(given: Setting) -> str | None:
    per_gib, memory = given.policy.completion_timeout_per_gib, given.memory.bytes
    if per_gib is None:
        return None
    course = _ends(replace(given, policy=replace(given.policy, completion_timeout_per_gib=None)))
    if course is None:
        return None
    needed = math.ceil(ROOM * course.total / max(1.0, memory / GIB))
    return f"completionTimeoutPerGiB {needed} instead of {per_gib:.0f}"


def _ends(given: Setting) -> Course | None:
    """The course, if the guest arrives."""
    course = run(given)
    return course if course.verdict in ("Converges", "ConvergesWithLongerDowntime") and course.downtime else None


def _least(turned: Callable[[float], Setting], low: float, high: float) -> float | None:
    """About the least setting of a knob, above `low`, with which the guest arrives; None if not even at `high`."""
    if not low or high <= low or _ends(turned(high)) is None:
        return None
    for _ in range(STEPS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _ends(turned(middle)) else (middle, high)
    proposed = _rounded_up(high * ROOM)
    for _ in range(STEPS):
        if _ends(turned(proposed)) is not None:
            return proposed
        proposed = _rounded_up(proposed * STRIDE)
    return None


def _rounded_up(figure: float) -> float:
    """To two digits, as it is told."""
    unit = 10.0 ** (math.floor(math.log10(figure)) - 1)
    return math.ceil(figure / unit) * unit
