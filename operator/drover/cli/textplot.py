"""A line over time, in the characters of a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

BARS = " ▁▂▃▄▅▆▇█"
"""Eighths of a character's height."""

Point = tuple[float, float]
"""(x, y); y is never below 0."""


def text_plot(points: Sequence[Point], width: int = 60, height: int = 10) -> list[str]:
    """Rows from the top, each `width` characters: the largest y in each column's part of x, as a bar from 0."""
    last, most = points[-1][0], max(y for _, y in points)
    if not last or not most:
        return [" " * width] * height
    tops = [_largest(points, column * last / width, (column + 1) * last / width) for column in range(width)]
    eighths = [round(8 * height * top / most) for top in tops]
    return ["".join(BARS[min(8, max(0, e - 8 * row))] for e in eighths) for row in reversed(range(height))]


def _largest(points: Sequence[Point], begin: float, end: float) -> float:
    """The largest y between two x, with straight lines between the points."""
    found = [y for x, y in points if begin <= x <= end]
    for (x0, y0), (x1, y1) in pairwise(points):
        found += [y0 + (x - x0) * (y1 - y0) / (x1 - x0) for x in (begin, end) if x0 <= x <= x1 and x1 > x0]
    return max(found, default=0.0)
