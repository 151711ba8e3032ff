"""Consolidation bettered by CP-SAT."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packing_cases import asked, carry_out, rules, snapshot, snapshots

from drover.model.packing import Snapshot, drain
from drover.model.packing.fleet import Fleet

pytest.importorskip("ortools", reason="the extra 'optimize' is not installed")

from drover.model.packing.improve import improve
from drover.model.packing.repack import repack


@settings(max_examples=20)
@given(st.data(), st.integers(0, 12))
def test_it_is_never_worse_than_the_greedy_drain_and_keeps_to_the_budget_and_the_rules(
    data: st.DataObject, budget: int
) -> None:
    fleet = data.draw(snapshots())
    may = data.draw(rules(fleet))
    moves = improve(fleet, budget, allowed=asked(may), rounds=2)
    greedy = drain(fleet, budget, allowed=asked(may))
    assert len(moves) <= budget
    better = carry_out(fleet, moves, may).hosts_in_use(), len(moves)
    assert better <= (fleet.after(greedy).hosts_in_use(), len(greedy))
    assert improve(fleet, budget, allowed=asked(may), rounds=2) == moves


def test_it_empties_a_host_by_fewer_moves_than_an_exchange_takes() -> None:
    """The two hosts that are half stranded take what is on the others, once two of their machines change places."""
    fleet = snapshot([[8, 8]] * 4, [(2, 4), (2, 4)], [(2, 1)] * 4, [(1, 1)], [(1, 1), (2, 2)])
    greedy = drain(fleet, 99)
    moves = improve(fleet, 99)
    assert carry_out(fleet, moves).hosts_in_use() == fleet.after(greedy).hosts_in_use() == 2
    assert len(moves) < len(greedy)


@settings(max_examples=30)
@given(st.data(), st.integers(0, 6))
def test_a_few_hosts_are_packed_as_well_as_trying_everything_finds(data: st.DataObject, budget: int) -> None:
    fleet = data.draw(snapshots().filter(lambda f: len(f.capacity) <= 3 and len(f.host) <= 7))
    may = data.draw(rules(fleet))
    hosts = np.unique(fleet.host)
    if not len(hosts) or (fleet.used() > fleet.capacity).any():
        return
    targets = repack(Fleet(fleet, asked(may)), hosts, budget, effort=10, seed=0)
    after = fleet.host.copy()
    after[list(targets)] = list(targets.values())
    packed = Snapshot(fleet.capacity, fleet.sizes, after)
    assert (packed.used() <= packed.capacity).all()
    assert (packed.hosts_in_use(), len(targets)) == best_by_trying(fleet, budget, may)


def best_by_trying(fleet: Snapshot, budget: int, may: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """(hosts in use, moves) over every way to spread the machines over the hosts in use."""
    found = fleet.hosts_in_use(), 0
    for choice in product(set(fleet.host.tolist()), repeat=len(fleet.host)):
        other = Snapshot(fleet.capacity, fleet.sizes, np.array(choice))
        moved = np.flatnonzero(other.host != fleet.host)
        if len(moved) <= budget and may[moved, other.host[moved]].all() and (other.used() <= other.capacity).all():
            found = min(found, (other.hosts_in_use(), len(moved)))
    return found
