"""How many distinct pages a guest has dirtied t seconds after the bitmap was cleared.

A curve is a sum over parts of memory. Each is non-decreasing and starts at its origin or above it; the shape
matters as much as the rate, because random writes hit the same page twice long before cyclic ones do.
`size` is a factor on the working set: how much wider or narrower the guest writes just then (see `noise`).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Uniform:
    """Writes anywhere in a working set: W(1 - e^(-rt/W)) pages. Raises ValueError for a figure below 0."""

    working_set: float
    """Pages."""
    rate: float
    """Writes a second."""

    def __post_init__(self) -> None:
        _refuse_negative(self.working_set, self.rate)

    def pages(self, seconds: float, size: float = 1.0) -> float:
        """Distinct pages after `seconds`."""
        working_set = self.working_set * size
        return -working_set * math.expm1(-self.rate * seconds / working_set) if working_set else 0.0

    def adds(self, left: float, seconds: float, _begun: float, size: float = 1.0) -> float:
        """Pages dirtied in a pass of `seconds` that are not among the `left`, which the pass did not send."""
        return _independent(left, self.pages(seconds, size), self.working_set * size)


@dataclass(frozen=True, slots=True)
class Cyclic:
    """Writes to each page of a working set in turn: min(W, rt) pages. Raises ValueError for a figure below 0."""

    working_set: float
    """Pages."""
    rate: float
    """Writes a second."""

    def __post_init__(self) -> None:
        _refuse_negative(self.working_set, self.rate)

    def pages(self, seconds: float, size: float = 1.0) -> float:
        """Distinct pages after `seconds`."""
        return min(self.working_set * size, self.rate * seconds)

    def adds(self, left: float, seconds: float, begun: float, size: float = 1.0) -> float:
        """As `Uniform.adds`, for a pass that began with `begun` dirty pages.

        The sender follows the writer round: what it has not sent was written last, and the writer comes back to
        it last. Unless it began amid the dirty pages, with a chance of begun/W; then they may be anywhere.
        """
        working_set = self.working_set * size
        if working_set == 0:
            return 0.0
        dirtied = self.pages(seconds, size)
        newest = min(max(0.0, working_set - left), dirtied)
        amid = min(1.0, begun / working_set)
        return newest + amid * (_independent(left, dirtied, working_set) - newest)


class Measured:
    """Measured points, piecewise linear in between (A. Gudkov, qemu-devel, 2023-02-28).

    Left of the first point the curve runs to the intercept of the first two, never below 0; right of the last
    it goes on with the slope of the last two, up to `working_set`.
    Raises ValueError for fewer than two points, times that do not grow, or pages that fall.
    """

    def __init__(self, points: Sequence[tuple[float, float]], working_set: float) -> None:
        """`points` are (seconds, distinct pages); `working_set` is the most the guest can dirty, in pages."""
        if len(points) < 2:
            raise ValueError(f"a measured curve needs at least 2 points, not {len(points)}")
        for (before, fewer), (after, more) in pairwise(points):
            if not 0 <= before < after or not 0 <= fewer <= more:
                raise ValueError(f"points must grow in time and not fall in pages: ({after:g}, {more:g})")
        (x0, y0), (x1, y1) = points[:2]
        start = [(0.0, max(0.0, y0 - x0 * (y1 - y0) / (x1 - x0)))] if x0 > 0 else []
        self._points = [*start, *points]
        self._seconds = [seconds for seconds, _ in self._points]
        self.working_set = working_set

    @property
    def rate(self) -> float:
        """Pages a second, at the steepest."""
        legs = pairwise(self._points)
        return max((more - fewer) / (after - before) for (before, fewer), (after, more) in legs)

    def pages(self, seconds: float, size: float = 1.0) -> float:
        """Distinct pages after `seconds`; none after none."""
        if seconds <= 0:
            return 0.0
        leg = min(max(bisect_right(self._seconds, seconds), 1), len(self._points) - 1)
        (x0, y0), (x1, y1) = self._points[leg - 1 : leg + 1]
        return size * min(self.working_set, y0 + (seconds - x0) * (y1 - y0) / (x1 - x0))

    def adds(self, left: float, seconds: float, _begun: float, size: float = 1.0) -> float:
        """As `Uniform.adds`."""
        return _independent(left, self.pages(seconds, size), self.working_set * size)


Dirtying = Uniform | Cyclic | Measured


def _independent(left: float, dirtied: float, working_set: float) -> float:
    return dirtied * max(0.0, 1 - left / working_set) if working_set else 0.0


def _refuse_negative(working_set: float, rate: float) -> None:
    if min(working_set, rate) < 0:
        raise ValueError(f"working set and dirty rate must not be below 0, not {working_set:g} and {rate:g}")
