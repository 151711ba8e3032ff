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


class PortError(Exception):
    """The port cannot be served. The message is one line that says what to mend."""


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
    trouble: str = ""
    """What has to be mended before it can go on; empty where nothing has."""

    @property
    def alive(self) -> bool:
        return self.idle_seconds < STALLED_SECONDS

    @property
    def ready(self) -> bool:
        return self.alive and self.synced


@dataclass(frozen=True)
class WebhookHealth:
    """How the admission webhook is."""

    synced: bool
    """Everything was listed once."""
    serving: bool
    """Its port is open, with a certificate."""
    identity: str
    trouble: str = ""
    """What has to be mended before it can go on; empty where nothing has."""
    alive: bool = True
    """It answers."""

    @property
    def ready(self) -> bool:
        return self.synced and self.serving


def application(
    health: Callable[[], Health], metrics: Metrics, state: Callable[[], StatePage | None]
) -> web.Application:
    """The operator's web application. ``state`` gives the page of the one that leads at the moment."""

    async def state_page(request: web.Request) -> web.Response:
        told, page = health(), state()
        if told.role != "leading" or page is None:
            # A missed scrape is harmless; two instances that tell the same are not.
            return web.Response(status=503, text=f"{told.identity} is {told.role}: only the leader tells the state\n")
        begun = time.perf_counter()
        parts = await page.render()
        metrics.observe(families.METRICS_RENDER_DURATION, time.perf_counter() - begun)
        return await _exposition(request, parts)

    app = process_pages(health, metrics)
    app.router.add_get("/metrics/state", state_page)
    return app


def process_pages(health: Callable[[], Health | WebhookHealth], metrics: Metrics) -> web.Application:
    """What every process serves: /healthz, /readyz and /metrics. Answers GET only."""

    async def healthz(_: web.Request) -> web.Response:
        told = health()
        return web.json_response(asdict(told), status=200 if told.alive else 503)

    async def readyz(_: web.Request) -> web.Response:
        told = health()
        return web.json_response(asdict(told), status=200 if told.ready else 503)

    async def process_page(request: web.Request) -> web.Response:
        return await _exposition(request, [await asyncio.to_thread(metrics.page)])

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", process_page)
    return app


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Serve while the context lasts; gives the URL. Raises PortError."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await _open(runner, host, port)
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _open(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise PortError(f"port {port} cannot be served ({error}): choose another with --metrics-port") from error


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
