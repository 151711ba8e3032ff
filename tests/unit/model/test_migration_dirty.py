"""Dirty curves: their shapes, their limits, and what they refuse."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.migration import Cyclic, Dirtying, Measured, Memory, Uniform

SETS = st.floats(1, 1e7)
RATES = st.floats(0, 1e6)
SECONDS = st.floats(0, 1e4)


@st.composite
def measured_curves(draw: st.DrawFn) -> Measured:
    """Points that grow ever slower, as a concave curve's do."""
    steps = draw(st.lists(st.floats(0.1, 10), min_size=2, max_size=8))
    slopes = sorted(draw(st.lists(st.floats(0, 1e5), min_size=len(steps), max_size=len(steps))), reverse=True)
    points = [(0.0, 0.0)]
    for step, slope in zip(steps, slopes, strict=True):
        points.append((points[-1][0] + step, points[-1][1] + step * slope))
    return Measured(points, points[-1][1] * draw(st.floats(1, 2)))


CURVES = st.builds(Uniform, SETS, RATES) | st.builds(Cyclic, SETS, RATES) | measured_curves()


@given(CURVES, SECONDS, SECONDS)
def test_curves_never_fall_and_end_at_their_working_set(curve: Dirtying, one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert 0 <= curve.pages(early) <= curve.pages(late) * (1 + 1e-9) <= curve.working_set * (1 + 1e-8)


@given(CURVES, SECONDS, SECONDS)
def test_curves_are_concave(curve: Dirtying, one: float, other: float) -> None:
    between = curve.pages((one + other) / 2)
    assert between >= (curve.pages(one) + curve.pages(other)) / 2 - 1e-6 * curve.working_set


@given(SETS, RATES, SECONDS)
def test_cyclic_writes_dirty_at_least_as_much_as_uniform_ones(working_set: float, rate: float, seconds: float) -> None:
    assert Cyclic(working_set, rate).pages(seconds) + 1e-6 >= Uniform(working_set, rate).pages(seconds)


@given(CURVES, SECONDS, st.floats(0, 1), st.floats(0, 1))
def test_what_a_pass_adds_and_what_it_left_fit_the_working_set(
    curve: Dirtying, seconds: float, kept: float, dirty: float
) -> None:
    begun = dirty * curve.working_set
    left = kept * begun
    added = curve.adds(left, seconds, begun)
    assert -1e-9 * curve.working_set <= added <= curve.pages(seconds) + 1e-9 * curve.working_set
    assert left + added <= curve.working_set * (1 + 1e-9)


def test_cyclic_writes_come_back_last_to_what_they_wrote_last() -> None:
    curve = Cyclic(1000, rate=100)
    assert curve.adds(left=200, seconds=5, begun=0) == 500
    assert curve.adds(left=200, seconds=5, begun=1000) == 400
    assert curve.adds(left=200, seconds=9, begun=0) == 800


def test_measured_points_go_on_with_their_first_and_last_slope() -> None:
    curve = Measured([(1, 30), (2, 50), (4, 60)], working_set=66)
    assert curve.pages(0) == 0
    assert curve.pages(0.5) == pytest.approx(20)
    assert curve.pages(3) == pytest.approx(55)
    assert curve.pages(5) == pytest.approx(65)
    assert curve.pages(50) == 66


def test_the_intercept_of_measured_points_is_never_below_zero() -> None:
    assert Measured([(1, 10), (2, 50)], working_set=100).pages(0.5) == pytest.approx(5)


@pytest.mark.parametrize("points", [[(1, 2)], [(1, 2), (1, 3)], [(1, 3), (2, 2)], [(-1, 0), (1, 1)]])
def test_points_that_are_no_curve_are_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="points"):
        Measured(points, 100)


@pytest.mark.parametrize("shape", [Uniform, Cyclic])
def test_negative_figures_are_refused(shape: type[Uniform | Cyclic]) -> None:
    with pytest.raises(ValueError, match="below 0"):
        shape(-1, 5)


def test_memory_refuses_working_sets_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="60 pages do not fit 50"):
        Memory(100, zero_pages=50, dirty=(Cyclic(60, 1),))


def test_a_constant_rate_is_the_limit_of_a_large_working_set() -> None:
    assert math.isclose(Uniform(1e12, 1000).pages(10), 10_000, rel_tol=1e-6)
