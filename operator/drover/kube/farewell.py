"""When Drover's kinds are being deleted: what waits for its finalizer is let go, so that they can.

The operator runs only with all kinds. Once the first is gone, nobody would let go of what is left of the others, and
their CRDs would be Terminating for ever. Any instance may do this, with or without the Lease: whoever deletes a kind
means all of it to go.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from drover.api.kinds import BY_PLURAL
from drover.api.meta import FINALIZER, AnyResource
from drover.kube.api import LIST_TIMEOUT, Api, ApiError, collection_of, path_of
from drover.kube.parsing import key_of

log = logging.getLogger(__name__)


def going(served: Mapping[str, Iterable[str]]) -> list[type[AnyResource]]:
    """The kinds whose CRD is Terminating, from the verbs that discovery has for each plural: such can't be created."""
    return [BY_PLURAL[plural] for plural, verbs in served.items() if "create" not in verbs]


async def let_go(api: Api, kinds: Iterable[type[AnyResource]]) -> None:
    """Take our finalizer off what is being deleted of these kinds, all that can be; then raises the first ApiError.

    Raises UnansweredError at once.
    """
    refusals: list[ApiError] = []
    for kind in kinds:
        held = await _held(api, kind)
        for raw in held:
            try:
                await _release(api, kind, raw)
            except ApiError as error:
                if error.code not in (404, 409):  # gone by now, or somebody else was quicker
                    refusals.append(error)
        if held:
            log.warning("objects let go: their kind is being deleted", extra={"kind": kind.KIND, "objects": len(held)})
    if refusals:
        raise refusals[0]


async def _release(api: Api, kind: type[AnyResource], raw: dict[str, Any]) -> None:
    metadata = raw["metadata"]
    kept = [name for name in metadata["finalizers"] if name != FINALIZER]
    body = {"metadata": {"finalizers": kept, "resourceVersion": metadata["resourceVersion"]}}
    await api.request("patch", kind.PLURAL, path_of(key_of(kind.KIND, raw)), body=body)


async def _held(api: Api, kind: type[AnyResource]) -> list[dict[str, Any]]:
    """What is being deleted and waits for us."""
    try:
        listed = await api.request("list", kind.PLURAL, collection_of(kind.KIND), timeout=LIST_TIMEOUT)
    except ApiError as error:
        if error.code == 404:  # the kind is gone
            return []
        raise
    return [
        raw
        for raw in listed["items"] or ()
        if raw["metadata"].get("deletionTimestamp") and FINALIZER in raw["metadata"].get("finalizers", ())
    ]
