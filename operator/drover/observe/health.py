"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Literal

from aiohttp import web

from drover.control.world import World
from drover.observe.metrics import Metrics
from drover.observe.state import render

STALLED_SECONDS = 30.0
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Health:
    """How the operator is, as it tells itself."""

    synced: bool
    """Everything was listed once."""
    role: Literal["standby", "fencing", "leading"]
    identity: str
    epoch: int
    """The epoch of its leadership; 0 for a standby."""
    idle_seconds: float
    """Since the engine last turned; it turns every few seconds even when there is nothing to do."""

    @property
    def alive(self) -> bool:
        return self.idle_seconds < STALLED_SECONDS


def application(health: Callable[[], Health], metrics: Metrics, world: World) -> web.Application:
    """The web application; answers GET only."""

    async def healthz(_: web.Request) -> web.Response:
        state = health()
        return web.json_response(asdict(state), status=200 if state.alive else 503)

    async def readyz(_: web.Request) -> web.Response:
        state = health()
        return web.json_response(asdict(state), status=200 if state.alive and state.synced else 503)

    async def page(request: web.Request) -> web.Response:
        begun = time.perf_counter()
        body = await _page(metrics, world, leads=health().role == "leading")
        headers = {"Content-Type": TEXT_FORMAT}
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            body = await asyncio.to_thread(gzip.compress, body, 1)
            headers["Content-Encoding"] = "gzip"
        metrics.render_duration.observe(time.perf_counter() - begun)
        return web.Response(body=body, headers=headers)

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", page)
    return app


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Serve while the context lasts; gives the URL. Raises OSError when the port is taken."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _page(metrics: Metrics, world: World, *, leads: bool) -> bytes:
    parts = [metrics.page()]
    if leads:
        for family in render(world):
            parts.append(family.encode())
            await asyncio.sleep(0)  # between two families the engine gets its turn
    return b"".join(parts)
