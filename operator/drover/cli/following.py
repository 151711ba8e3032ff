"""Following an object to an end: looked at twice a second, with a bar on stderr where that is a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from drover.api.meta import AnyResource
from drover.kube.api import FatalError

EVERY = 0.5
"""Seconds between two looks."""

PATIENCE = 60.0
"""Seconds an API server may be away before nobody waits for it any longer."""

ResourceT = TypeVar("ResourceT", bound=AnyResource)


class Step(NamedTuple):
    """How far it is."""

    percent: float
    message: str
    over: bool = False


async def follow(look: Callable[[], Awaitable[ResourceT]], step_of: Callable[[ResourceT], Step]) -> ResourceT:
    """The object as it is in the end. Ctrl-C ends the looking, and nothing else.

    Raises FatalError where the API server stays away.
    """
    terminal = Console(stderr=True)
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=terminal, disable=not terminal.is_terminal) as bar:
        task = bar.add_task("", total=100.0)
        loop = asyncio.get_running_loop()
        seen = loop.time()
        while True:
            try:
                resource = await look()
            except FatalError as error:
                if loop.time() - seen > PATIENCE:
                    raise
                bar.update(task, description=escape(str(error)))
            else:
                seen = loop.time()
                step = step_of(resource)
                bar.update(task, completed=step.percent, description=escape(step.message))
                if step.over:
                    return resource
            await asyncio.sleep(EVERY)
