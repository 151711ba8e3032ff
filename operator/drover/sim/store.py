"""An API server in memory, which behaves like the real one wherever a controller could tell the difference.

::

    create --> stored --delete, no finalizer-----------------------------> gone --> dependents deleted in turn
                  |                                                          ^
                  +--delete--> deletionTimestamp set --last finalizer removed+

One counter gives every write its resourceVersion. A write decided on an older version is refused with 409, one
that changes nothing leaves the version alone. ``status`` is written through the status subresource only, and only
a change of ``spec`` (or the start of a deletion) raises ``generation``. The models stand in for the schema: they
fill defaults, drop unknown fields and refuse values; CEL rules are not evaluated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from drover.api.kinds import WATCHED, manifest, parse
from drover.api.meta import AnyResource, Key, dump
from drover.control.engine.patch import apply_merge_patch
from drover.control.ports import Refused, Write, Written
from drover.sim.watchlog import Change, WatchLog

NOT_FOUND = 404
CONFLICT = 409
INVALID = 422

_SERVER_SET = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")


class ApiError(Exception):
    """The API server's answer to a request that it does not carry out."""

    def __init__(self, code: int, message: str, current: AnyResource | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.current = current


class Store:
    """Objects by key, and a log of changes for each kind. ``namespace`` makes uids differ between stores."""

    def __init__(self, namespace: int = 0) -> None:
        self._namespace = namespace
        self._objects: dict[Key, AnyResource] = {}
        self._uids: dict[str, Key] = {}
        self._logs: dict[str, WatchLog] = defaultdict(WatchLog)
        self._created = 0
        self.version = 0
        self.turnover = 0
        """Creations and removals: after either, there may be garbage."""

    # Reading

    def get(self, key: Key) -> AnyResource | None:
        return self._objects.get(key)

    def objects(self, kind: str) -> list[AnyResource]:
        """All objects of a kind as of ``version``, in the order of their names."""
        return [self._objects[key] for key in sorted(self._objects) if key.kind == kind]

    def __iter__(self) -> Iterator[AnyResource]:
        return iter(self._objects.values())

    def __contains__(self, uid: str) -> bool:
        return uid in self._uids

    def changes(self, kind: str, since: int) -> list[Change]:
        """What a watch of ``kind`` opened at version ``since`` is told. Raises ExpiredError after a compaction."""
        return self._logs[kind].since(since)

    def latest(self, kind: str) -> int:
        """The version of the newest change of a kind."""
        return self._logs[kind].latest

    def compact(self, kind: str) -> None:
        """Forget the history of one kind: watches that are behind must list anew."""
        self._logs[kind].compact(self.version)

    # Writing

    def execute(self, write: Write, now: datetime) -> Written | Refused:
        """Carry out one request of the operator."""
        try:
            return Written(write.id, self._perform(write, now))
        except ApiError as rejection:
            return Refused(write.id, rejection.code, rejection.message, rejection.current)

    def _perform(self, write: Write, now: datetime) -> AnyResource | None:
        if write.verb == "create":
            return self.create(write.body, now)
        if write.verb == "delete":
            return self.delete(write.key, now, uid=write.uid, version=write.resource_version)
        subresource = write.verb == "status"
        return self.patch(write.key, write.body, subresource=subresource, version=write.resource_version)

    def create(self, raw: dict[str, Any], now: datetime) -> AnyResource:
        """A new object, with the schema's defaults. Raises ApiError 409 (AlreadyExists) and 422."""
        resource = _validated(raw)
        current = self._objects.get(resource.key)
        if current is not None:
            raise ApiError(CONFLICT, f"{resource.key} already exists", current)
        self._created += 1
        created = manifest(resource)
        metadata = {name: value for name, value in created["metadata"].items() if name not in _SERVER_SET}
        created["metadata"] = metadata | {
            "uid": f"{self._namespace:08x}-0000-4000-8000-{self._created:012x}",
            "generation": 1,
            "creationTimestamp": _seconds(now),
        }
        created["status"] = {"observedGeneration": -1}
        self.turnover += 1
        return self._store(created)

    def patch(
        self,
        key: Key,
        patch: dict[str, Any],
        *,
        subresource: bool = False,
        version: str | None = None,
    ) -> AnyResource:
        """Merge ``patch`` into an object (RFC 7386); into its status where ``subresource``.

        Raises ApiError 404, 409 where ``version`` is not the present one, 422 for what the schema refuses.
        """
        current = self._present(key, version)
        before = manifest(current)
        after = apply_merge_patch(before, patch)
        if subresource:
            after = {**before, "status": after.get("status", {})}
        else:
            server_set = {name: before["metadata"].get(name) for name in _SERVER_SET}
            status = before.get("status", {})  # a PriorityClass has none
            after = {**after, "status": status, "metadata": {**after["metadata"], **server_set}}
        changed = _validated(after)
        after = manifest(changed)
        if after == before:
            return current
        if not set(after["metadata"].get("finalizers", ())) <= set(current.metadata.finalizers) and (current.deleting):
            raise ApiError(INVALID, "no new finalizers can be added if the object is being deleted", current)
        if dump(changed.spec) != dump(current.spec):
            after["metadata"]["generation"] += 1
        if current.deleting and not after["metadata"].get("finalizers"):
            return self._remove(after)
        return self._store(after)

    def delete(self, key: Key, now: datetime, *, uid: str = "", version: str | None = None) -> AnyResource | None:
        """Begin a deletion; returns the object while finalizers hold it, None once it is gone.

        Raises ApiError 404, and 409 where ``uid`` or ``version`` is not the present one.
        """
        current = self._present(key, version)
        if uid and uid != current.uid:
            raise ApiError(CONFLICT, f"the UID of {key} is {current.uid}, not {uid}", current)
        raw = manifest(current)
        if not current.metadata.finalizers:
            self._remove(raw)
            return None
        if current.deleting:
            return current
        raw["metadata"]["deletionTimestamp"] = _seconds(now)
        raw["metadata"]["generation"] += 1
        return self._store(raw)

    def collect_garbage(self, now: datetime) -> int:
        """Delete what no owner is left of, as kube-controller-manager does in the background; how many."""
        orphans = [
            resource
            for resource in self
            if resource.metadata.owner_references
            and not resource.deleting
            and not any(owner.uid in self._uids for owner in resource.metadata.owner_references)
        ]
        for orphan in orphans:
            self.delete(orphan.key, now, uid=orphan.uid)
        return len(orphans)

    def _present(self, key: Key, version: str | None) -> AnyResource:
        current = self._objects.get(key)
        if current is None:
            raise ApiError(NOT_FOUND, f"{key} not found")
        if version and version != current.metadata.resource_version:
            raise ApiError(
                CONFLICT,
                f"{key} is at version {current.metadata.resource_version}, not {version}:"
                " apply your changes to the latest version",
                current,
            )
        return current

    def _store(self, raw: dict[str, Any]) -> AnyResource:
        resource = self._next_version(raw)
        self._objects[resource.key] = resource
        self._uids[resource.uid] = resource.key
        self._logs[resource.KIND].append(Change(self.version, resource, deleted=False))
        return resource

    def _remove(self, raw: dict[str, Any]) -> AnyResource:
        resource = self._next_version(raw)
        del self._objects[resource.key]
        del self._uids[resource.uid]
        self.turnover += 1
        self._logs[resource.KIND].append(Change(self.version, resource, deleted=True))
        return resource

    def _next_version(self, raw: dict[str, Any]) -> AnyResource:
        self.version += 1
        raw["metadata"]["resourceVersion"] = str(self.version)
        return parse(raw)


def _validated(raw: dict[str, Any]) -> AnyResource:
    if raw.get("kind") not in WATCHED:
        raise ApiError(NOT_FOUND, f"the server could not find the requested resource: {raw.get('kind')}")
    try:
        return parse(raw)
    except ValidationError as error:
        name = raw.get("metadata", {}).get("name", "")
        causes = (f"{'.'.join(map(str, cause['loc']))}: {cause['msg']}" for cause in error.errors())
        raise ApiError(INVALID, f"{raw['kind']} {name!r} is invalid: {'; '.join(causes)}") from None


def _seconds(instant: datetime) -> str:
    """metav1.Time has no fractions of a second."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
