"""Which of the queued migrations may start now, and what each of the others waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from drover.model.migration.slots import BlockedBy, Limits, Slots

PRIORITIES: Mapping[str, int] = MappingProxyType({"SystemCritical": 100, "UserTriggered": 50, "SystemMaintenance": 20})
"""KubeVirt's migration queue priorities; what runs already comes before any of them (KubeVirt: 1000)."""
AGING_SECONDS = 30.0
"""A queued migration gains one point of priority for each of these, so that no class starves."""


class Queued(NamedTuple):
    """A migration waiting to start; `target` is None until one is chosen."""

    name: str
    source: str
    target: str | None
    priority: int
    waited: float
    """Seconds since it was created."""

    @property
    def rank(self) -> tuple[int, float, str]:
        """Sort key: highest aged priority, then longest wait, then name."""
        return (-(self.priority + int(self.waited // AGING_SECONDS)), -self.waited, self.name)


class Active(NamedTuple):
    """A migration that holds slots."""

    source: str
    target: str | None


class Waiting(NamedTuple):
    """Why a migration has to wait; `position` counts from 1 among those that do."""

    name: str
    blocked_by: BlockedBy
    position: int
    message: str


class Admission(NamedTuple):
    """Both in queue order."""

    start: tuple[str, ...]
    waiting: tuple[Waiting, ...]


def admit(queue: Iterable[Queued], active: Iterable[Active], limits: Limits) -> Admission:
    """Start what fits, in queue order; what does not fit never holds up what is behind it (backfill)."""
    slots = Slots(limits)
    for running in active:
        slots.take(running.source, running.target)
    start: list[str] = []
    waiting: list[Waiting] = []
    for queued in sorted(queue, key=lambda queued: queued.rank):
        block = slots.blocked(queued.source, queued.target)
        if block is None:
            slots.take(queued.source, queued.target)
            start.append(queued.name)
        else:
            position = len(waiting) + 1
            waiting.append(Waiting(queued.name, block.by, position, f"{block.message}; position {position}"))
    return Admission(tuple(start), tuple(waiting))
