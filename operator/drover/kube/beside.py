"""Kopf beside our own work, in one event loop: it watches and serves what it is given to serve, and decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, NoReturn, cast

import aiohttp
import kopf

from drover.kube.api import FatalError
from drover.kube.recovery import Recovery, first_of
from drover.kube.settings import kopf_settings


async def beside_kopf(
    registry: kopf.OperatorRegistry,
    identity: str,
    recovery: Recovery,
    own: Coroutine[Any, Any, Any],
    settings: kopf.OperatorSettings | None = None,
) -> None:
    """Run ``own`` and Kopf's tasks until the first of them ends. Raises what ended it, FatalError where Kopf did."""
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=settings or kopf_settings(),
        identity=cast(Any, identity),
        clusterwide=True,
    )
    recovery.heed_signals()  # Kopf has just taken them
    await first_of([asyncio.create_task(_watched(tasks)), asyncio.create_task(own)])


async def _watched(tasks: Collection[asyncio.Task[Any]]) -> NoReturn:
    """Whatever ends a watch is got over by listing everything anew."""
    why = "it ended"
    try:
        await first_of(tasks)
    except FatalError:
        raise
    except Exception as error:  # whatever Kopf makes of the API server's answers to a watch
        why = f"{type(error).__name__}: {told(error)}".rstrip(": ")
    raise FatalError(f"the watch of the Kubernetes API server broke, beginning anew: {why}")


def told(error: Exception) -> str:
    """Its message, without its cause and its other arguments: a request is in there, with the token."""
    if isinstance(error, aiohttp.ClientError):
        return str(error)
    return str(error.args[0]) if error.args else ""
