"""Events, told in the background: best effort, and never in the way of a decision."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from drover.api.meta import API_VERSION
from drover.control.ports import EventRecord
from drover.kube.api import Api, ApiError, UnansweredError

log = logging.getLogger(__name__)

BACKLOG = 1024
EVENT_TIMEOUT = 5.0
MAX_MESSAGE = 1024
"""The API server refuses longer ones."""


class EventWriter:
    """A bounded queue of events and the task that writes them, in order."""

    def __init__(self, api: Api, identity: str, backlog: int = BACKLOG) -> None:
        self._api = api
        self._identity = identity
        self._queue: asyncio.Queue[EventRecord] = asyncio.Queue(backlog)
        self.dropped = 0

    def offer(self, record: EventRecord) -> None:
        """Queue an event; the newest is dropped when too many wait."""
        try:
            self._queue.put_nowait(record)
        except asyncio.QueueFull:
            self.dropped += 1
            if self.dropped % 100 == 1:
                log.warning("events dropped", extra={"dropped": self.dropped})

    async def run(self) -> None:
        """Write for ever."""
        while True:
            record = await self._queue.get()
            try:
                await self._write(record)
            except (ApiError, UnansweredError) as error:
                log.debug("event lost", extra={"event": record.name, "error": error})

    async def _write(self, record: EventRecord) -> None:
        collection = f"/api/v1/namespaces/{record.namespace}/events"
        if record.count > 1:
            body = {"count": record.count, "lastTimestamp": _time(record.last)}
            path = f"{collection}/{record.name}"
            try:
                await self._api.request("patch", "events", path, body=body, timeout=EVENT_TIMEOUT)
            except ApiError as error:
                if error.code != 404:  # the first one has expired: tell it anew
                    raise
            else:
                return
        body = manifest(record, self._identity)
        await self._api.request("create", "events", collection, body=body, timeout=EVENT_TIMEOUT)


def manifest(record: EventRecord, identity: str) -> dict[str, Any]:
    """The ``core/v1`` Event of a record."""
    regarding = record.regarding
    involved = {
        "apiVersion": API_VERSION,
        "kind": regarding.KIND,
        "name": regarding.name,
        "namespace": regarding.namespace,
        "uid": regarding.uid,
        "resourceVersion": regarding.metadata.resource_version,
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": record.name, "namespace": record.namespace},
        "involvedObject": {name: value for name, value in involved.items() if value},
        "reason": record.reason,
        "message": record.message[:MAX_MESSAGE],
        "type": record.type,
        "count": record.count,
        "firstTimestamp": _time(record.first),
        "lastTimestamp": _time(record.last),
        "source": {"component": "drover"},
        "reportingComponent": "drover",
        "reportingInstance": identity,
    }


def _time(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
