"""Waves and the order of a plan."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import world as world_with
from worlds import placed, plan, priority_class, vm

from drover.api.migrationplanstatus import PlanMigration
from drover.control.migrationplan.planning import compute
from drover.control.migrationplan.waves import ROUNDING, numbered, waves_of


def entry(index: int, start: float | None, seconds: float | None, **fields: Any) -> PlanMigration:
    return PlanMigration(
        virtual_machine=f"m{index}",
        namespace="default",
        estimated_start_seconds=start,
        estimated_seconds=seconds,
        **fields,
    )


def numbers(*spans: tuple[float, float]) -> list[int | None]:
    return [e.wave for e in numbered([entry(i, start, end - start) for i, (start, end) in enumerate(spans)])]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 10), (0, 10), (10, 20), (10, 20), (20, 30)], [1, 1, 2, 2, 3]),
        ([(0, 10), (10, 20), (20, 30), (0, 30)], [1, 2, 3, 1]),
        ([(0, 7), (0, 9), (7, 16), (9, 14), (14, 20)], [1, 1, 2, 2, 3]),
        ([(0, 10), (9.9, 20)], [1, 2]),
        ([], []),
    ],
    ids=["in step", "one beside three", "out of step", "told in tenths", "nothing"],
)
def test_a_wave_starts_where_one_before_it_ends(spans: list[tuple[float, float]], expected: list[int]) -> None:
    assert numbers(*spans) == expected


def test_a_vm_without_a_prediction_is_in_no_wave() -> None:
    told = numbered([entry(0, None, None), entry(1, 0, 5)])
    assert [e.wave for e in told] == [None, 1]
    assert [wave.virtual_machines for wave in waves_of(told)] == [1]


SPANS = st.lists(st.tuples(st.floats(0, 100), st.floats(1, 50)), min_size=1, max_size=30)


@given(SPANS)
def test_moves_of_one_wave_overlap_and_waves_start_in_order(spans: list[tuple[float, float]]) -> None:
    told = numbered([entry(index, start, seconds) for index, (start, seconds) in enumerate(spans)])
    waves = waves_of(told)
    assert [wave.number for wave in waves] == list(range(1, len(waves) + 1))
    assert sum(wave.virtual_machines for wave in waves) == len(spans)
    for wave in waves:
        mine = [spans[index] for index, e in enumerate(told) if e.wave == wave.number]
        assert max(start for start, _ in mine) + ROUNDING < min(start + seconds for start, seconds in mine) + 1e-9
    starts = [wave.estimated_start_seconds or 0.0 for wave in waves]
    assert starts == sorted(starts)


@given(SPANS)
def test_no_fewer_waves_would_do(spans: list[tuple[float, float]]) -> None:
    """A move of each wave but the first starts after one of the wave before it has ended."""
    told = numbered([entry(index, start, seconds) for index, (start, seconds) in enumerate(spans)])
    for index, e in enumerate(told):
        assert e.wave is not None
        before = [spans[i] for i, other in enumerate(told) if other.wave == e.wave - 1]
        assert e.wave == 1 or any(start + seconds <= spans[index][0] + ROUNDING for start, seconds in before)


# Order

BIG = {"memory": "8Gi"}
VMS = (
    vm("a", status=placed("p1-0", **BIG), model={"hotSet": "512Mi", "dirtyRate": "1M"}),
    vm("b", status=placed("p1-0"), model={"hotSet": "64Mi", "dirtyRate": "1M"}, priority_class_name="urgent"),
    vm("c", status=placed("p1-0", memory="6Gi"), model={"hotSet": "256Mi", "dirtyRate": "1M"}),
)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("AsListed", "cab"),
        ("PriorityFirst", "bca"),
        ("SmallestFirst", "bca"),
        ("LargestFirst", "acb"),
        ("ShortestDowntimeFirst", "bca"),
    ],
)
def test_vms_go_in_the_order_asked_for(order: str, expected: str) -> None:
    subject = plan(virtual_machines=[{"name": name} for name in "cab"], order=order, limits={"maxConcurrent": 1})
    entries = compute(subject, world_with(*VMS, priority_class("urgent", 1000))).migrations
    assert "".join(e.virtual_machine for e in entries) == expected
    starts = [e.estimated_start_seconds or 0.0 for e in entries]
    assert starts == sorted(starts)


def test_a_copy_that_would_not_end_has_no_short_pause() -> None:
    endless = vm("a", status=placed("p1-0"), model={"hotSet": "3Gi", "dirtyRate": "2G"})
    subject = plan(virtual_machines=[{"name": name} for name in "ab"], order="ShortestDowntimeFirst")
    assert [e.virtual_machine for e in compute(subject, world_with(endless, VMS[1])).migrations] == ["b", "a"]


def test_what_cannot_be_moved_comes_last() -> None:
    subject = plan(virtual_machines=[{"name": "ghost"}, {"name": "a"}])
    assert [e.virtual_machine for e in compute(subject, world_with()).migrations] == ["a", "ghost"]
