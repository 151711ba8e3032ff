"""A World kept in step with the API server by list and watch, for a process that only reads: all but usage."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterable

import kopf

from drover.api.kinds import CURRENT
from drover.api.meta import Key
from drover.control.ports import Gone, Input, Listed, Observed
from drover.control.world import World
from drover.kube.api import Api, ApiError
from drover.kube.auditing import audits
from drover.kube.paging import PAGE
from drover.kube.parsing import Parser
from drover.kube.source import Source
from drover.kube.store import Store
from drover.observe.metrics import Metrics

log = logging.getLogger(__name__)


class Mirror:
    """``register`` it with Kopf, and ``run`` it beside."""

    def __init__(self, api: Api, namespace: str, metrics: Metrics) -> None:
        """``namespace`` is the operator's: plans that drain hosts are made there."""
        self.world = World(namespace)
        self.synced = False
        """Everything was listed once."""
        self._metrics = metrics
        self._relisted: set[str] = set()
        self._parser = Parser()
        self._store = Store(api, self._parser, metrics)
        self._source = Source(self._take, self._relisted.add, self._parser, metrics)

    def register(self, registry: kopf.OperatorRegistry) -> None:
        self._source.register(registry, CURRENT)

    async def run(self) -> None:
        """List everything, then look for what the watch has not told of. Ends only by an error."""
        for kind in CURRENT:
            self._relisted.discard(kind)
            await self._list(kind)
        # What was listed stays: a collector that walks it all at each full collection holds the event loop.
        gc.collect()
        gc.freeze()
        self.synced = True
        log.info("synced", extra={"objects": sum(self.world.count(kind) for kind in CURRENT)})
        async for kinds in audits(self._relisted):
            for kind in kinds.intersection(CURRENT):
                self._take(await self._store.audit(kind))
                self._metrics.kind_listed(kind)

    async def look_again(self, keys: Iterable[Key]) -> None:
        """Take these objects as the API server has them now; a key without a name stands for all of its kind.

        One that is gone is forgotten. Raises ApiError where it may not look, UnansweredError.
        """
        await asyncio.gather(*(self._read(key) if key.name else self._list(key.kind) for key in keys))

    async def _read(self, key: Key) -> None:
        known = self.world.find(key)
        try:
            resource = await self._store.get(key)
        except ApiError as error:
            if error.code != 404:
                raise
            if known is not None:
                self.world.gone(key, known.uid)
            return
        if resource is not None:
            self.world.observe(resource)

    async def _list(self, kind: str) -> None:
        resources, listed = await self._store.list_all(kind)
        for number, resource in enumerate(resources, 1):
            self.world.observe(resource)
            if number % PAGE == 0:
                await asyncio.sleep(0)  # reviews are answered meanwhile
        self._take(listed)
        self._metrics.kind_listed(kind)

    def _take(self, item: Input) -> None:
        match item:
            case Observed(resource):
                self.world.observe(resource)
            case Gone(key, uid):
                self.world.gone(key, uid)
            case Listed(kind, uids, version):
                for ghost in self.world.unlisted(kind, uids, version):
                    self.world.gone(ghost.key, ghost.uid)
