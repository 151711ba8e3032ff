"""What the in-memory API server tells its watchers: every change of one kind, by resourceVersion."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from drover.api.meta import AnyResource


class ExpiredError(Exception):
    """410 Gone: the version asked for has been compacted away; the watcher must list anew."""


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch. A deletion shows the object as it last was."""

    version: int
    resource: AnyResource
    deleted: bool


class WatchLog:
    """Changes of one kind since the last compaction."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._versions: list[int] = []
        self._compacted = 0

    @property
    def latest(self) -> int:
        """The version of the newest change."""
        return self._versions[-1] if self._versions else self._compacted

    def append(self, change: Change) -> None:
        self._changes.append(change)
        self._versions.append(change.version)

    def since(self, version: int) -> list[Change]:
        """Changes later than ``version``. Raises ExpiredError where some of them are no longer known."""
        if version < self._compacted:
            raise ExpiredError(f"too old resource version: {version} ({self._compacted})")
        return self._changes[bisect_right(self._versions, version) :]

    def compact(self, version: int) -> None:
        """Forget changes up to ``version``."""
        cut = bisect_right(self._versions, version)
        del self._changes[:cut]
        del self._versions[:cut]
        self._compacted = max(self._compacted, version)
