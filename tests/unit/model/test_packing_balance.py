"""Balance: hosts loaded alike."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packing_cases import asked, rules, snapshot, snapshots

from drover.model.packing import Move, Snapshot, balance, variation


def plainly(fleet: Snapshot) -> float:
    """The coefficient of variation by the book."""
    loads = [
        max(used / max(amount, 1) for used, amount in zip(row, capacity, strict=True))
        for row, capacity in zip(fleet.used().tolist(), fleet.capacity.tolist(), strict=True)
    ]
    return statistics.pstdev(loads) / statistics.fmean(loads) if any(loads) else 0.0


@given(snapshots())
def test_the_variation_is_that_of_the_larger_fraction_in_use(fleet: Snapshot) -> None:
    assert variation(fleet) == pytest.approx(plainly(fleet), abs=1e-6)


@given(st.data(), st.integers(0, 10), st.sampled_from([0.001, 0.05, 0.3]))
def test_each_move_helps_by_the_least_gain_and_fits_and_nobody_moves_twice(
    data: st.DataObject, budget: int, least_gain: float
) -> None:
    fleet = data.draw(snapshots())
    may = data.draw(rules(fleet))
    moves = balance(fleet, budget, allowed=asked(may), least_gain=least_gain)
    assert len(moves) <= budget
    assert len({move.vm for move in moves}) == len(moves)
    for move in moves:
        after = fleet.after([move])
        assert may[move.vm, move.target]
        assert (after.used()[move.target] <= after.capacity[move.target]).all()
        assert plainly(after) <= plainly(fleet) - least_gain + 1e-9
        fleet = after


@pytest.mark.parametrize(
    ("hosts", "budget", "expected"),
    [
        ([[(1,)] * 4, []], 9, [Move(0, 0, 1), Move(1, 0, 1)]),
        ([[(1,)] * 4, []], 1, [Move(0, 0, 1)]),
        ([[(1,)] * 4, []], 0, []),
        ([[(1,)] * 2, [(2,)]], 9, []),
        ([[(3,), (1,)], [(2,)]], 9, [Move(1, 0, 1)]),
        ([[], []], 9, []),
    ],
    ids=["half goes", "within the budget", "no budget", "even already", "the one that evens out", "nobody there"],
)
def test_the_best_move_off_the_most_loaded_host_comes_first(
    hosts: list[list[tuple[int]]], budget: int, expected: list[Move]
) -> None:
    assert [*balance(snapshot([[8], [8]], *hosts), budget)] == expected


def test_where_nothing_may_leave_the_most_loaded_host_the_next_one_helps() -> None:
    fleet = snapshot([[8]] * 3, [(8,)], [(3,), (3,)], [])
    assert balance(fleet, 9, allowed=lambda vm, hosts: np.full(len(hosts), vm > 0)) == (Move(1, 1, 2),)


def test_a_gain_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="least_gain must be above 0, not 0"):
        balance(snapshot([[8]], []), 1, least_gain=0)
