"""Lives in one process, one after the other: what somebody outside can mend is waited for, then all begins anew.

    begin ──> a life ──SIGTERM, SIGINT──> the end
      ^          │
      │          ├──something to be mended (FatalError)──> told, waited 1 to 5 s ───┐
      │          └──a defect──> the end, with its error                             │
      └─────────────────────────────────────────────────────────────────────────────┘

Nothing is carried from one life into the next.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any

from drover.kube.api import FatalError

log = logging.getLogger(__name__)

PAUSE_BASE = 1.0
PAUSE_MAX = 5.0
LONG_LIFE = 30.0
"""Seconds after which a life has proved that it can be lived: the next pause is the shortest again."""


class Recovery:
    """Begins lives until it is told to stop."""

    def __init__(self) -> None:
        self.trouble = ""
        """What has to be mended before a life can go on; empty while one does."""
        self._stopping = asyncio.Event()

    def heed_signals(self) -> None:
        """SIGTERM and SIGINT stop it; a second one ends the process at once. Once more where others took them over."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)

    def stop(self) -> None:
        self._stopping.set()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    def well(self) -> None:
        """A life says that it has all it needs."""
        self.trouble = ""

    async def run(self, live: Callable[[], Awaitable[Any]]) -> None:
        """Returns once it is told to stop. Raises what else than FatalError has ended a life."""
        loop = asyncio.get_running_loop()
        pause = PAUSE_BASE
        while not self._stopping.is_set():
            begun = loop.time()
            try:
                await self._live(live)
            except FatalError as error:
                if loop.time() - begun >= LONG_LIFE:
                    pause = PAUSE_BASE
                self.trouble = str(error)
                log.error(self.trouble, extra={"retry_in": f"{pause:g} s"})
            else:
                continue
            # What the life had listed must not outlive it. Its error holds it by the traceback until a turn later.
            await asyncio.sleep(0)
            gc.unfreeze()
            gc.collect()
            await self._wait(pause)
            pause = min(pause * 2, PAUSE_MAX)

    async def _live(self, live: Callable[[], Awaitable[Any]]) -> None:
        """In a task of its own, so that context variables do not outlive it."""
        stopping = asyncio.create_task(self._stopping.wait())
        await first_of([asyncio.create_task(_awaited(live)), stopping])

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


async def first_of(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Returns when the first of them ends and the others have been cancelled. Raises what it ended by."""
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _awaited(live: Callable[[], Awaitable[Any]]) -> None:
    await live()
