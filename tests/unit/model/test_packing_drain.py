"""Consolidation by greedy drain and exchange."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packing_cases import asked, carry_out, rules, snapshot, snapshots

from drover.model.packing import Move, Snapshot, drain

AZURE_LIKE = [(1, 7), (2, 14), (4, 28), (8, 56), (2, 56), (8, 224)]
SHARES = [0.43, 0.26, 0.19, 0.06, 0.02, 0.04]


@given(st.data(), st.integers(0, 30), st.booleans())
def test_moves_hold_one_after_another_within_the_budget_and_never_leave_more_hosts(
    data: st.DataObject, budget: int, exchange: bool
) -> None:
    fleet = data.draw(snapshots())
    may = data.draw(rules(fleet))
    moves = drain(fleet, budget, allowed=asked(may), exchange=exchange)
    after = carry_out(fleet, moves, may)
    assert len(moves) <= budget
    assert set(after.host.tolist()) <= set(fleet.host.tolist())
    assert (after.hosts_in_use() < fleet.hosts_in_use()) == bool(moves)
    assert drain(fleet, budget, allowed=asked(may), exchange=exchange) == moves


@given(snapshots(), st.integers(0, 30))
def test_without_exchange_whoever_gives_a_machine_away_gives_all_of_them(fleet: Snapshot, budget: int) -> None:
    moves = drain(fleet, budget, exchange=False)
    assert {move.source for move in moves}.isdisjoint(fleet.after(moves).host.tolist())
    assert len({move.vm for move in moves}) == len(moves)


@given(snapshots(alike=True))
def test_exchange_never_ends_with_more_hosts_than_without(fleet: Snapshot) -> None:
    directly, with_exchange = (drain(fleet, 1_000, exchange=exchange) for exchange in (False, True))
    assert fleet.after(with_exchange).hosts_in_use() <= fleet.after(directly).hosts_in_use()


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (0, []),
        (1, [Move(6, 2, 1)]),
        (2, [Move(6, 2, 1)]),
        (3, [Move(6, 2, 1)]),
        (4, [Move(5, 1, 0), Move(4, 1, 0), Move(6, 2, 0)]),
    ],
)
def test_the_host_with_fewest_machines_is_emptied_first_into_the_fullest(budget: int, expected: list[Move]) -> None:
    fleet = snapshot([[10]] * 3, [(1,), (1,), (1,), (1,)], [(2,), (3,)], [(1,)])
    assert [*drain(fleet, budget)] == expected


def test_a_pinned_machine_keeps_its_host_and_the_others_stay_with_it() -> None:
    fleet = snapshot([[10]] * 2, [(1,), (1,)], [(1,), (1,), (1,)])
    pinned = np.array([False, True, True, True, True])
    moves = drain(fleet, 9, allowed=lambda vm, hosts: np.full(len(hosts), not pinned[vm]))
    assert moves == ()
    freed = drain(fleet, 9, allowed=lambda _, hosts: hosts == 1)
    assert {move.vm for move in freed} == {0, 1}


def test_an_exchange_joins_cpu_stranded_on_one_host_with_memory_stranded_on_another() -> None:
    """Hosts 0 and 1 have half their CPU and half their memory free, and still no room for anything of both."""
    fleet = snapshot([[8, 8]] * 4, [(2, 4), (2, 4)], [(2, 1)] * 4, [(1, 1)], [(1, 1), (2, 2)])
    directly = drain(fleet, 99, exchange=False)
    assert directly == (Move(6, 2, 3),)
    moves = drain(fleet, 99)
    assert carry_out(fleet, moves).hosts_in_use() == 2
    assert len(drain(fleet, 7)) == 7
    assert drain(fleet, 6) == directly


def aged(seed: int, hosts: int = 250) -> Snapshot:
    """Hosts of 64 vCPUs and 128 GiB (in quarters) filled by first fit, of which a tenth of the machines have left."""
    random = np.random.default_rng(seed)
    room = np.tile([64, 512], (hosts, 1))
    sizes, where = [], []
    while (room[-1] == [64, 512]).all():
        size = AZURE_LIKE[random.choice(len(AZURE_LIKE), p=SHARES)]
        sizes.append(size)
        where.append(int((room >= size).all(axis=1).argmax()))
        room[where[-1]] -= size
    left = np.flatnonzero(random.random(len(sizes)) < 0.9)
    return Snapshot(np.tile([64, 512], (hosts, 1)), np.array(sizes)[left], np.array(where)[left])


@pytest.mark.parametrize("seed", range(3))
def test_a_fleet_that_aged_ends_within_1_percent_of_the_proven_bound(seed: int) -> None:
    pytest.importorskip("scipy", reason="the extra 'trace' is not installed")
    from drover.model.packing.patterns import optimum

    fleet = aged(seed)
    bound = optimum(Counter(map(tuple, fleet.sizes.tolist())), (64, 512)).bound
    directly = fleet.after(drain(fleet, 10_000, exchange=False)).hosts_in_use()
    hosts = carry_out(fleet, drain(fleet, 10_000)).hosts_in_use()
    assert bound <= hosts <= 1.01 * bound < directly


@pytest.mark.parametrize(("budget", "emptied_by_exchange"), [(10, False), (40, False), (100, True), (1_000, True)])
def test_exchanges_keep_to_the_budget_and_to_placement_rules(budget: int, emptied_by_exchange: bool) -> None:
    fleet = aged(3, hosts=60)
    may = np.random.default_rng(0).random((len(fleet.host), 60)) < 0.8
    moves = drain(fleet, budget, allowed=asked(may))
    directly = fleet.after(drain(fleet, budget, allowed=asked(may), exchange=False)).hosts_in_use()
    assert len(moves) <= budget
    assert (carry_out(fleet, moves, may).hosts_in_use() < directly) == emptied_by_exchange
