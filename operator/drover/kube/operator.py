"""One life of the operator: it lists, stands by, leads and audits; crash-only.

Nothing is mended in a life. What cannot go on ends it, with one line that says why, and a new one is the recovery:
everything is in the API server.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from drover.api.kinds import WATCHED
from drover.control.driver import Simulated
from drover.control.engine import Engine
from drover.control.outcome import Controller
from drover.control.ports import Elected, Observed, Write
from drover.control.world import World
from drover.kube.api import Api
from drover.kube.archive import Archive
from drover.kube.auditing import audits
from drover.kube.clock import WallClock
from drover.kube.events import EventWriter
from drover.kube.lease import LEASE_NAME, Lease
from drover.kube.parsing import Parser
from drover.kube.runtime import Runtime
from drover.kube.source import Source
from drover.kube.store import Store
from drover.observe import health
from drover.observe.families import process as families
from drover.observe.instrument import Instruments
from drover.observe.lives import Lives
from drover.observe.metrics import Metrics
from drover.observe.migrations import FinishedMigrations
from drover.observe.state import Compat, Detail, StatePage
from drover.observe.workqueue import NAME, WorkQueue

log = logging.getLogger(__name__)

LAG_SECONDS = 1.0


@dataclass(frozen=True)
class Options:
    """How to run."""

    namespace: str
    """Where the Lease is."""
    identity: str
    """This instance's own, among all that compete for the Lease."""
    lease_duration: int = 15
    """Seconds."""
    metrics_host: str = "0.0.0.0"
    metrics_port: int = 8080
    metrics_vm_detail: Detail = "info"
    """Series of single VMs on /metrics/state."""
    metrics_compat: Compat = "none"
    """Whose names the same is told under too."""
    usage_archive: Path | None = None
    """Directory of the archive of usage; None for no archive."""


class Operator:
    """The parts, wired together, and their life: list, stand by, lead, audit."""

    def __init__(self, api: Api, options: Options, controllers: Iterable[Controller], metrics: Metrics) -> None:
        self._options = options
        self._metrics = metrics
        self._synced = False
        self._relisted: set[str] = set()
        parser = Parser()
        self.world = World(options.namespace)
        self.lease = Lease(api, options.namespace, LEASE_NAME, options.identity, options.lease_duration)
        self._archive = Archive(options.usage_archive) if options.usage_archive is not None else None
        self.store = Store(api, parser, metrics, self.lease.held, before=self._archived)
        self.events = EventWriter(api, options.identity)
        clock, work = WallClock(), WorkQueue(metrics)
        instruments = Instruments(metrics, work)
        measured = [instruments.around(controller) for controller in controllers]
        self.engine = Engine(measured, self.world, watcher=work)
        self.runtime = Runtime(self.engine, Simulated(), self.store, self.events, clock, work)
        self.source = Source(self.runtime.put, self._relisted.add, parser, metrics)
        self.state_page = StatePage(self.world, clock.now, options.metrics_vm_detail, options.metrics_compat)
        FinishedMigrations(self.world, self._leads, metrics)
        Lives(self.world, self._leads, metrics, clock.now)
        metrics.tell(families.WORKQUEUE_DEPTH, lambda: self.engine.queue_depth, NAME)

    def health(self) -> health.Health:
        """How it is, for /healthz and /readyz."""
        return health.Health(
            self._synced, self.engine.state, self._options.identity, self.engine.epoch, self.runtime.idle_seconds
        )

    async def run(self) -> None:
        """Ends by an error or by being cancelled; then gives the Lease back, unless it was lost."""
        try:
            await self._work()
        finally:
            # Writes have been cancelled by now; what of them still lands is fenced by the next leader.
            await self.lease.release()

    def retire(self) -> None:
        """After its end: what stays in the process no longer tells of it, nor holds what it knew."""
        self._metrics.set_leader(False)
        self._metrics.tell(families.WORKQUEUE_DEPTH, lambda: 0.0, NAME)

    async def _work(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.runtime.run())
                group.create_task(self.events.run())
                group.create_task(self._measure_lag())
                await self._list_everything()
                # What was listed stays: a collector that walks it all at each full collection holds the event loop.
                gc.collect()
                gc.freeze()
                self._synced = True
                log.info("synced", extra={"objects": sum(self.world.count(kind) for kind in WATCHED)})
                await self._lead(group)
                await self._audit()
        except BaseExceptionGroup as failed:
            # The first one ended the others; it is the one to tell.
            first: BaseException = failed
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise first from None

    async def _lead(self, group: asyncio.TaskGroup) -> None:
        epoch = await self.lease.acquire()
        group.create_task(self.lease.hold())
        log.info("elected", extra={"identity": self._options.identity, "epoch": epoch})
        await self._list_everything()
        self.runtime.put(Elected(epoch))
        self._metrics.set_leader(True)

    async def _list_everything(self) -> None:
        for kind in WATCHED:
            self._relisted.discard(kind)
            resources, listed = await self.store.list_all(kind)
            for resource in resources:
                self.runtime.put(Observed(resource))
            self.runtime.put(listed)
            self._metrics.kind_listed(kind)
        await self.runtime.settled()

    async def _audit(self) -> None:
        """Drop ghosts, and check the ledger of usage, a little at a time; for ever."""
        async for kinds in audits(self._relisted):
            self.world.usage.audit(self.world.confirmed)
            for kind in kinds:
                self.runtime.put(await self.store.audit(kind))
                self._metrics.kind_listed(kind)

    async def _measure_lag(self) -> NoReturn:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            self._metrics.observe(families.EVENT_LOOP_LAG, loop.time() - due)

    async def _archived(self, write: Write) -> None:
        if self._archive is not None:
            await self._archive.before(write, self.world, self.lease.held)

    def _leads(self) -> bool:
        return self.engine.state == "leading"
