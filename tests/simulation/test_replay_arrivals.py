"""A replay keeps hosts within their capacity, counts host-hours to the second, and migrates within its budget."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from replays import Watched, generated, plain_first_fit, workload

from drover.model.placement.lifetimes import Ends
from drover.sim.replay.arrivals import replay
from drover.sim.replay.policies import POLICIES, compare
from drover.sim.replay.pools import DroverPool, FirstFit, Pool
from drover.sim.replay.workload import Workload, bound

SEEDS = range(4)
POOLS: dict[str, Callable[[Workload], Pool]] = {policy.name: policy.pool for policy in POLICIES}


@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
def test_host_hours_are_exact_and_a_host_left_at_an_instant_is_free_at_it(pool: Callable[[Workload], Pool]) -> None:
    """One host from 0 h, two from 0.5 h to 1.5 h, one until 2 h: the third machine comes when the first has gone."""
    work = workload([(0, 1, 64, 128), (0.5, 1.5, 64, 128), (1, math.inf, 64, 128)], end=2)
    usage = replay(work, pool(work)).usage
    assert usage.host_hours == 3.0
    assert usage.peak == 2
    assert usage.hosts.tolist() == [1, 2, 1, 2, 1]


def test_the_bound_is_the_scarcer_resource_rounded_up_at_each_instant() -> None:
    work = workload([(0, 2, 32, 1), (0, 1, 33, 1), (0.5, math.inf, 1, 128)], end=3)
    assert bound(work).hosts.tolist() == [1, 2, 2, 2, 1]
    assert bound(work).host_hours == 0.5 * 2 + 0.5 * 2 + 1 * 2 + 1 * 1


def test_what_comes_at_the_end_or_goes_before_it_comes_is_left_out() -> None:
    work = workload([(0, 0, 64, 128), (0, 5, 64, 128), (1, 2, 64, 128)], end=1)
    usage = replay(work, FirstFit(work)).usage
    assert (usage.hosts.tolist(), usage.host_hours) == ([1], 1.0)


def test_nothing_at_all_uses_no_hosts() -> None:
    work = workload([], end=1)
    assert replay(work, FirstFit(work), drain_budget=1).usage.host_hours == bound(work).host_hours == 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
def test_hosts_keep_within_their_capacity_and_are_counted_right(pool: Callable[[Workload], Pool], seed: int) -> None:
    work = generated(seed)
    watched = Watched(pool(work), work)
    usage = replay(work, watched).usage
    assert usage.hosts.tolist() == watched.in_use
    assert (usage.hosts >= bound(work).hosts).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_first_fit_is_the_plain_loop(seed: int) -> None:
    work = generated(seed)
    pool = FirstFit(work)
    placed: list[int] = []

    class Noted(Watched):
        def place(self, vm: int, now: float) -> int:
            placed.append(super().place(vm, now))
            return placed[-1]

    replay(work, Noted(pool, work))
    assert placed == list(plain_first_fit(work))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("budget", [0.05, 0.5])
def test_an_hourly_drain_keeps_to_its_budget_and_leaves_fewer_hosts(seed: int, budget: float) -> None:
    work = generated(seed)
    watched = Watched(DroverPool(work, "Pack"), work)
    replayed = replay(work, watched, drain_budget=budget)
    assert replayed.migrations == watched.moves > 0
    hours = np.arange(1, 11) * 3600.0
    live = [((work.comes <= hour) & (work.goes > hour)).sum() for hour in hours + work.comes[0]]
    assert replayed.migrations <= sum(int(budget * there) for there in live)
    assert replayed.usage.host_hours < replay(work, DroverPool(work, "Pack")).usage.host_hours


def test_without_a_budget_nothing_moves() -> None:
    work = generated(0)
    assert replay(work, DroverPool(work, "Pack")).migrations == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_packing_needs_fewer_hosts_than_balancing(seed: int) -> None:
    work = generated(seed, machines=1200)
    pack, balance = (replay(work, DroverPool(work, strategy)).usage.host_hours for strategy in ("Pack", "Balance"))
    assert pack < balance


@pytest.mark.parametrize("seed", SEEDS)
def test_where_lifetimes_are_declared_short_ones_do_not_hold_hosts_for_long_ones(seed: int) -> None:
    """A third stays for hours, two thirds for minutes: unless they are told apart, every host gets some of each."""
    rng = random.Random(seed)
    rows = [(burst / 2, burst / 2 + rng.choice((0.2, 0.2, 12)), 16, 32) for burst in range(20) for _ in range(12)]
    work = workload(rows, end=24)
    pack, leased = (replay(work, DroverPool(work, "Pack", ends)).usage.host_hours for ends in (None, Ends()))
    assert leased < 0.98 * pack


def test_figures_are_percent_of_the_bound_and_of_all_machines() -> None:
    work = workload([(0, 2, 40, 8), (0, 2, 40, 8), (0, 2, 10, 100)], end=2)
    shares: list[tuple[str, float]] = []
    lines = {
        line.policy: line
        for line in compare(work, drain_budget=1, progress=lambda name, share: shares.append((name, share))).figures()
    }
    assert lines["Pack"].host_hours_over_percent == lines["Pack"].peak_over_percent == 0
    assert lines["Pack"].host_hours == 4
    assert [name for name, share in shares if share == 1] == [policy.name for policy in POLICIES] == list(lines)
