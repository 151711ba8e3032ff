"""``drover run`` as one process: its pages, its signals, and lives of the operator with Kopf beside it."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import kopf

from drover.control.outcome import Controller
from drover.kube import preflight
from drover.kube.api import Api
from drover.kube.beside import beside_kopf
from drover.kube.connection import Connection
from drover.kube.lease import LEASE_NAME
from drover.kube.operator import Operator, Options
from drover.kube.preflight import answering
from drover.kube.recovery import Recovery
from drover.observe import health
from drover.observe.metrics import Metrics
from drover.observe.state import StatePage

log = logging.getLogger(__name__)


async def run(connection: Connection, options: Options, controllers: Iterable[Controller]) -> None:
    """Run until SIGTERM or SIGINT. Raises PortError, or the defect that ended it."""
    process = Process(connection, options, controllers)
    app = health.application(process.health, process.metrics, process.state_page)
    async with health.serving(app, options.metrics_host, options.metrics_port) as url:
        log.info("serving /healthz, /readyz, /metrics and /metrics/state", extra={"url": url})
        process.recovery.heed_signals()
        await process.recovery.run(process.live)


class Process:
    """What stays from life to life: the counters, and who it is."""

    def __init__(self, connection: Connection, options: Options, controllers: Iterable[Controller]) -> None:
        self._connection = connection
        self._options = options
        self._controllers = list(controllers)
        self._operator: Operator | None = None
        self.metrics = Metrics(f"{options.namespace}/{LEASE_NAME}", options.identity)
        self.recovery = Recovery()

    def health(self) -> health.Health:
        """How it is, for /healthz and /readyz: alive, and not ready, while something has to be mended."""
        if self._operator is None:
            return health.Health(False, "standby", self._options.identity, 0, 0.0, self.recovery.trouble)
        return self._operator.health()

    def state_page(self) -> StatePage | None:
        return self._operator.state_page if self._operator is not None else None

    async def live(self) -> None:
        """One life, with credentials read anew. Raises FatalError where something outside has to be mended."""
        connection = self._connection.anew()
        await connection.load()
        async with Api(connection.configuration, self.metrics, connection.load) as api:
            with answering(api):
                await preflight.check(api, self._options.namespace, LEASE_NAME)
                self._operator = Operator(api, self._options, self._controllers, self.metrics)
                self.recovery.well()
                try:
                    await self._with_kopf(connection, self._operator)
                finally:
                    self._operator.retire()
                    self._operator = None

    async def _with_kopf(self, connection: Connection, operator: Operator) -> None:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(connection.for_kopf)
        operator.source.register(registry)
        await beside_kopf(registry, self._options.identity, self.recovery, operator.run())
