"""Orders of moves in which each is feasible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packing_cases import carry_out, rules, snapshot, snapshots

from drover.model.packing import Move, Snapshot
from drover.model.packing.fleet import Fleet
from drover.model.packing.sequence import rearrange, shortened


@st.composite
def walks(draw: st.DrawFn) -> tuple[Snapshot, list[Move]]:
    """A fleet and feasible moves in it, many of them by the same few machines."""
    start = draw(snapshots())
    fleet = Fleet(start)
    steps = st.tuples(st.integers(0, 5), st.integers(0, len(start.capacity) - 1))
    for vm, host in draw(st.lists(steps, max_size=30)):
        if vm < len(start.host) and host != fleet.host[vm] and start.hosts_in_use() and fleet.fits(vm, host):
            fleet.move(vm, host)
    return start, fleet.moves


@given(walks())
def test_a_shorter_sequence_ends_the_same_and_every_move_in_it_is_feasible(walk: tuple[Snapshot, list[Move]]) -> None:
    start, moves = walk
    short = shortened(moves)
    at = start
    for move in short:
        assert move.source != move.target
        at = at.after([move])
        assert (at.used()[move.target] <= at.capacity[move.target]).all()
    assert (at.host == start.after(moves).host).all()
    assert len(short) <= len(moves)


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([(0, 0, 1), (0, 1, 2)], [(0, 0, 2)]),
        ([(0, 0, 1), (0, 1, 0)], []),
        ([(0, 0, 1), (0, 1, 2), (0, 2, 3)], [(0, 0, 3)]),
        ([(0, 0, 1), (5, 4, 3), (0, 1, 2)], [(5, 4, 3), (0, 0, 2)]),
        ([(0, 0, 1), (5, 4, 0), (0, 1, 2)], [(0, 0, 2), (5, 4, 0)]),
        ([(0, 0, 1), (5, 2, 0), (0, 1, 2)], [(0, 0, 1), (5, 2, 0), (0, 1, 2)]),
        ([(0, 0, 1), (5, 1, 2)], [(0, 0, 1), (5, 1, 2)]),
    ],
    ids=[
        "one instead of two",
        "there and back is nothing",
        "one instead of three",
        "late, as nobody needs the room it keeps",
        "early, as somebody takes its place",
        "both, as two change places by way of a third host",
        "others are left alone",
    ],
)
def test_a_machine_that_moves_twice_moves_once_where_that_is_safe(
    moves: list[tuple[int, int, int]], expected: list[tuple[int, int, int]]
) -> None:
    assert shortened([Move(*move) for move in moves]) == tuple(Move(*move) for move in expected)


@given(st.data(), snapshots())
def test_rearranging_reaches_the_targets_or_says_that_it_cannot(data: st.DataObject, start: Snapshot) -> None:
    may = data.draw(rules(start))
    hosts = st.integers(0, len(start.capacity) - 1)
    targets = {vm: host for vm in range(len(start.host)) if may[vm, host := data.draw(hosts)]}
    fleet = Fleet(start, lambda vm, hosts: may[vm, hosts])
    reached = rearrange(fleet, targets)
    at = start
    for move in fleet.moves:
        at = at.after([move])
        assert may[move.vm, move.target]
        assert (at.used()[move.target] <= at.capacity[move.target]).all()
    assert reached == all(at.host[vm] == target for vm, target in targets.items())


def test_two_that_wait_for_each_other_are_untied_by_way_of_a_third_host() -> None:
    start = snapshot([[4], [4], [4]], [(4,)], [(3,)], [(1,)])
    fleet = Fleet(start)
    assert rearrange(fleet, {0: 1, 1: 0})
    assert fleet.moves == [Move(1, 1, 2), Move(0, 0, 1), Move(1, 2, 0)]
    assert carry_out(start, fleet.moves).host.tolist() == [1, 0, 2]


def test_two_that_wait_for_each_other_stay_where_nobody_has_room_for_either() -> None:
    fleet = Fleet(snapshot([[4], [4], [4]], [(4,)], [(3,)], [(2,)]))
    assert not rearrange(fleet, {0: 1, 1: 0})
    assert fleet.moves == []


def test_moves_are_checked_and_undone_to_the_bit() -> None:
    fleet = Fleet(snapshot([[4, 4], [2, 2]], [(1, 3), (1, 1)], [(1, 1)]))
    room, host, vms = fleet.room.copy(), fleet.host.copy(), fleet.vms.copy()
    with pytest.raises(ValueError, match=r"VM 0 of size \[1 3\] does not fit host 1 with \[1 1\]"):
        fleet.move(0, 1)
    fleet.move(1, 1)
    fleet.undo(0)
    assert np.array_equal(fleet.room, room)
    assert np.array_equal(fleet.host, host)
    assert np.array_equal(fleet.vms, vms)
    assert fleet.moves == []
