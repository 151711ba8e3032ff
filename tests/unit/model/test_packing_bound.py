"""Bounds by resources alone, and snapshots that make sense."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packing_cases import snapshot

from drover.model.packing import Move, Snapshot, bound_over_time, resource_bound


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([], 0), ([(1, 1)], 1), ([(4, 1)] * 2, 1), ([(4, 1)] * 2 + [(1, 1)], 2), ([(1, 9), (1, 9), (1, 9)], 3)],
    ids=["nobody", "one", "exactly full", "one more CPU", "memory decides"],
)
def test_the_bound_is_the_scarcest_resource_rounded_up(sizes: list[tuple[int, int]], expected: int) -> None:
    assert resource_bound(np.array(sizes, int).reshape(len(sizes), 2), np.array([8, 10])) == expected


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12), st.randoms())
def test_the_bound_over_time_is_the_bound_of_who_is_there(sizes: list[tuple[int, int]], random: object) -> None:
    """Everybody comes, then everybody goes in another order."""
    capacity = np.array([4, 6])
    leaving = list(range(len(sizes)))
    random.shuffle(leaving)  # type: ignore[attr-defined]
    there: list[set[int]] = [set(range(count + 1)) for count in leaving and range(len(sizes))]
    there += [set(leaving[count + 1 :]) for count in range(len(sizes))]
    amounts = np.array(sizes)
    changes = np.concatenate([amounts, -amounts[leaving]])
    expected = [resource_bound(amounts[sorted(who)], capacity) for who in there]
    assert bound_over_time(changes, capacity).tolist() == expected


def test_a_host_without_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 1 of each resource, not \[4, 0\]"):
        resource_bound(np.ones((1, 2), int), np.array([4, 0]))


@pytest.mark.parametrize(
    ("capacity", "sizes", "host", "message"),
    [
        ([[4, 4]], [[1]], [0], r"\(1, 2\), sizes \(1, 1\) and host \(1,\) do not agree"),
        ([[4]], [[1]], [0, 0], r"sizes \(1, 1\) and host \(2,\) do not agree"),
        ([[-1]], [[1]], [0], "must not be below 0"),
        ([[4]], [[-1]], [0], "must not be below 0"),
        ([[4]], [[1], [1]], [0, 1], r"host must lie in 0\.\.0, not 0\.\.1"),
    ],
)
def test_a_snapshot_that_makes_no_sense_is_refused(
    capacity: Sequence[object], sizes: Sequence[object], host: Sequence[object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Snapshot(np.array(capacity), np.array(sizes), np.array(host))


def test_a_move_from_where_its_machine_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="VM 0 is on host 0, not 1"):
        snapshot([[4], [4]], [(1,)], []).after([Move(0, 1, 0)])
