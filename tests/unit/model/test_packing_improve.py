"""Consolidation bettered by CP-SAT."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packing_cases import asked, carry_out, rules, snapshot, snapshots

from drover.model.packing import Snapshot, drain
from drover.model.packing.extras import optional
from drover.model.packing.fleet import Fleet

pytest.importorskip("ortools", reason="the extra 'optimize' is not installed")

from drover.model.packing.improve import improve
from drover.model.packing.repack import repack


@settings(deadline=None, max_examples=20)
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


def test_it_finds_with_few_moves_what_the_greedy_drain_needs_more_for() -> None: ...


def best_by_trying(fleet: Snapshot, budget: int) -> tuple[int, int]:
    """(hosts in use, moves) over every assignment of everybody."""
    hosts = range(len(fleet.capacity))
    found = fleet.hosts_in_use(), 0
    for choice in product(hosts, repeat=len(fleet.host)):
        other = Snapshot(fleet.capacity, fleet.sizes, np.array(choice, int))
        moved = int((other.host != fleet.host).sum())
        if moved <= budget and (other.used() <= other.capacity).all():
            found = min(found, (other.hosts_in_use(), moved))
    return found
