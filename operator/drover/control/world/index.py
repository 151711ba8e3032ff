"""Indexes over objects by a value computed from each."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from drover.api.meta import AnyResource, Key


class Index:
    """Keys of the visible objects of one kind by a value computed from each object."""

    def __init__(self, values: Callable[[Any], Iterable[Any]]) -> None:
        self._values = values
        self._keys: dict[Any, set[Key]] = defaultdict(set)

    def replace(self, old: AnyResource | None, new: AnyResource | None) -> None:
        before = set(self._values(old)) if old is not None else set()
        after = set(self._values(new)) if new is not None else set()
        key = cast(AnyResource, new if new is not None else old).key
        for value in before - after:
            self._keys[value].discard(key)
            if not self._keys[value]:
                del self._keys[value]
        for value in after - before:
            self._keys[value].add(key)

    def __getitem__(self, value: Any) -> list[Key]:
        return sorted(self._keys.get(value, ()))

    def count(self, value: Any) -> int:
        return len(self._keys.get(value, ()))

    def items(self) -> Iterator[tuple[Any, list[Key]]]:
        """Each value with the keys of its objects."""
        for value, keys in self._keys.items():
            yield value, sorted(keys)


class Lines:
    """Keys of the visible objects of one kind that stand in line, a line a value, in an order computed from each.

    The first of a long line are found without a look at the others.
    """

    def __init__(self, values: Callable[[Any], Iterable[Any]], order: Callable[[Any], Any]) -> None:
        self._values = values
        self._order = order
        self._lines: dict[Any, list[tuple[Any, Key]]] = defaultdict(list)
        """Sorted; objects of one place in the order go by their keys."""

    def replace(self, old: AnyResource | None, new: AnyResource | None) -> None:
        before, after = self._places(old), self._places(new)
        for value, place in before - after:
            line = self._lines[value]
            del line[bisect_left(line, place)]
            if not line:
                del self._lines[value]
        for value, place in after - before:
            insort(self._lines[value], place)

    def __iter__(self) -> Iterator[Any]:
        """The values that somebody stands in line for."""
        return iter(self._lines)

    def first(self, value: Any, number: int) -> list[Key]:
        return [key for _, key in self._lines.get(value, ())[:number]]

    def _places(self, resource: AnyResource | None) -> set[tuple[Any, tuple[Any, Key]]]:
        if resource is None:
            return set()
        return {(value, (self._order(resource), resource.key)) for value in self._values(resource)}
