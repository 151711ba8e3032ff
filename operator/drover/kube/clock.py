"""The wall clock, made monotone."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


class WallClock:
    """UTC that never steps back: set back from outside, it goes on at the pace of the monotonic clock."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        """``wall`` and ``monotonic`` in seconds."""
        self._wall, self._monotonic = wall, monotonic
        self._offset = float("-inf")

    def now(self) -> datetime:
        # The wall is read first: a pause between the two reads then only makes the offset smaller, which is ignored.
        wall = self._wall()
        monotonic = self._monotonic()
        self._offset = max(self._offset, wall - monotonic)
        return datetime.fromtimestamp(monotonic + self._offset, UTC)
