"""The rendered lines of many objects, kept as bytes (kube-state-metrics' pattern, in chunks).

An object that has changed is rendered once, its chunk joined once; a page is the chunks one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Generic, TypeVar

from drover.observe.families import Family

ResourceT = TypeVar("ResourceT")
Lines = tuple[str, ...]
"""The lines of one object: a text a family, in the families' order."""

OBJECTS = 128
"""Objects in a chunk: some thousand lines, joined in well under a millisecond."""


class Cache:
    """Lines by object, joined by family."""

    def __init__(self, families: int) -> None:
        """``families``: how many texts the lines of one object are."""
        self._families = families
        self._chunks: list[Chunk] = []
        self._chunk_of: dict[Hashable, Chunk] = {}
        self._with_room: list[Chunk] = []
        self._stale: dict[Chunk, None] = {}

    def put(self, key: Hashable, lines: Lines) -> None:
        chunk = self._chunk_of.get(key) or self._chunk_with_room()
        self._chunk_of[key] = chunk
        chunk.lines[key] = lines
        self._stale[chunk] = None

    def drop(self, key: Hashable) -> None:
        chunk = self._chunk_of.pop(key, None)
        if chunk is None:
            return
        if len(chunk.lines) == OBJECTS:
            self._with_room.append(chunk)
        del chunk.lines[key]
        self._stale[chunk] = None

    def join(self) -> Iterator[None]:
        """Join what has changed, a chunk a step."""
        while self._stale:
            next(iter(self._stale)).join(self._families)
            del self._stale[next(iter(self._stale))]
            yield

    def parts(self, family: int) -> list[bytes]:
        """The lines of one family as last joined."""
        return [chunk.joined[family] for chunk in self._chunks if chunk.joined]

    def count(self, family: int) -> int:
        """How many lines those are."""
        return sum(chunk.counts[family] for chunk in self._chunks if chunk.joined)

    def _chunk_with_room(self) -> Chunk:
        while self._with_room and len(self._with_room[-1].lines) >= OBJECTS:
            self._with_room.pop()
        if not self._with_room:
            self._chunks.append(Chunk())
            self._with_room.append(self._chunks[-1])
        return self._with_room[-1]


class Section(Generic[ResourceT]):
    """Some families of all objects of one kind."""

    def __init__(self, families: Sequence[Family], lines: Callable[[ResourceT], Lines]) -> None:
        """``lines``: those of one object, in the order of the families."""
        self._families = families
        self._lines = lines
        self.cache = Cache(len(families))

    def put(self, key: Hashable, resource: ResourceT) -> None:
        self.cache.put(key, self._lines(resource))

    def told(self) -> Iterator[tuple[Family, int, list[bytes]]]:
        """Each family with the number of its lines and the lines, as last joined."""
        for number, family in enumerate(self._families):
            yield family, self.cache.count(number), self.cache.parts(number)


class Chunk:
    """Some objects, and their lines joined."""

    def __init__(self) -> None:
        self.lines: dict[Hashable, Lines] = {}
        self.joined: list[bytes] = []
        self.counts: list[int] = []

    def join(self, families: int) -> None:
        texts = ["".join(lines[family] for lines in self.lines.values()) for family in range(families)]
        self.joined = [text.encode() for text in texts]
        self.counts = [text.count("\n") for text in texts]
