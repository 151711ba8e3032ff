"""The work queue: one entry a key, back-off for failures, and one heap for everything that waits for a time."""

from __future__ import annotations

import heapq
from collections import deque
from datetime import datetime, timedelta

from drover.api.meta import Key

BACKOFF_BASE = timedelta(milliseconds=200)
BACKOFF_MAX = timedelta(seconds=60)


class Queue:
    """Keys to reconcile, in the order they became due. Adding a key twice is adding it once."""

    def __init__(self) -> None:
        self._ready: deque[Key] = deque()
        self._queued: set[Key] = set()
        self._due: dict[Key, datetime] = {}
        self._heap: list[tuple[datetime, Key]] = []
        self._failures: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._queued)

    @property
    def waiting(self) -> int:
        return len(self._due)

    def add(self, key: Key) -> None:
        """Reconcile as soon as possible. A timer already set for the key stays set."""
        if key not in self._queued:
            self._queued.add(key)
            self._ready.append(key)

    def add_at(self, key: Key, at: datetime) -> None:
        """Reconcile at an instant; of several for one key the earliest counts, for a reconcile sets the next."""
        due = self._due.get(key)
        if due is None or at < due:
            self._due[key] = at
            heapq.heappush(self._heap, (at, key))

    def retry(self, key: Key, now: datetime) -> None:
        """Reconcile after a back-off that doubles with each failure in a row, and not before for this failure."""
        self._queued.discard(key)
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_at(key, now + min(BACKOFF_BASE * 2 ** min(failures, 10), BACKOFF_MAX))

    def succeeded(self, key: Key) -> None:
        self._failures.pop(key, None)

    def forget(self, key: Key) -> None:
        """The object is gone: no entry, no timer, no failures."""
        self._queued.discard(key)
        self._due.pop(key, None)
        self._failures.pop(key, None)

    def pop(self, now: datetime) -> Key | None:
        """The next key whose time has come, or None."""
        self._release(now)
        while self._ready:
            key = self._ready.popleft()
            if key in self._queued:
                self._queued.remove(key)
                return key
        return None

    def next_due(self, now: datetime) -> datetime | None:
        """When ``pop`` will next have something: now, a later instant, or None for never."""
        if self._queued:
            return now
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _release(self, now: datetime) -> None:
        while self._heap and self._heap[0][0] <= now:
            at, key = heapq.heappop(self._heap)
            if self._due.get(key) == at:
                del self._due[key]
                self.add(key)
