"""Ended intervals wait in a short list that loses nothing, however long no record takes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metering import entry
from worlds import later

from drover.api.usage import MAX_PENDING, Charge, MeteredUsage, PendingUsage
from drover.control.metering.charging import charged, ended
from drover.control.metering.pending import OFFERED, Pending, appended, months_of, part_of, sums_of
from drover.model.usage import Line, Sums

DISK = (Charge(meter="volume", sku="standard", rate=10),)
LARGER = (Charge(meter="volume", sku="standard", rate=20),)
BEFORE_MIDNIGHT = datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC)


def total(pending: Pending) -> Sums:
    sums = Sums()
    for one in pending:
        sums += sums_of(one)
    return sums


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 64)), max_size=30), st.integers(0, 30))
def test_nothing_is_lost_and_what_a_record_may_take_never_changes(
    intervals: list[tuple[int, int]], taken_after: int
) -> None:
    """However many intervals end, and whenever a record takes what is offered."""
    at, pending, due, taken = later(0), (), Sums(), Sums()
    shown: dict[int, PendingUsage] = {}
    for number, (length, vcpus) in enumerate(intervals, start=1):
        new = entry(number, since=at, seconds=length / 1000, vcpus=vcpus)
        at = new.until
        due += sums_of(new)
        pending = appended(pending, new)
        for one in pending[:OFFERED]:
            assert shown.setdefault(one.seq, one) == one
        assert len(pending) <= OFFERED + 1 <= MAX_PENDING
        assert [one.seq for one in pending] == sorted({one.seq for one in pending})
        if number == taken_after:
            taken += total(pending[:OFFERED])
            pending = pending[OFFERED:]
    assert total(pending) + taken == due


def test_an_interval_of_no_length_or_without_charges_does_not_wait() -> None:
    assert appended((), entry(1, seconds=0)) == ()
    assert appended((), entry(1, seconds=0.0004)) == ()


def test_the_last_entry_gathers_by_day_under_the_number_of_the_latest() -> None:
    pending: Pending = ()
    for number in range(1, OFFERED + 4):
        pending = appended(pending, entry(number, since=BEFORE_MIDNIGHT + timedelta(seconds=10 * number - 10)))
    last = pending[-1]
    assert (last.seq, last.charges, len(pending)) == (OFFERED + 3, (), OFFERED + 1)
    assert {(row.day, row.meter): row.amount for row in last.amounts} == {
        ("2026-12-01", "vcpu"): 60_000,
        ("2026-12-01", "instance"): 30_000,
    }
    assert total(pending)[BEFORE_MIDNIGHT.date(), Line("vcpu", "small", "Running")] == 20_000


def test_an_entry_over_the_edge_of_a_month_has_a_part_in_each() -> None:
    over = entry(1, since=BEFORE_MIDNIGHT, seconds=30)
    assert months_of(over) == ["2026-11", "2026-12"]
    vcpu = Line("vcpu", "small", "Running")
    parts = {month: {line: n for (_, line), n in part_of(over, month).items()}[vcpu] for month in months_of(over)}
    assert parts == {"2026-11": 20_000, "2026-12": 40_000}


# The intervals of volumes and networks


def test_what_is_charged_goes_on_until_it_changes_and_the_next_interval_begins_where_it_ended() -> None:
    first = charged(None, later(0), "Provisioned", DISK)
    assert charged(first, later(5), "Provisioned", DISK) is first
    grown = charged(first, later(10), "Provisioned", LARGER)
    assert grown is not None
    assert grown.open is not None
    assert (grown.open.seq, grown.open.since, grown.open.charges) == (2, later(10), LARGER)
    (closed,) = grown.pending
    assert (closed.seq, closed.since, closed.until) == (1, later(0), later(10))


def test_nothing_to_charge_opens_nothing_and_closes_what_is_open() -> None:
    assert charged(None, later(0), "Allocated", ()) is None
    none = charged(charged(None, later(0), "Allocated", DISK), later(10), "Allocated", ())
    assert none is not None
    assert (none.open, none.through_seq, len(none.pending)) == (None, 1, 1)
    assert ended(none, later(20)) is none


@pytest.mark.parametrize("seconds", [-60, 0])
def test_a_clock_that_steps_back_gives_an_empty_interval_and_no_overlap(seconds: float) -> None:
    changed = charged(charged(None, later(0), "Provisioned", DISK), later(seconds), "Provisioned", LARGER)
    assert isinstance(changed, MeteredUsage)
    assert changed.open is not None
    assert (changed.pending, changed.open.since) == ((), later(0))
