"""Waves: the migrations of a plan in groups that follow one another.

Two predicted moves belong to different waves if one ends before the other starts; a move's wave is the length of the
longest chain of such moves up to it. So the moves of one wave are all under way together for a moment, and no fewer
waves would do (Mirsky, "A Dual of Dilworth's Decomposition Theorem", 1971).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from drover.api.migrationplanstatus import PlanMigration, PlanWave, WavePhase
from drover.control.migrationplan.entries import has_ended

ROUNDING = 0.2
"""Seconds by which an end may seem to come after the start it made room for: both are told in tenths."""


def numbered(entries: Sequence[PlanMigration]) -> tuple[PlanMigration, ...]:
    """The entries with their waves, where their start and duration are predicted."""
    planned = [e for e in entries if e.estimated_start_seconds is not None and e.estimated_seconds is not None]
    by_start = sorted(planned, key=_start)
    by_end = sorted(planned, key=_end)
    waves: dict[tuple[str, str], int] = {}
    ended = longest = 0
    for entry in by_start:
        while ended < len(by_end) and _end(by_end[ended]) <= _start(entry) + ROUNDING:
            # Moves of no length may end before they are numbered; they head no chain.
            longest = max(longest, waves.get(_key(by_end[ended]), 0))
            ended += 1
        waves[_key(entry)] = longest + 1
    return tuple(entry.model_copy(update={"wave": waves.get(_key(entry))}) for entry in entries)


def waves_of(entries: Sequence[PlanMigration]) -> tuple[PlanWave, ...]:
    """The waves as they stand, in order."""
    members: dict[int, list[PlanMigration]] = defaultdict(list)
    for entry in entries:
        if entry.wave is not None:
            members[entry.wave].append(entry)
    return tuple(_wave(number, members[number]) for number in sorted(members))


def _wave(number: int, members: list[PlanMigration]) -> PlanWave:
    starts = [entry.start_timestamp for entry in members if entry.start_timestamp is not None]
    ends = [entry.end_timestamp for entry in members if entry.end_timestamp is not None]
    phase: WavePhase = "Pending"
    if all(has_ended(entry) or entry.returning for entry in members):
        phase = "Completed"
    elif starts:
        phase = "Running"
    return PlanWave(
        number=number,
        virtual_machines=len(members),
        phase=phase,
        estimated_start_seconds=min(_start(entry) for entry in members),
        start_timestamp=min(starts, default=None),
        end_timestamp=max(ends, default=None) if phase == "Completed" else None,
    )


def _key(entry: PlanMigration) -> tuple[str, str]:
    return entry.namespace, entry.virtual_machine


def _start(entry: PlanMigration) -> float:
    return entry.estimated_start_seconds or 0.0


def _end(entry: PlanMigration) -> float:
    return _start(entry) + (entry.estimated_seconds or 0.0)
