"""Intervals cut at midnight UTC: no cutting changes a sum."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.usage import (
    METERS,
    NOTHING,
    Accrual,
    Line,
    Sums,
    amounts,
    day_of,
    days,
    ended,
    instant,
    milliseconds,
    month_of,
    running,
)

DAY = 86_400_000
NOON = milliseconds(datetime(2026, 11, 30, 12, tzinfo=UTC))
INSTANTS = st.integers(min_value=0, max_value=2**42)
LINES = st.builds(Line, st.sampled_from(METERS), st.sampled_from(["small", "large"]), st.sampled_from(["Running"]))
RATES = st.dictionaries(LINES, st.integers(0, 2**40), max_size=4)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (NOON, NOON + 1_000, [(date(2026, 11, 30), 1_000)]),
        (NOON, NOON + DAY, [(date(2026, 11, 30), DAY // 2), (date(2026, 12, 1), DAY // 2)]),
        (NOON, NOON + DAY // 2, [(date(2026, 11, 30), DAY // 2)]),
        (NOON + DAY // 2, NOON + DAY // 2 + 1, [(date(2026, 12, 1), 1)]),
        (NOON, NOON, []),
        (NOON, NOON - 1, []),
    ],
    ids=["within a day", "over a month's edge", "up to midnight", "from midnight", "empty", "clock stepped back"],
)
def test_an_interval_is_cut_at_midnight(since: int, until: int, expected: list[tuple[date, int]]) -> None:
    assert list(days(since, until)) == expected


@given(INSTANTS, st.integers(0, 40 * DAY), st.lists(st.floats(0, 1), max_size=6), RATES)
def test_any_cutting_sums_to_the_same(since: int, length: int, cuts: list[float], rates: dict[Line, int]) -> None:
    edges = [since, *sorted(since + int(cut * length) for cut in cuts), since + length]
    parts = Sums()
    for start, end in pairwise(edges):
        parts += amounts(start, end, rates)
    whole = amounts(since, since + length, rates)
    assert parts == whole
    by_line = Counter[Line]()
    for (_, line), amount in whole.items():
        by_line[line] += amount
    assert by_line == +Counter({line: rate * length for line, rate in rates.items()})


@given(INSTANTS, st.integers(-40 * DAY, 40 * DAY), RATES)
def test_no_amount_is_negative_whatever_the_clock_did(since: int, step: int, rates: dict[Line, int]) -> None:
    assert all(amount > 0 for amount in amounts(since, since + step, rates).values())


@given(INSTANTS)
def test_an_instant_survives_its_milliseconds_and_lies_in_its_day(at: int) -> None:
    assert milliseconds(instant(at)) == at
    assert day_of(at) == instant(at).date()
    assert month_of(day_of(at)) == f"{instant(at):%Y-%m}"


@given(st.lists(st.tuples(INSTANTS, st.integers(0, 2**40))), st.integers(0, DAY))
def test_what_runs_adds_up_to_one_line_in_time(intervals: list[tuple[int, int]], after: int) -> None:
    now = max((since for since, _ in intervals), default=0) + after
    total = NOTHING
    for since, rate in intervals:
        total = total.plus(running(since, rate))
    assert total.at(now) == sum(rate * (now - since) for since, rate in intervals)
    for since, rate in intervals:
        total = total.minus(running(since, rate))
    assert total == NOTHING


def test_what_has_ended_does_not_grow() -> None:
    total = ended(5).plus(running(NOON, 2))
    assert total == Accrual(5 - 2 * NOON, 2)
    assert (total.at(NOON), total.at(NOON + 10)) == (5, 25)
    assert ended(5).at(NOON + timedelta(days=1) // timedelta(milliseconds=1)) == 5
