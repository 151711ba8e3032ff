"""Whose turn it is among the migrations of a pool that wait for slots, and what each of the others waits for.

A queued migration gains one point of priority for every 30 s, so that no class starves. As all gain alike, who comes
first never changes while they wait: the order is that of the times they would have been created at with priority 0.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

from drover.model.migration.slots import BlockedBy, Slots

PRIORITIES: Mapping[str, int] = MappingProxyType({"SystemCritical": 100, "UserTriggered": 50, "SystemMaintenance": 20})
"""KubeVirt's migration queue priorities; what runs already comes before any of them (KubeVirt: 1000)."""
AGING_SECONDS = 30.0
"""What one point of priority is worth in waiting."""


class Queued(NamedTuple):
    """A migration waiting to start. They sort in the order of their turns."""

    rank: float
    """`rank` of its priority and its creation."""
    turn: int
    """Its place among those of one rank."""
    name: tuple[str, str]
    """Namespace and name."""
    source: str
    target: str | None
    """None until one is chosen."""
    parked: bool = False
    """It lacks something else than a slot, such as room on a target: it keeps its place, and no slot is kept for it."""


class Waiting(NamedTuple):
    """Why a migration has to wait; `position` counts from 1 among those that do."""

    blocked_by: BlockedBy
    position: int
    message: str


def rank(priority: int, created: float) -> float:
    """Sort key in seconds, lowest first: earlier by 30 s for every point of priority."""
    return created - AGING_SECONDS * priority


def wait_of(own: Queued, queue: Sequence[Queued], slots: Slots) -> Waiting | None:
    """What one of the queue waits for; None if it may start now. What starts before it is taken from `slots`.

    Whoever does not fit never holds up those behind (backfill).
    """
    started, place = 0, bisect_left(queue, own)
    for ahead in islice(queue, place):
        if slots.full:
            break
        if not ahead.parked and slots.blocked(ahead.source, ahead.target) is None:
            slots.take(ahead.source, ahead.target)
            started += 1
    block = slots.blocked(own.source, own.target)
    if block is None:
        return None
    position = place - started + 1
    return Waiting(block.by, position, f"{block.message}; position {position}")


def may_start(queue: Sequence[Queued], slots: Slots) -> list[Queued]:
    """Those that may start now, in the order of their turns, and the parked ones for whom there is a slot.

    What starts is taken from `slots`.
    """
    found = []
    for queued in queue:
        if slots.full:
            break
        if slots.blocked(queued.source, queued.target) is None:
            found.append(queued)
            if not queued.parked:
                slots.take(queued.source, queued.target)
    return found
