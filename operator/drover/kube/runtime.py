"""The loop around the engine: inputs in, time, outputs performed. The engine decides; this waits and performs."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import NoReturn

from drover.control.driver import Driver
from drover.control.engine import Engine
from drover.control.ports import Input, Outputs, Write
from drover.kube.clock import WallClock
from drover.kube.events import EventWriter
from drover.kube.store import Store
from drover.observe.workqueue import WorkQueue

log = logging.getLogger(__name__)

BATCH = 64
"""Inputs in one step, so that a long list does not hold the event loop."""
HEARTBEAT = 5.0
"""The loop turns at least this often, in seconds, so that one that hangs can be told from one that waits."""


class Runtime:
    """Runs one engine. ``put`` is its inbox; ``run`` ends only by an error or by being cancelled."""

    def __init__(
        self, engine: Engine, driver: Driver, store: Store, events: EventWriter, clock: WallClock, work: WorkQueue
    ) -> None:
        self._engine = engine
        self._driver = driver
        self._store = store
        self._events = events
        self._clock = clock
        self._work = work
        self._inbox: deque[Input] = deque()
        self._arrived = asyncio.Event()
        self._emptied = asyncio.Event()
        self._turned_at = asyncio.get_running_loop().time()

    def put(self, item: Input) -> None:
        """Give the engine an input. Inputs are taken in the order they were given."""
        self._inbox.append(item)
        self._emptied.clear()
        self._arrived.set()

    @property
    def idle_seconds(self) -> float:
        """Since the loop last turned."""
        return asyncio.get_running_loop().time() - self._turned_at

    async def settled(self) -> None:
        """Wait until everything given so far has been taken."""
        await self._emptied.wait()

    async def run(self) -> NoReturn:
        """Step for ever. Cancelling it cancels the writes in flight: whoever leads next fences them."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._arrived.clear()
                now = self._clock.now()
                outputs = self._engine.step([*self._take(), *self._driver.completed(now)], now)
                self._turned_at = asyncio.get_running_loop().time()
                self._perform(outputs, group)
                if not self._inbox:
                    self._emptied.set()
                await self._wait(outputs.wake_at)
        raise AssertionError("the loop above does not end")

    def _take(self) -> Iterable[Input]:
        return [self._inbox.popleft() for _ in range(min(BATCH, len(self._inbox)))]

    def _perform(self, outputs: Outputs, group: asyncio.TaskGroup) -> None:
        for write in outputs.writes:
            group.create_task(self._write(write))
        for command in outputs.cancel:
            self._driver.cancel(command)
        for command in outputs.submit:
            self._driver.submit(command)
        for event in outputs.events:
            self._events.offer(event)
        for failure in outputs.failures:
            log.error("failed, will be retried", extra={"key": failure.key, "error": failure.error})

    async def _write(self, write: Write) -> None:
        with self._work.working():
            answer = await self._store.perform(write)
        if answer is not None:
            self.put(answer)

    async def _wait(self, wake_at: datetime | None) -> None:
        """Until there is an input, something is due, or the heartbeat; the event loop always gets one turn."""
        await asyncio.sleep(0)
        due = [instant for instant in (wake_at, self._driver.next_due()) if instant is not None]
        seconds = HEARTBEAT
        if due:
            seconds = min(seconds, (min(due) - self._clock.now()).total_seconds())
        if self._inbox or seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        except TimeoutError:
            pass
