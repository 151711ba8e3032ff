"""Interval arithmetic of usage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.usage import Interval, Totals, close, end, milliseconds

INSTANTS = st.integers(min_value=0, max_value=2**42)
RATES = st.integers(min_value=0, max_value=2**40)
INTERVALS = st.builds(Interval, INSTANTS, RATES, RATES, RATES, st.integers(0, 1))
GIB = 2**30


@pytest.mark.parametrize(
    ("interval", "now", "expected"),
    [
        (
            Interval(1_000, 4, 8 * GIB, 20 * GIB, 1),
            31_000,
            Totals(120_000, 240_000 * GIB, 600_000 * GIB, 30_000),
        ),
        (Interval(1_000, disk_bytes=5), 1_001, Totals(disk_byte_millis=5)),
        (Interval(1_000, 4, 8, 20, 1), 1_000, Totals()),
    ],
    ids=["a running machine that lives 30 s", "a stopped machine accrues only disk", "no time, no usage"],
)
def test_an_interval_adds_its_rates_times_its_duration(interval: Interval, now: int, expected: Totals) -> None:
    assert close(interval, now) == expected


@given(INTERVALS, st.lists(INSTANTS, max_size=20))
def test_closing_and_reopening_at_any_instants_never_changes_the_sum(interval: Interval, instants: list[int]) -> None:
    total, open_ = Totals(), interval
    for now in instants:
        total += close(open_, now)
        open_ = replace(open_, since=end(open_, now))
    assert total == close(interval, max([interval.since, *instants]))


@given(INTERVALS, INSTANTS)
def test_a_clock_that_stepped_back_never_gives_a_negative_amount(interval: Interval, now: int) -> None:
    amounts = close(interval, now)
    assert min(amounts.vcpu_millis, amounts.memory_byte_millis, amounts.disk_byte_millis) >= 0
    assert 0 <= amounts.instance_millis <= max(0, now - interval.since)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_milliseconds_round_down_to_the_microsecond_exactly(instant: datetime) -> None:
    back = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds(instant))
    assert timedelta(0) <= instant - back < timedelta(milliseconds=1)


def test_milliseconds_are_the_same_in_every_time_zone() -> None:
    instant = datetime(2026, 11, 21, 5, 16, 5, 123_456, tzinfo=UTC)
    assert milliseconds(instant.astimezone(timezone(timedelta(hours=5)))) == milliseconds(instant)
    assert milliseconds(instant) == 1_795_238_165_123
