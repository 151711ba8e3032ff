"""Lists in pages, so that no answer grows with the number of objects."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from drover.kube.api import ApiError

log = logging.getLogger(__name__)

PAGE = 500
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Query = list[tuple[str, str]]
T = TypeVar("T")


async def pages(ask: Callable[[Query], Awaitable[dict[str, Any]]], size: int = PAGE) -> AsyncIterator[dict[str, Any]]:
    """The pages of a list; ``ask`` requests one by its query. Raises ApiError 410 where the list has expired."""
    # Without resourceVersion= the list is a consistent read; all its pages are of one resourceVersion.
    token = ""
    while True:
        page = await ask([("limit", str(size))] + ([("continue", token)] if token else []))
        page["items"] = page["items"] or []  # an empty list of metadata alone comes as null
        yield page
        token = page["metadata"].get("continue", "")
        if not token:
            return


async def whole(kind: str, listed: Callable[[], Awaitable[T]]) -> T:
    """What ``listed`` makes of a list, begun anew whenever the API server has forgotten it before its last page."""
    while True:
        try:
            return await listed()
        except ApiError as error:
            if error.code != 410:
                raise
            log.warning("list expired, beginning it anew", extra={"kind": kind, "error": error})
