"""The Store: performs writes until their fate is known, and lists."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from drover.api.kinds import WATCHED
from drover.api.meta import AnyResource, Key
from drover.control.ports import Listed, Refused, Write, Written
from drover.kube import rights
from drover.kube.api import CONCURRENCY, LIST_TIMEOUT, Api, ApiError, UnansweredError, collection_of, path_of
from drover.kube.paging import METADATA_ONLY, PAGE, Query, pages, whole
from drover.kube.parsing import Parser, key_of
from drover.observe.metrics import Metrics

log = logging.getLogger(__name__)

# Strict: a status field that the installed CRDs lack is an error to read, not a write repeated for ever.
WRITE_QUERY = (("fieldManager", "drover"), ("fieldValidation", "Strict"))


class Store:
    """Writes Drover's objects, and lists what is watched."""

    def __init__(
        self,
        api: Api,
        parser: Parser,
        metrics: Metrics,
        may_write: Callable[[], bool] = lambda: True,
        page: int = PAGE,
        before: Callable[[Write], Awaitable[None]] | None = None,
    ) -> None:
        """``may_write`` is asked before each request of a write: whether the Lease is still held. ``before`` is awaited
        once before a write is sent. Lists come in pages of ``page`` objects.
        """
        self._api = api
        self._parser = parser
        self._metrics = metrics
        self._may_write = may_write
        self._page_size = page
        self._before = before
        self._slots = asyncio.Semaphore(CONCURRENCY)

    async def perform(self, write: Write) -> Written | Refused | None:
        """Do it, and say what came of it; None where this instance ceased to be the leader before that was known.

        A write whose fate is not known is repeated as it is: its resourceVersion (its name for a creation, its uid
        for a deletion) keeps it from being done twice, at the price of a conflict where the first one had succeeded.
        """
        attempt = 0
        if self._before is not None:
            await self._before(write)
        while True:
            try:
                async with self._slots:
                    return await self._attempt(write) if self._may_write() else None
            except UnansweredError as error:
                attempt += 1
                pause = error.pause(attempt)
                log.warning(
                    "write not answered, repeating it",
                    extra={"key": write.key, "verb": write.verb, "attempt": attempt, "error": error},
                )
            await asyncio.sleep(pause)

    async def _attempt(self, write: Write) -> Written | Refused:
        result = "unanswered"
        try:
            raw = await self._request(write)
            result = "success"
        except ApiError as error:
            result = "conflict" if error.code == 409 else "refused"
            if error.code != 409:
                mend = f": {rights.MEND}" if rights.lacked(error) else ""
                return Refused(write.id, error.code, error.message + mend)
            self._metrics.api_conflict(WATCHED[write.key.kind].PLURAL)
            return await self._conflict(write, error)
        finally:
            self._metrics.written(write.key.kind, result)
        # A deletion is answered with a Status when the object is gone, with the object while finalizers hold it.
        deleted = write.verb == "delete" and raw.get("kind") != write.key.kind
        return Written(write.id, None if deleted else self._parser.parse(write.key.kind, raw))

    async def _request(self, write: Write) -> dict[str, Any]:
        key = write.key
        plural = WATCHED[key.kind].PLURAL
        match write.verb:
            case "create":
                path = collection_of(key.kind, key.namespace)
                return await self._api.request("create", plural, path, body=write.body, query=WRITE_QUERY)
            case "delete":
                options: dict[str, Any] = {"propagationPolicy": "Background"}
                if write.uid:
                    options["preconditions"] = {"uid": write.uid}
                return await self._api.request("delete", plural, path_of(key), body=options)
            case verb:
                path = path_of(key, "status" if verb == "status" else "")
                return await self._api.request("patch", plural, path, body=_patch(write), query=WRITE_QUERY)

    async def _conflict(self, write: Write, conflict: ApiError) -> Refused:
        try:
            current = await self.get(write.key)
        except ApiError as error:
            return Refused(write.id, error.code, error.message)
        return Refused(write.id, conflict.code, conflict.message, current)

    async def get(self, key: Key) -> AnyResource | None:
        """The object as it is now; None where it does not parse. Raises ApiError, 404 among them."""
        raw = await self._api.request("get", WATCHED[key.kind].PLURAL, path_of(key))
        return self._parser.parse(key.kind, raw)

    async def list_all(self, kind: str, namespace: str = "") -> tuple[list[AnyResource], Listed]:
        """Every object of a kind that parses, of one namespace where one is named, and the list. Raises ApiError."""
        return await whole(kind, lambda: self._list_all(kind, namespace))

    async def audit(self, kind: str) -> Listed:
        """The keys of a kind alone. Raises ApiError."""
        return await whole(kind, lambda: self._audit(kind))

    async def _list_all(self, kind: str, namespace: str) -> tuple[list[AnyResource], Listed]:
        resources: list[AnyResource] = []
        uids: dict[Key, str] = {}
        version = 0
        async for page in self._pages(collection_of(kind, namespace), kind, "application/json"):
            version = int(page["metadata"]["resourceVersion"])
            for raw in page["items"]:
                uids[key_of(kind, raw)] = raw["metadata"]["uid"]
                resource = self._parser.parse(kind, raw)
                if resource is not None:
                    resources.append(resource)
            await asyncio.sleep(0)
        return resources, Listed(kind, uids, version)

    async def _audit(self, kind: str) -> Listed:
        uids: dict[Key, str] = {}
        version = 0
        async for page in self._pages(collection_of(kind), kind, METADATA_ONLY):
            version = int(page["metadata"]["resourceVersion"])
            uids.update((key_of(kind, raw), raw["metadata"]["uid"]) for raw in page["items"])
        return Listed(kind, uids, version)

    def _pages(self, path: str, kind: str, accept: str) -> AsyncIterator[dict[str, Any]]:
        return pages(lambda query: self._page(path, kind, query, accept), self._page_size)

    async def _page(self, path: str, kind: str, query: Query, accept: str) -> dict[str, Any]:
        attempt = 0
        while True:
            try:
                return await self._api.request(
                    "list", WATCHED[kind].PLURAL, path, query=query, accept=accept, timeout=LIST_TIMEOUT
                )
            except UnansweredError as error:
                attempt += 1
                log.warning("list not answered, repeating it", extra={"kind": kind, "error": error})
                await asyncio.sleep(error.pause(attempt))


def _patch(write: Write) -> dict[str, Any]:
    """The merge patch, refused by the API server with 409 unless the object is of the version it was decided on."""
    if write.resource_version is None:
        return write.body
    metadata = {**write.body.get("metadata", {}), "resourceVersion": write.resource_version}
    return {**write.body, "metadata": metadata}
