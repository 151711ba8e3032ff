"""NUMA cells: which of them a guest is given."""

from __future__ import annotations

from fractions import Fraction

import pytest

from drover.model.placement import Claim, HostRow, Ledger, Placed, Ratios, Refused, Request, Resources, decide
from drover.model.placement.cells import choose, times
from drover.model.placement.claims import CellLoad, CellLoads, cell_loads, share

FREE = CellLoad()
HOST = HostRow("h1", "p1", Resources(8_000, 40, 100), cells=2)
"""Two cells of 4 threads and 20 of memory."""


@pytest.mark.parametrize(
    ("loads", "size", "numa_nodes", "expected"),
    [
        ((), Resources(9_000, 50), 0, ()),
        ((), Resources(4_000, 20), 1, (0,)),
        ((), Resources(4_001, 1), 1, None),
        ((), Resources(1, 21), 1, None),
        ((), Resources(8_000, 40), 2, (0, 1)),
        ((), Resources(8_001, 1), 2, None),
        ((), Resources(1_000, 1), 3, None),
        ((FREE, CellLoad(1_000, 0, 1)), Resources(3_000, 1), 1, (1,)),
        ((FREE, CellLoad(1_000, 0, 1)), Resources(3_001, 1), 1, (0,)),
        ((FREE, CellLoad(1_000, 0, 1)), Resources(6_001, 1), 2, None),
        ((CellLoad(1_000, 0, 1), CellLoad(1_000, 0, 5)), Resources(1_000, 1), 1, (1,)),
        ((CellLoad(0, 3_000, 0), CellLoad(2_000, 0, 0)), Resources(1_000, 1), 1, (0,)),
        ((CellLoad(0, 3_000, 0), CellLoad(2_000, 0, 0)), Resources(milli_threads=2_000), 1, (1,)),
    ],
    ids=[
        "no policy floats",
        "the first of equal ones",
        "more vCPUs than one has",
        "more memory than one has",
        "half from each of two",
        "more than half from each",
        "more cells than there are",
        "the fuller one that fits",
        "the emptier one where only that fits",
        "both must fit",
        "the one with more memory taken",
        "whole threads make it fuller",
        "whole threads are taken from what is left",
    ],
)
def test_a_guest_gets_the_fullest_cells_that_fit(
    loads: CellLoads, size: Resources, numa_nodes: int, expected: tuple[int, ...] | None
) -> None:
    assert choose(HOST.shape, loads, size, numa_nodes) == expected


def test_of_four_cells_the_two_fullest_are_given_in_ascending_order() -> None:
    shape = HostRow("h1", "p1", Resources(16_000, 80), cells=4).shape
    loads = (CellLoad(1_000), FREE, CellLoad(4_000), CellLoad(2_000))
    assert choose(shape, loads, Resources(4_000, 4), 2) == (0, 3)


def test_cells_are_overcommitted_as_their_host_is_but_for_whole_threads() -> None:
    shape = HostRow("h1", "p1", Resources(8_000, 40), ratios=Ratios(Fraction(3, 2), Fraction(2)), cells=2).shape
    assert choose(shape, (), Resources(6_000, 40), 1) == (0,)
    assert choose(shape, (), Resources(6_001, 40), 1) is None
    assert choose(shape, (CellLoad(milli_threads=3_000), CellLoad(1)), Resources(6_000), 1) is None
    assert choose(shape, (CellLoad(milli_threads=3_000), CellLoad(1)), Resources(1_500), 1) == (0,)


def test_a_host_that_has_lost_a_cell_gives_none_of_it() -> None:
    row = HostRow("h1", "p1", Resources(8_000, 40), cells=1)
    assert choose(row.shape, (FREE, CellLoad(1_000, 0, 1)), Resources(1_000, 1), 1) == (0,)


def test_parts_are_rounded_up() -> None:
    assert share(Resources(3_001, 5, milli_threads=1), 2) == CellLoad(1_501, 1, 3)
    claims = [Claim(Resources(3_001, 5), (0, 2)), Claim(Resources(1_000, 1), (2,)), Claim(Resources(7_000, 9))]
    assert cell_loads(claims) == (CellLoad(1_501, 0, 3), FREE, CellLoad(2_501, 0, 4))


@pytest.mark.parametrize(
    ("loads", "size", "numa_nodes", "expected"),
    [
        ((), Resources(1_000, 3), 1, 8),
        ((), Resources(1_000, 5), 1, 8),
        ((), Resources(1_000, 6), 1, 6),
        ((CellLoad(2_000),), Resources(1_500, 1), 1, 3),
        ((CellLoad(2_000),), Resources(2_000, 2), 2, 2),
        ((), Resources(9_000, 2), 2, 0),
    ],
)
def test_how_often_a_guest_fits_is_counted_cell_by_cell(
    loads: CellLoads, size: Resources, numa_nodes: int, expected: int
) -> None:
    assert times(HOST.shape, loads, size, numa_nodes) == expected


def test_a_guest_bound_to_a_cell_goes_where_one_has_room_and_says_which() -> None:
    ledger = Ledger()
    ledger.upsert(HOST)
    request = Request(Resources(3_000, 5), numa_nodes=1)
    for expected in ((0,), (1,)):
        decision = decide(ledger, request)
        assert isinstance(decision, Placed)
        assert decision.cells == expected
        ledger.set_claims(expected, {(f"u{expected}", "h1"): request.claim(decision.cells)})
    refused = decide(ledger, Request(Resources(2_000, 5), numa_nodes=1))
    assert isinstance(refused, Refused)
    assert refused.message == "0/1 hosts available: 1 without a NUMA cell that has room"
    assert isinstance(decide(ledger, Request(Resources(2_000, 5))), Placed), "floating, it takes what both have left"


def test_contributors_that_name_different_cells_hold_each_in_full() -> None:
    ledger = Ledger()
    ledger.upsert(HOST)
    size = Resources(4_000, 10)
    ledger.set_claims("observed", {("u1", "h1"): Claim(size, (0,))})
    ledger.set_claims("assumed", {("u1", "h1"): Claim(size, (1,))})
    assert ledger.allocated("h1") == size
    assert isinstance(decide(ledger, Request(Resources(1_000, 1), numa_nodes=1)), Refused)
    ledger.set_claims("observed", {})
    assert ledger.claims_on("h1") == {"u1": Claim(size, (1,))}
    decision = decide(ledger, Request(Resources(4_000, 1), numa_nodes=1))
    assert isinstance(decision, Placed)
    assert decision.cells == (0,)
