"""The proven optimum."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drover.model.packing import resource_bound

pytest.importorskip("scipy", reason="the extra 'trace' is not installed")

from drover.model.packing.columns import Columns
from drover.model.packing.patterns import Optimum, Size, optimum

AZURE = [(1, 3), (1, 7), (1, 8), (2, 14), (2, 16), (2, 56), (4, 28), (4, 32), (4, 112), (8, 56), (8, 64), (8, 224)]
"""vCPUs and quarters of GiB."""
HOST = (64, 512)


def fewest(demands: dict[Size, int], capacity: Size) -> int:
    """By trying everything: the first machine left goes to a new host, with every choice of others."""
    kinds = sorted(demands)

    @cache
    def hosts(left: tuple[int, ...]) -> int:
        if not any(left):
            return 0
        first = next(kind for kind, count in enumerate(left) if count)
        return 1 + min(hosts(rest) for rest in filled(left, capacity, 0) if rest[first] < left[first])

    def filled(left: tuple[int, ...], room: Size, kind: int) -> Iterator[tuple[int, ...]]:
        if kind == len(kinds):
            yield left
            return
        for count in range(left[kind] + 1):
            after = tuple(amount - count * need for amount, need in zip(room, kinds[kind], strict=True))
            if min(after) >= 0:
                yield from filled((*left[:kind], left[kind] - count, *left[kind + 1 :]), after, kind + 1)

    return hosts(tuple(demands[size] for size in kinds))


def packs(found: Optimum, demands: dict[Size, int], capacity: Size) -> bool:
    """Whether the patterns fit and have room for everybody, on as many hosts as said."""
    room = dict.fromkeys(demands, 0)
    for hosts, pattern in found.patterns:
        used = np.array([np.array(size) * count for size, count in pattern.items()]).sum(axis=0)
        if (used > capacity).any():
            return False
        for size, count in pattern.items():
            room[size] += hosts * count
    return found.hosts == sum(hosts for hosts, _ in found.patterns) and all(room[s] >= n for s, n in demands.items())


amounts = st.integers(1, 5)
tiny = st.dictionaries(st.tuples(amounts, amounts), st.integers(1, 4), min_size=1, max_size=3)


@given(tiny, st.tuples(st.integers(5, 9), st.integers(5, 9)))
def test_the_optimum_of_a_tiny_fleet_is_what_trying_everything_finds(demands: dict[Size, int], capacity: Size) -> None:
    found = optimum(demands, capacity)
    assert found.hosts == found.bound == fewest(demands, capacity)
    assert packs(found, demands, capacity)


def large(seed: int) -> dict[Size, int]:
    """Tens, hundreds or thousands of machines of some of the sizes, by seed."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, (30, 300, 3_000)[seed % 3], len(AZURE)) * (random.random(len(AZURE)) < 0.7)
    return {size: count for size, count in zip(AZURE, counts.tolist(), strict=True) if count}


@pytest.mark.parametrize("seed", range(6))
def test_of_a_large_fleet_the_packing_found_has_at_most_one_host_more_than_is_proven(seed: int) -> None:
    demands = large(seed)
    found = optimum(demands, HOST)
    assert packs(found, demands, HOST)
    assert found.bound <= found.hosts <= found.bound + 1
    assert found.lp <= found.bound < found.lp + 1
    sizes = np.repeat([*demands], [*demands.values()], axis=0)
    assert resource_bound(sizes, np.array(HOST)) <= found.bound


@pytest.mark.parametrize("seed", [14, 16])
def test_where_the_patterns_of_the_lp_do_not_reach_its_bound_those_near_them_do(seed: int) -> None:
    demands = large(seed)
    kinds = sorted(demands)
    demand = np.array([demands[size] for size in kinds])
    columns = Columns(np.array(kinds), np.array(HOST), [tuple(row) for row in np.eye(len(kinds), dtype=int).tolist()])
    by_few_patterns, _ = columns.cover(demand, columns.relax(demand).hosts)
    found = optimum(demands, HOST)
    assert found.proven
    assert found.hosts < by_few_patterns.sum()


def test_the_patterns_prove_more_than_resources_do() -> None:
    """Four of these fill half of a host, and a fifth does not fit beside them."""
    found = optimum({(3, 1): 8, (1, 3): 8}, (5, 5))
    assert resource_bound(np.array([(3, 1)] * 8 + [(1, 3)] * 8), np.array([5, 5])) == 7
    assert found == Optimum(8, 8, 8.0, ((8, {(1, 3): 1, (3, 1): 1}),))
    assert found.proven


@settings(max_examples=10)
@given(tiny, st.tuples(st.integers(5, 9), st.integers(5, 9)))
def test_column_generation_ends_at_the_value_of_the_lp_over_all_patterns(
    demands: dict[Size, int], capacity: Size
) -> None:
    kinds = sorted(demands)
    demand = np.array([demands[size] for size in kinds])
    singles = [tuple(row) for row in np.eye(len(kinds), dtype=int).tolist()]
    columns = Columns(np.array(kinds), np.array(capacity), singles)
    relaxation = columns.relax(demand)
    assert relaxation.bound == pytest.approx(optimum(demands, capacity).lp, rel=1e-5)
    assert relaxation.prices @ demand == pytest.approx(relaxation.hosts.sum())
    columns.add_near(relaxation.prices, demand)
    hosts, _ = columns.cover(demand, relaxation.hosts)
    assert (np.array(columns.pool).T @ hosts >= demand).all()
    assert (np.array(columns.pool) @ np.array(kinds) <= capacity).all()
    assert hosts.sum() >= fewest(demands, capacity)


def test_sizes_in_bytes_and_large_units_count_as_what_they_are() -> None:
    gib = 2**30
    demands = {(1_000, 2 * gib): 10, (2_000, 7 * gib): 5, (4_000, 3 * gib): 4}
    exact = {(cpu // 1_000, memory // gib): count for (cpu, memory), count in demands.items()}
    assert optimum(demands, (8_999, 16 * gib - 1)).hosts == optimum(exact, (8, 15)).hosts == fewest(exact, (8, 15))


@pytest.mark.parametrize("demands", [{}, {(1, 1): 0}])
def test_nobody_needs_no_host(demands: dict[Size, int]) -> None:
    assert optimum(demands, (4, 4)) == Optimum(0, 0, 0.0, ())


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((5, 1), r"size \(5, 1\) does not fit a host of capacity \(4, 4\)"),
        ((1,), r"size \(1,\) must have 2 amounts"),
        ((-1, 1), r"size \(-1, 1\) must have 2 amounts, as the capacity has, none below 0"),
    ],
)
def test_a_size_that_fits_no_host_is_refused(size: Size, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        optimum({size: 1}, (4, 4))
