"""What was predicted before a plan against what was played, over random data centres and plans."""

from __future__ import annotations

from itertools import islice
from statistics import median

import pytest
from drains import Graded, played

PLANS_IN_ONE = 5


def graded(seeds: range) -> list[Graded]:
    return [plan for seed in seeds for plan in played(seed, PLANS_IN_ONE)]


def test_a_plan_takes_about_as_long_as_predicted() -> None:
    plans = list(islice(played(110, 4), 4))
    assert median(plan.error for plan in plans) <= 0.05


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_over_200_plans_the_median_error_is_small_and_the_band_holds_eight_in_ten() -> None:
    plans = graded(range(100, 140))
    assert len(plans) == 200
    assert median(plan.error for plan in plans) <= 0.05
    assert 0.75 <= sum(plan.within for plan in plans) / len(plans) <= 0.90
