"""Following an object to an end: looked at twice a second, with a bar on stderr where that is a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from drover.api.meta import AnyResource
from drover.cli.server import CommandError, Server
from drover.cli.wellbeing import operator
from drover.kube.api import FatalError

EVERY = 0.5
"""Seconds between two looks."""
NOTED_EVERY = 10.0
"""Seconds between two lines where there is no bar, and after which it is asked why nothing changes."""
PATIENCE = 60.0
"""Seconds an API server may be away before nobody waits for it any longer."""

ResourceT = TypeVar("ResourceT", bound=AnyResource)


class Step(NamedTuple):
    """How far it is."""

    percent: float
    message: str
    over: bool = False


async def follow(
    look: Callable[[], Awaitable[ResourceT]],
    step_of: Callable[[ResourceT], Step],
    trouble: Callable[[], Awaitable[str]],
) -> ResourceT:
    """The object as it is in the end. Ctrl-C ends the looking, and nothing else.

    ``trouble`` says why nothing changes; empty where it does not know. Raises FatalError where the API server stays
    away.
    """
    terminal = Console(stderr=True)
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=terminal, disable=not terminal.is_terminal) as bar:
        task = bar.add_task("", total=100.0)
        loop = asyncio.get_running_loop()
        seen = loop.time()
        notes = _Notes(terminal, loop.time(), trouble)
        while True:
            try:
                resource = await look()
            except FatalError as error:
                if loop.time() - seen > PATIENCE:
                    raise
                message = str(error)
            else:
                seen = loop.time()
                percent, message, over = step_of(resource)
                bar.update(task, completed=percent)
                if over:
                    return resource
            bar.update(task, description=escape(message))
            await notes.take(message, loop.time())
            await asyncio.sleep(EVERY)


class _Notes:
    """Lines on stderr: what changes where there is no bar, and once why nothing does."""

    def __init__(self, terminal: Console, now: float, trouble: Callable[[], Awaitable[str]]) -> None:
        self._terminal = terminal
        self._trouble = trouble
        self._noted_at = now
        self._last: str | None = None
        self._warned = False

    async def take(self, message: str, now: float) -> None:
        if self._last is None:
            self._last = message
        if now - self._noted_at < NOTED_EVERY:
            return
        self._noted_at = now
        if message != self._last:
            self._last, self._warned = message, False
            if not self._terminal.is_terminal:
                self._tell(message)
        elif not self._warned and (why := await self._trouble()):
            self._warned = True
            self._tell(f"warning: nothing has changed for {NOTED_EVERY:g} s: {why}")

    def _tell(self, line: str) -> None:
        self._terminal.print(line, markup=False, highlight=False, soft_wrap=True)


async def leaderless(server: Server, operator_namespace: str) -> str:
    """That no operator leads; empty where one does, and where that may not be read."""
    try:
        check = operator(await server.lease(operator_namespace), datetime.now(UTC))
    except (CommandError, FatalError):
        return ""
    return check.message if check.state == "wrong" else ""
