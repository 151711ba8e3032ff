"""The wall clock, made monotone."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class WallClock:
    """UTC that never steps back: set back from outside, it goes on at the pace of the monotonic clock."""

    def __init__(self) -> None:
        self._offset = float("-inf")

    def now(self) -> datetime:
        # The wall is read first: a pause between the two reads then only makes the offset smaller, which is ignored.
        wall = time.time()
        monotonic = time.monotonic()
        self._offset = max(self._offset, wall - monotonic)
        return datetime.fromtimestamp(monotonic + self._offset, UTC)
