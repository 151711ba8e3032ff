"""The World as the API server has it at the moment, read once: for answers at the command line. It only reads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from drover.api.kinds import WATCHED
from drover.control.world import World
from drover.kube.api import Api, FatalError
from drover.kube.parsing import Parser
from drover.kube.preflight import answering, check_kinds
from drover.kube.store import Store
from drover.observe.metrics import Metrics

TIMEOUT = 300.0
"""Seconds for all lists: a page that is not answered is asked for again until then."""


async def load(api: Api, metrics: Metrics, kinds: Iterable[str] = WATCHED, namespace: str = "") -> World:
    """Lists these kinds, unless told otherwise all that the operator watches, in one namespace or in all of them.
    Needs the right to list them there, and no other.

    Each kind is as of a moment of its own. Raises FatalError where that cannot be had.
    """
    world = World()
    store = Store(api, Parser(), metrics)
    with answering(api):
        await check_kinds(api)
        try:
            async with asyncio.timeout(TIMEOUT):
                for kind in kinds:
                    resources, _ = await store.list_all(kind, namespace)
                    for resource in resources:
                        world.observe(resource)
        except TimeoutError as error:
            raise FatalError(
                f"the Kubernetes API server at {api.url} is too slow: not listed in {TIMEOUT:g} s"
            ) from error
    return world
