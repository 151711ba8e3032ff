"""When Drover's kinds are being deleted: what waits for its finalizer is let go, so that they can.

The operator runs only with all kinds. Once the first is gone, nobody would let go of what is left of the others, and
their CRDs would be Terminating for ever. Any instance may do this, with or without the Lease: whoever deletes a kind
means all of it to go.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from typing import Any

from drover.api.kinds import BY_PLURAL
from drover.api.meta import FINALIZER, AnyResource
from drover.kube.api import CONCURRENCY, LIST_TIMEOUT, Api, ApiError, UnansweredError, collection_of, path_of
from drover.kube.paging import METADATA_ONLY, Query, pages
from drover.kube.parsing import key_of

log = logging.getLogger(__name__)

Failure = ApiError | UnansweredError


def going(served: Mapping[str, Iterable[str]]) -> list[type[AnyResource]]:
    """The kinds whose CRD is Terminating, from the verbs that discovery has for each plural: such can't be created."""
    return [BY_PLURAL[plural] for plural, verbs in served.items() if "create" not in verbs]


async def let_go(api: Api, kinds: Iterable[type[AnyResource]]) -> None:
    """Take our finalizer off what is being deleted of these kinds, all that can be; then raises the first failure.

    UnansweredError is one, too: a webhook that does not answer is a 500 of its objects alone.
    """
    released = refused = 0
    first: Failure | None = None
    for kind in kinds:
        async for failure in _partings(api, kind):
            if failure is None:
                released += 1
            elif failure.code not in (404, 409):  # gone by now, the kind with it, or somebody else was quicker
                refused += 1
                first = first or failure
    if released:
        log.warning("objects let go: their kinds are being deleted", extra={"objects": released, "refused": refused})
    if first is not None:
        raise first


async def _partings(api: Api, kind: type[AnyResource]) -> AsyncIterator[Failure | None]:
    """What came of each object that waits for us, None where it was let go; and of their list, where that failed."""
    slots = asyncio.Semaphore(CONCURRENCY)
    try:
        async for page in pages(partial(_page, api, kind)):
            held = [raw for raw in page["items"] if _is_held(raw["metadata"])]
            for failure in await asyncio.gather(*(_release(api, kind, raw, slots) for raw in held)):
                yield failure
    except (ApiError, UnansweredError) as error:
        yield error


async def _page(api: Api, kind: type[AnyResource], query: Query) -> dict[str, Any]:
    path = collection_of(kind.KIND)
    return await api.request("list", kind.PLURAL, path, query=query, accept=METADATA_ONLY, timeout=LIST_TIMEOUT)


def _is_held(metadata: Mapping[str, Any]) -> bool:
    """Whether it is being deleted and waits for us."""
    return bool(metadata.get("deletionTimestamp")) and FINALIZER in metadata.get("finalizers", ())


async def _release(api: Api, kind: type[AnyResource], raw: dict[str, Any], slots: asyncio.Semaphore) -> Failure | None:
    metadata = raw["metadata"]
    kept = [name for name in metadata["finalizers"] if name != FINALIZER]
    body = {"metadata": {"finalizers": kept, "resourceVersion": metadata["resourceVersion"]}}
    try:
        async with slots:
            await api.request("patch", kind.PLURAL, path_of(key_of(kind.KIND, raw)), body=body)
    except (ApiError, UnansweredError) as error:
        return error
    return None
