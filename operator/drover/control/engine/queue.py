"""The work queue: one entry a key, the most urgent first, back-off for failures, and one heap of timers.

Ready keys come in *rounds*. A round goes by urgency; whoever is added again after its turn waits for the next one::

    round 1: a (high)  b (high)  c (low)          a and b do not fit anywhere, and are woken while c still waits
    round 2:                               a  b

Without rounds a few urgent keys that are woken again and again, and can do nothing, would keep the others waiting for
ever. A key without urgency, ``()``, is in no round: it always goes first.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from drover.api.meta import Key
from drover.control.outcome import Urgency

BACKOFF_BASE = timedelta(milliseconds=200)
BACKOFF_MAX = timedelta(seconds=60)

Entry = tuple[int, Urgency, int, Key]
"""Round (0 for none), urgency, number of its arrival, key: in the order of their turns."""


class Watcher(Protocol):
    """Is told what happens to keys; it decides nothing."""

    def added(self, key: Key) -> None: ...
    def taken(self, key: Key) -> None: ...
    def withdrawn(self, key: Key) -> None: ...
    def retried(self) -> None: ...


class Unwatched:
    """Takes no notice."""

    def added(self, key: Key) -> None:
        pass

    def taken(self, key: Key) -> None:
        pass

    def withdrawn(self, key: Key) -> None:
        pass

    def retried(self) -> None:
        pass


class Queue:
    """Keys to reconcile, by urgency and then in the order they became due. Adding a key twice is adding it once."""

    def __init__(self, urgency: Callable[[Key], Urgency] = lambda _: (), watcher: Watcher | None = None) -> None:
        self._urgency = urgency
        self._watcher = watcher if watcher is not None else Unwatched()
        self._ready: list[Entry] = []
        """A heap. An entry that ``_queued`` does not hold has been withdrawn."""
        self._queued: dict[Key, Entry] = {}
        self._arrivals = 0
        self._round = 1
        self._served: set[Key] = set()
        """Keys that have had their turn in this round."""
        self._due: dict[Key, datetime] = {}
        self._heap: list[tuple[datetime, Key]] = []
        self._failures: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._queued)

    @property
    def waiting(self) -> int:
        return len(self._due)

    def add(self, key: Key) -> None:
        """Reconcile in its turn; one queued already moves if its urgency has changed. A timer for the key stays set."""
        urgency = self._urgency(key)
        queued = self._queued.get(key)
        if queued is not None and queued[1] == urgency:
            return
        if not self._queued:
            self._served.clear()  # nobody is left waiting for the end of the round
        self._arrivals += 1
        entry = (self._round_of(key) if urgency else 0, urgency, self._arrivals, key)
        self._queued[key] = entry
        heapq.heappush(self._ready, entry)
        if queued is None:
            self._watcher.added(key)

    def add_at(self, key: Key, at: datetime) -> None:
        """Reconcile at an instant; of several for one key the earliest counts, for a reconcile sets the next."""
        due = self._due.get(key)
        if due is None or at < due:
            self._due[key] = at
            heapq.heappush(self._heap, (at, key))

    def retry(self, key: Key, now: datetime) -> None:
        """Reconcile after a back-off that doubles with each failure in a row, and not before for this failure."""
        self._withdraw(key)
        self._watcher.retried()
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_at(key, now + min(BACKOFF_BASE * 2 ** min(failures, 10), BACKOFF_MAX))

    def succeeded(self, key: Key) -> None:
        self._failures.pop(key, None)

    def forget(self, key: Key) -> None:
        """The object is gone: no entry, no timer, no failures."""
        self._withdraw(key)
        self._served.discard(key)
        self._due.pop(key, None)
        self._failures.pop(key, None)

    def pop(self, now: datetime) -> Key | None:
        """The next key whose time has come, or None."""
        self._release(now)
        while self._ready:
            entry = heapq.heappop(self._ready)
            number, _, _, key = entry
            if self._queued.get(key) is entry:
                del self._queued[key]
                self._serve(number, key)
                self._watcher.taken(key)
                return key
        return None

    def next_due(self, now: datetime) -> datetime | None:
        """When ``pop`` will next have something: now, a later instant, or None for never."""
        if self._queued:
            return now
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _withdraw(self, key: Key) -> None:
        if self._queued.pop(key, None) is not None:
            self._watcher.withdrawn(key)

    def _round_of(self, key: Key) -> int:
        return self._round + 1 if key in self._served else self._round

    def _serve(self, number: int, key: Key) -> None:
        if number > self._round:
            self._round = number
            self._served.clear()
        if number:
            self._served.add(key)

    def _release(self, now: datetime) -> None:
        while self._heap and self._heap[0][0] <= now:
            at, key = heapq.heappop(self._heap)
            if self._due.get(key) == at:
                del self._due[key]
                self.add(key)
