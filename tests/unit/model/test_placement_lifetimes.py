"""Hosts that end with their last virtual machine, and requests drawn to those that end when they do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.placement import HostRow, Ledger, Placed, Request, Resources, decide, pick
from drover.model.placement.decide import candidates
from drover.model.placement.lifetimes import HORIZON_SECONDS, Ends, Lease

HOUR = 3600.0
SMALL = Resources(1000, 2**30)
HALF = Resources(4000, 4 * 2**30)


def cloud(*ends: float | None) -> tuple[Ledger, Ends]:
    """Hosts h-0, h-1 ..., each with one small machine that ends then, or empty where that is None."""
    ledger, known = Ledger(), Ends()
    for number, end in enumerate(ends):
        name = f"h-{number}"
        ledger.upsert(HostRow(name, "p", Resources(8000, 8 * 2**30), strategy="Pack"))
        if end is not None:
            ledger.set_claims(name, {(name, name): Request(SMALL).claim()})
            known.add(name, name, end)
    return ledger, known


@pytest.mark.parametrize(
    ("end", "host"),
    [
        (1 * HOUR, "h-0"),
        (9 * HOUR, "h-1"),
        (50 * HOUR, "h-2"),
        (math.inf, "h-2"),
    ],
)
def test_a_request_joins_those_that_end_when_it_does(end: float, host: str) -> None:
    ledger, ends = cloud(1 * HOUR, 10 * HOUR, math.inf, None)
    assert pick(ledger, Request(SMALL, lease=Lease(0, end, ends))) == host
    assert pick(ledger, Request(SMALL)) == "h-0"


def test_prolonging_a_host_costs_ten_times_what_ending_before_it_does() -> None:
    ledger, ends = cloud(2 * HOUR, 4 * HOUR, None)
    preferences = Lease(1 * HOUR, 3 * HOUR, ends).preferences(ledger.table.rows)
    assert preferences == pytest.approx([-math.log(2), -0.1 * math.log(2), -math.log(3)])


def test_an_overdue_host_counts_as_one_that_ends_now() -> None:
    ledger, ends = cloud(2 * HOUR, None)
    overdue, empty = Lease(5 * HOUR, 6 * HOUR, ends).preferences(ledger.table.rows)
    assert overdue == empty == pytest.approx(-math.log(2))


def test_ends_beyond_the_horizon_are_alike() -> None:
    ledger, ends = cloud(HORIZON_SECONDS, math.inf)
    assert not Lease(0, 2 * HORIZON_SECONDS, ends).preferences(ledger.table.rows).any()


def test_a_decision_tells_what_the_lease_is_worth() -> None:
    ledger, ends = cloud(1 * HOUR)
    decision = decide(ledger, Request(SMALL, lease=Lease(0, 2 * HOUR, ends)))
    assert isinstance(decision, Placed)
    assert decision.top[0].parts["preferences"] == pytest.approx(-math.log(2), abs=1e-5)


def test_a_lease_neither_opens_nor_closes_a_host() -> None:
    ledger, ends = cloud(1 * HOUR, math.inf, None)
    for number in range(2):
        ledger.set_claims(number, {(str(number), "h-1"): Request(HALF).claim()})
    fits = np.isfinite(candidates(ledger, Request(HALF)))
    for end in (0.0, 1.0, math.inf):
        leased = candidates(ledger, Request(HALF, lease=Lease(0, end, ends)))
        assert np.isfinite(leased).tolist() == fits.tolist() == [True, False, True]


def test_without_a_lease_scores_are_read_and_not_copied() -> None:
    ledger, _ = cloud(1 * HOUR)
    request = Request(SMALL)
    assert np.shares_memory(candidates(ledger, request), ledger.table.scores.row(request.signature))


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("toggle"), st.integers(0, 9), st.integers(0, 3), st.floats(0, 1e6)),
            st.tuples(st.just("join"), st.integers(0, 3), st.just(0), st.just(0.0)),
            st.tuples(st.just("leave"), st.integers(0, 3), st.just(0), st.just(0.0)),
        ),
        max_size=40,
    )
)
def test_a_host_ends_with_the_last_of_its_machines_whoever_comes_and_goes(
    steps: list[tuple[str, int, int, float]],
) -> None:
    ledger, ends = Ledger(), Ends()
    there: dict[int, tuple[int, float]] = {}
    for step, number, host, end in steps:
        match step:
            case "toggle":
                if number in there:
                    ends.remove(str(number), f"h-{there.pop(number)[0]}")
                else:
                    there[number] = (host, end)
                    ends.add(str(number), f"h-{host}", end)
            case "join":
                ledger.upsert(HostRow(f"h-{number}", "p", Resources(8000, 8 * 2**30)))
            case "leave":
                ledger.remove(f"h-{number}")
        rows = ledger.table.rows
        expected = [
            max((end for host, end in there.values() if f"h-{host}" == row.name), default=-math.inf) for row in rows
        ]
        assert ends.by_slot(rows).tolist() == expected
