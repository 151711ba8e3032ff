"""Counts over many objects, kept in step with one object at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator

Fact = tuple[Hashable, ...]
"""What an object is counted under, such as ``("phase", namespace, phase)``; the first field names the count."""


class Tally:
    """How many objects state each fact."""

    def __init__(self) -> None:
        self._stated: dict[Hashable, tuple[Fact, ...]] = {}
        self._counts: Counter[Fact] = Counter()

    def state(self, source: Hashable, facts: Iterable[Fact]) -> tuple[Fact, ...]:
        """Replace everything ``source`` states, no facts where it is gone; returns what it states no more or anew."""
        before, after = self._stated.pop(source, ()), tuple(facts)
        if after:
            self._stated[source] = after
        if before == after:
            return ()
        for fact in before:
            self._counts[fact] -= 1
            if not self._counts[fact]:
                del self._counts[fact]
        self._counts.update(after)
        return (*before, *after)

    def count(self, *fact: Hashable) -> int:
        return self._counts.get(fact, 0)

    def of(self, name: str) -> Iterator[tuple[Fact, int]]:
        """The facts of one name and their counts, in order."""
        yield from sorted((fact[1:], count) for fact, count in self._counts.items() if fact[0] == name)
