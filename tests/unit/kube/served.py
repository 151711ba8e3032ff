"""The API server as far as objects are listed, read and patched: in memory, and in loop time."""

import asyncio
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from drover.api.kinds import WATCHED, manifest, parse
from drover.api.meta import FINALIZER, AnyResource
from drover.kube.api import ApiError, collection_of, path_of

SPECS: dict[str, dict[str, Any]] = {
    "VirtualMachine": {"flavorRef": {"name": "small"}, "imageRef": {"name": "debian"}},
    "Volume": {"size": "1Gi"},
    "Flavor": {"cpu": {"guest": 1}, "memory": {"guest": "1Gi"}},
}
"""One that each kind takes."""


def made(kind: str, name: str, *, deleting: bool = False) -> AnyResource:
    metadata = {"name": name, "uid": f"{kind}-{name}", "resourceVersion": "1", "finalizers": [FINALIZER]}
    if WATCHED[kind].NAMESPACED:
        metadata["namespace"] = "shop"
    if deleting:
        metadata["deletionTimestamp"] = "2026-11-02T09:00:00Z"
    return parse({"kind": kind, "metadata": metadata, "spec": SPECS[kind]})


class Served:
    """Answers each request after 10 ms. ``errors`` by path are what it answers instead; ``forgets`` is how many lists
    expire before their second page.
    """

    def __init__(self, *resources: AnyResource) -> None:
        self.objects = {path_of(one.key): manifest(one) for one in resources}
        self.errors: dict[str, Exception] = {}
        self.forgets = 0
        self.sent: list[tuple[str, str]] = []
        self.accepted: set[str] = set()
        self.limits: set[str] = set()
        self.most_at_once = self._at_once = 0

    async def request(
        self,
        verb: str,
        resource: str,  # noqa: ARG002
        path: str,
        *,
        body: dict[str, Any] | None = None,
        query: Iterable[tuple[str, str]] = (),
        accept: str = "",
        **_: Any,
    ) -> dict[str, Any]:
        self.sent.append((verb, path))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0.01)
        self._at_once -= 1
        if path in self.errors:
            raise self.errors[path]
        if verb == "list":
            self.accepted.add(accept)
            return self._page(path, dict(query))
        if path not in self.objects:
            raise ApiError(404, f"{path} not found")
        if body is not None:
            self.objects[path]["metadata"].update(body["metadata"])
        return deepcopy(self.objects[path])

    def _page(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        self.limits.add(query["limit"])
        start = int(query.get("continue", 0))
        end = start + int(query["limit"])
        if start and self.forgets:
            self.forgets -= 1
            raise ApiError(410, "the provided continue parameter is too old")
        found = [raw for raw in self.objects.values() if path == collection_of(raw["kind"])]
        token = {"continue": str(end)} if end < len(found) else {}
        return {"metadata": {"resourceVersion": "100", **token}, "items": deepcopy(found[start:end])}
