"""When each of many moves will run: list scheduling over slots (Graham, "Bounds on Multiprocessing Timing
Anomalies", 1969): whenever slots come free, the first move of the list that fits starts."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from drover.model.migration.slots import Limits, Slots


@dataclass(frozen=True, slots=True)
class Move:
    """One planned move, in seconds and bytes. Raises ValueError for a duration below 0."""

    name: str
    source: str
    target: str
    duration: float
    downtime: float
    bytes: int
    priority: int

    def __post_init__(self) -> None:
        if self.duration < 0:
            raise ValueError(f"duration must not be below 0 s, not {self.duration}")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Seconds from the start of the plan."""

    starts: tuple[float, ...]
    """Start of each move, in the order they were given."""
    waves: tuple[tuple[str, ...], ...]
    """Names of the moves that start together, earliest first."""
    makespan: float
    """End of the last move; 0 without moves."""


def schedule(moves: Sequence[Move], limits: Limits) -> Schedule:
    """Start times of all moves: higher priority first, then as given, and whatever fits meanwhile (backfill).

    Ageing is left out, because moves of one plan have all waited equally long.
    """
    slots = Slots(limits)
    pending = sorted(range(len(moves)), key=lambda index: -moves[index].priority)
    running: list[tuple[float, int]] = []
    starts = [0.0] * len(moves)
    waves: dict[float, list[str]] = {}
    now = 0.0
    while pending:
        started = _start_what_fits(pending, moves, slots)
        for index in started:
            starts[index] = now
            waves.setdefault(now, []).append(moves[index].name)
            heapq.heappush(running, (now + moves[index].duration, index))
        pending = [index for index in pending if index not in started]
        now = _release_next(running, moves, slots)
    makespan = max((start + move.duration for start, move in zip(starts, moves, strict=True)), default=0.0)
    return Schedule(tuple(starts), tuple(tuple(wave) for wave in waves.values()), makespan)


def _start_what_fits(pending: Sequence[int], moves: Sequence[Move], slots: Slots) -> list[int]:
    started: list[int] = []
    for index in pending:
        move = moves[index]
        block = slots.blocked(move.source, move.target)
        if block is None:
            slots.take(move.source, move.target)
            started.append(index)
        elif block.by == "ClusterLimit":
            break  # nothing further down the list can fit either
    return started


def _release_next(running: list[tuple[float, int]], moves: Sequence[Move], slots: Slots) -> float:
    """Free the slots of every move that ends next, and return when that is."""
    ends = running[0][0]
    while running and running[0][0] == ends:
        _, index = heapq.heappop(running)
        slots.release(moves[index].source, moves[index].target)
    return ends
