"""An index over objects by a value computed from each."""

from __future__ import annotations

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
