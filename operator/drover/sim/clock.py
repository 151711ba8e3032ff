"""Virtual time: an instant that only events move, and the heap of events to come."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, tzinfo=UTC)
"""Where simulations begin: a Monday, midnight UTC."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that will happen: what it is called in the trace, and what it does."""

    name: str
    act: Callable[[], None]


class Timeline:
    """The virtual clock. Of two happenings at one instant the one that was scheduled first comes first."""

    def __init__(self, start: datetime = START) -> None:
        self.now = start
        self._heap: list[tuple[datetime, int, Happening]] = []
        self._count = 0

    def at(self, instant: datetime, name: str, act: Callable[[], None]) -> None:
        """Schedule ``act``; an instant that has passed means now."""
        self._count += 1
        heapq.heappush(self._heap, (max(instant, self.now), self._count, Happening(name, act)))

    def after(self, seconds: float, name: str, act: Callable[[], None]) -> None:
        self.at(self.now + timedelta(seconds=seconds), name, act)

    @property
    def next_at(self) -> datetime | None:
        """When something happens next; None for never."""
        return self._heap[0][0] if self._heap else None

    def pop(self) -> Happening | None:
        """Advance to the next happening and return it; None where nothing is to come."""
        if not self._heap:
            return None
        self.now, _, happening = heapq.heappop(self._heap)
        return happening
