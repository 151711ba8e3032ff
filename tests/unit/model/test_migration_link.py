"""Sharing of links: max-min fairness by its defining properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.migration import Link, max_min_fair

RESOURCES = ("out-a", "out-b", "in-a", "in-b", "uplink")
capacities = st.fixed_dictionaries({name: st.floats(1, 1e10) for name in RESOURCES})
flow_lists = st.lists(st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=4).map(tuple), max_size=12)


@pytest.mark.parametrize(
    ("capacity", "flows", "rates"),
    [
        pytest.param({"a": 10.0}, [], [], id="none"),
        pytest.param({"a": 10.0}, [("a",)], [10.0], id="alone"),
        pytest.param({"a": 9.0}, [("a",)] * 3, [3.0, 3.0, 3.0], id="equal"),
        pytest.param({"a": 10.0, "b": 2.0}, [("a", "b"), ("a",)], [2.0, 8.0], id="rest-goes-to-the-other"),
        pytest.param({"x": 1.0, "y": 2.0}, [("x",), ("x", "y"), ("y",)], [0.5, 0.5, 1.5], id="textbook-parking-lot"),
        pytest.param({"a": 0.0, "b": 5.0}, [("a",), ("b",)], [0.0, 5.0], id="dead-link"),
        pytest.param({"a": 6.0}, [("a", "a"), ("a",)], [3.0, 3.0], id="a-resource-named-twice-counts-once"),
    ],
)
def test_shares_follow_progressive_filling(
    capacity: dict[str, float], flows: list[tuple[str, ...]], rates: list[float]
) -> None:
    assert max_min_fair(capacity, flows) == pytest.approx(rates)


@given(capacities, flow_lists)
def test_no_resource_is_above_its_capacity_and_every_flow_has_a_bottleneck(
    capacity: dict[str, float], flows: list[tuple[str, ...]]
) -> None:
    """A flow's bottleneck is full, and no flow gets more there: so shares are also work-conserving."""
    rates = max_min_fair(capacity, flows)
    crossing = {name: [rate for rate, flow in zip(rates, flows, strict=True) if name in flow] for name in capacity}
    for name, shares in crossing.items():
        assert sum(shares) <= capacity[name] * (1 + 1e-9)
    for rate, flow in zip(rates, flows, strict=True):
        assert rate >= 0
        assert any(
            sum(crossing[name]) >= capacity[name] * (1 - 1e-9) and rate >= max(crossing[name]) * (1 - 1e-9)
            for name in flow
        )


@given(capacities, flow_lists.filter(bool))
def test_equal_flows_get_equal_shares(capacity: dict[str, float], flows: list[tuple[str, ...]]) -> None:
    first, *_, last = max_min_fair(capacity, [*flows, flows[0]])
    assert first == last


def test_a_flow_that_crosses_nothing_has_no_rate() -> None:
    with pytest.raises(ValueError, match="at least one"):
        max_min_fair({"a": 1.0}, [()])


def test_a_flow_over_an_unknown_resource_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        max_min_fair({"a": 1.0}, [("b",)])


@pytest.mark.parametrize(("bandwidth", "line", "rtt"), [(2.0, 1.0, 0.0), (-1.0, 1.0, 0.0), (1.0, 1.0, -1.0)])
def test_an_impossible_link_is_refused(bandwidth: float, line: float, rtt: float) -> None:
    with pytest.raises(ValueError, match="must not be"):
        Link(bandwidth, line, rtt)
