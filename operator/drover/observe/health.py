"""/healthz, /readyz, /metrics and /metrics/state."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Literal

from aiohttp import web

from drover.observe.families import process as families
from drover.observe.metrics import Metrics
from drover.observe.state import StatePage

STALLED_SECONDS = 30.0
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
GZIP = 31
"""zlib's window bits for a gzip stream."""


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


def application(health: Callable[[], Health], metrics: Metrics, state: StatePage) -> web.Application:
    """The web application; answers GET only."""

    async def healthz(_: web.Request) -> web.Response:
        told = health()
        return web.json_response(asdict(told), status=200 if told.alive else 503)

    async def readyz(_: web.Request) -> web.Response:
        told = health()
        return web.json_response(asdict(told), status=200 if told.alive and told.synced else 503)

    async def process_page(request: web.Request) -> web.Response:
        return await _exposition(request, [await asyncio.to_thread(metrics.page)])

    async def state_page(request: web.Request) -> web.Response:
        told = health()
        if told.role != "leading":
            # A missed scrape is harmless; two instances that tell the same are not.
            return web.Response(status=503, text=f"{told.identity} is {told.role}: only the leader tells the state\n")
        begun = time.perf_counter()
        parts = await state.render()
        metrics.observe(families.METRICS_RENDER_DURATION, time.perf_counter() - begun)
        return await _exposition(request, parts)

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", process_page)
    app.router.add_get("/metrics/state", state_page)
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


async def _exposition(request: web.Request, parts: Sequence[bytes]) -> web.Response:
    headers = {"Content-Type": TEXT_FORMAT}
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=b"".join(parts), headers=headers)
    headers["Content-Encoding"] = "gzip"
    return web.Response(body=await asyncio.to_thread(_gzipped, parts), headers=headers)


def _gzipped(parts: Sequence[bytes]) -> bytes:
    """At level 1: the others cost two to nine times as much and save little."""
    stream = zlib.compressobj(1, zlib.DEFLATED, GZIP)
    return b"".join([*map(stream.compress, parts), stream.flush()])
