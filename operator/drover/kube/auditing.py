"""When to ask for the keys of a kind alone, to find what a watch has not told of: deletions while it was down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from drover.api.kinds import WATCHED

AUDIT_SECONDS = 120.0
RELIST_SETTLES_SECONDS = 2.0


async def audits(relisted: set[str]) -> AsyncIterator[set[str]]:
    """Every two seconds the kinds to be audited: those in ``relisted``, which is emptied, and at times all of them.

    The caller takes a kind out of ``relisted`` before he lists it: what Kopf lists from then on may lack what he found.
    """
    loop = asyncio.get_running_loop()
    full_at = loop.time() + AUDIT_SECONDS
    while True:
        await asyncio.sleep(RELIST_SETTLES_SECONDS)
        kinds = set(relisted)
        relisted.clear()
        if loop.time() >= full_at:
            full_at = loop.time() + AUDIT_SECONDS
            kinds = set(WATCHED)
        yield kinds
