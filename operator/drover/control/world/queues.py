"""Migrations that wait for their turn, and those that hold slots: kept in step with one object at a time.

Like claims, slots count for both sides of a write in flight: one that is about to be given back is taken still.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import inf
from typing import cast

from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.world.claims import hosts_of_migration, is_final
from drover.model.migration import PRIORITIES, Queued, rank

Side = VirtualMachineMigration | None
Route = tuple[str, str]
"""Source and target."""
HELD_BY_OTHERS = ("Policy", "Window", "Plan")
"""What is waited for whatever slots and room there are."""
WAITS_FOR_MORE_THAN_A_SLOT = ("Capacity", *HELD_BY_OTHERS)


class Queues:
    """A line a pool, and the routes of all that hold slots."""

    def __init__(self) -> None:
        self._lines: dict[str, list[Queued]] = defaultdict(list)
        self._places: dict[Key, tuple[str, Queued]] = {}
        self._routes: dict[Key, frozenset[Route]] = {}

    def count(self, key: Key, observed: Side, assumed: Side, vm: VirtualMachine | None) -> None:
        """Take one migration as seen from both sides, with its VM."""
        visible = assumed if assumed is not None else observed
        self._stand(key, place_of(visible, vm) if visible is not None and vm is not None else None)
        held = [tuple(hosts_of_migration(side)) for side in (observed, assumed) if side is not None]
        if routes := frozenset(cast(Route, hosts) for hosts in held if hosts):
            self._routes[key] = routes
        else:
            self._routes.pop(key, None)

    def _stand(self, key: Key, place: tuple[str, Queued] | None) -> None:
        before = self._places.pop(key, None)
        if before is not None:
            pool, queued = before
            line = self._lines[pool]
            del line[bisect_left(line, queued)]
            if not line:
                del self._lines[pool]
        if place is not None:
            self._places[key] = place
            insort(self._lines[place[0]], place[1])

    def place(self, key: Key) -> Queued | None:
        """Where a migration stands in its line; None where it stands in none."""
        place = self._places.get(key)
        return place[1] if place is not None else None

    def line(self, pool: str) -> Sequence[Queued]:
        """In the order of their turns."""
        return self._lines.get(pool, ())

    def pools(self) -> list[str]:
        """Pools with a line."""
        return list(self._lines)

    def routes(self) -> Iterator[Route]:
        """Of all that hold slots."""
        for routes in self._routes.values():
            yield from routes


def place_of(migration: VirtualMachineMigration, vm: VirtualMachine) -> tuple[str, Queued] | None:
    """(pool, place in its line) of a waiting migration that could start, were there a slot."""
    spec, at = migration.spec, vm.status
    if is_final(migration) or migration.status.target_host or migration.deleting or spec.cancel:
        return None
    if at.phase != "Running" or not at.host_name or not at.node_pool_name:
        return None
    created = migration.metadata.creation_timestamp
    return at.node_pool_name, Queued(
        rank=rank(PRIORITIES[spec.priority], created.timestamp() if created is not None else inf),
        turn=spec.turn or 0,
        name=(migration.namespace, migration.name),
        source=at.host_name,
        target=spec.target_host_name or spec.preferred_target_host_name,
        parked=is_parked(migration),
    )


def parked_for(migration: VirtualMachineMigration) -> list[str]:
    """For an index: what a parked migration lacks."""
    queue = migration.status.queue
    return [queue.blocked_by] if queue is not None and is_parked(migration) else []


def is_parked(migration: VirtualMachineMigration) -> bool:
    """Whether it lacked something else than a slot when it was last looked at."""
    queue = migration.status.queue
    return (
        not migration.status.target_host
        and not is_final(migration)
        and queue is not None
        and queue.blocked_by in WAITS_FOR_MORE_THAN_A_SLOT
    )
