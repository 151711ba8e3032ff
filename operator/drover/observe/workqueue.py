"""The work queue as client-go measures its own: ``workqueue_*``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from drover.api.meta import Key
from drover.observe.families import process as families
from drover.observe.metrics import Metrics

NAME = "drover"


class WorkQueue:
    """Watches the engine's queue, and what is being worked on: reconciles, and the writes they led to."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._added_at: dict[Key, float] = {}
        self._begun: dict[int, float] = {}
        self._number = 0
        for counted in (families.WORKQUEUE_ADDS, families.WORKQUEUE_RETRIES):
            metrics.begin(counted, NAME)
        metrics.tell(families.WORKQUEUE_UNFINISHED, self._unfinished, NAME)
        metrics.tell(families.WORKQUEUE_LONGEST, self._longest, NAME)

    # The queue says (drover.control.engine.queue.Watcher)

    def added(self, key: Key) -> None:
        self._added_at[key] = time.monotonic()
        self._metrics.count(families.WORKQUEUE_ADDS, NAME)

    def taken(self, key: Key) -> None:
        added = self._added_at.pop(key, None)
        if added is not None:
            self._metrics.observe(families.WORKQUEUE_QUEUE_DURATION, time.monotonic() - added, NAME)

    def withdrawn(self, key: Key) -> None:
        self._added_at.pop(key, None)

    def retried(self) -> None:
        self._metrics.count(families.WORKQUEUE_RETRIES, NAME)

    # Work

    @contextmanager
    def working(self) -> Iterator[None]:
        """A piece of work, while the context lasts."""
        self._number += 1
        number, begun = self._number, time.monotonic()
        self._begun[number] = begun
        try:
            yield
        finally:
            del self._begun[number]
            self._metrics.observe(families.WORKQUEUE_WORK_DURATION, time.monotonic() - begun, NAME)

    def _unfinished(self) -> float:
        now = time.monotonic()
        return sum(now - begun for begun in list(self._begun.values()))

    def _longest(self) -> float:
        return time.monotonic() - min(list(self._begun.values()), default=time.monotonic())
