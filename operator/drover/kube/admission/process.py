"""``drover admission`` as one process: its pages, its signals, and lives of a mirror with Kopf's webhook beside it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import kopf

from drover.control.admission import Rules
from drover.kube.admission.reviewer import Reviewer
from drover.kube.admission.server import Server
from drover.kube.api import Api
from drover.kube.beside import beside_kopf
from drover.kube.connection import Connection
from drover.kube.mirror import Mirror
from drover.kube.preflight import answering, check_kinds
from drover.kube.recovery import Recovery
from drover.kube.settings import kopf_settings
from drover.observe import health
from drover.observe.metrics import Metrics

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How to run."""

    namespace: str
    """The operator's: plans that drain hosts are made there."""
    identity: str
    certificate: Path
    key: Path
    """Of the certificate."""
    rules: Rules
    host: str = "0.0.0.0"
    port: int = 9443
    metrics_host: str = "0.0.0.0"
    metrics_port: int = 8080


async def run(connection: Connection, options: Options) -> None:
    """Run until SIGTERM or SIGINT. Raises PortError, or the defect that ended it."""
    process = Process(connection, options)
    app = health.process_pages(process.health, process.metrics)
    async with health.serving(app, options.metrics_host, options.metrics_port) as url:
        log.info("serving /healthz, /readyz and /metrics", extra={"url": url})
        process.recovery.heed_signals()
        await process.recovery.run(process.live)


class Process:
    """What stays from life to life: the counters, and who it is."""

    def __init__(self, connection: Connection, options: Options) -> None:
        self._connection = connection
        self._options = options
        self._mirror: Mirror | None = None
        self.metrics = Metrics(identity=options.identity)
        self.recovery = Recovery()
        self._server = Server(options.host, options.port, options.certificate, options.key, self.metrics)

    def health(self) -> health.WebhookHealth:
        """How it is, for /healthz and /readyz."""
        synced = self._mirror is not None and self._mirror.synced
        return health.WebhookHealth(synced, self._server.serving, self._options.identity, self.recovery.trouble)

    async def live(self) -> None:
        """One life, with credentials read anew. Raises FatalError where something outside has to be mended."""
        connection = self._connection.anew()
        await connection.load()
        async with Api(connection.configuration, self.metrics, connection.load) as api:
            with answering(api):
                await check_kinds(api)
                self._server.check_certificate()
                self.recovery.well()
                mirror = Mirror(api, self._options.namespace, self.metrics)
                registry = kopf.OperatorRegistry()
                kopf.on.login(registry=registry)(connection.for_kopf)
                mirror.register(registry)
                Reviewer(mirror, self._options.rules).register(registry)
                settings = kopf_settings()
                settings.admission.server = self._server
                self._mirror = mirror
                try:
                    await beside_kopf(registry, self._options.identity, self.recovery, mirror.run(), settings)
                finally:
                    self._mirror = None
