"""Which objects a change of another kind concerns, and which changes do not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from drover.api.meta import AnyResource, Key
from drover.control.world import World

Affected = Callable[[AnyResource | None, AnyResource | None, World], list[Key]]


def on_change(keys: Callable[[Any], Iterable[Key]], of: Callable[[Any], object] | None = None) -> Affected:
    """The keys an object names, before or after, whenever what is looked at (``of``; the keys) has changed."""
    looked_at = of if of is not None else keys

    def affected(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
        del world
        if before is not None and after is not None and looked_at(before) == looked_at(after):
            return []
        return sorted({key for side in (before, after) if side is not None for key in keys(side)})

    return affected


def whenever(changed: Callable[[Any], object], keys: Callable[[World], list[Key]]) -> Affected:
    """Keys of the world, whenever what is looked at of an object changes; nothing to look at is None."""

    def affected(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
        was, is_ = (changed(side) if side is not None else None for side in (before, after))
        return [] if was == is_ else keys(world)

    return affected
