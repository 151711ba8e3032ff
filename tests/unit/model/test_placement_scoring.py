"""Scores and their parts, with numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from drover.model.placement import (
    Claim,
    HostRow,
    Ledger,
    Placed,
    Ratios,
    Request,
    Resources,
    Strategy,
    Taint,
    Toleration,
    Weights,
    decide,
)

HOST = HostRow("h1", "p1", Resources(10_000, 100, 1_000, 200))


def placed(row: HostRow, used: Resources, request: Request) -> Placed:
    ledger = Ledger()
    ledger.upsert(row)
    ledger.set_claims("there", {("u1", row.name): Claim(used)})
    decision = decide(ledger, request)
    assert isinstance(decision, Placed)
    return decision


@pytest.mark.parametrize(
    ("strategy", "weights", "used", "need", "expected"),
    [
        # cpu 0.4, memory 0.4: (0.6 + 0.25) / 1.25 and (0.4 + 0.25) / 1.25
        ("Balance", Weights(), Resources(2_000, 10), Resources(2_000, 30), 0.68),
        ("Pack", Weights(), Resources(2_000, 10), Resources(2_000, 30), 0.52),
        # cpu 0.6, memory 0.2: (0.6 + 0.25 x 0.6) / 1.25 and (0.4 + 0.25 x 0.6) / 1.25
        ("Balance", Weights(), Resources(2_000), Resources(4_000, 20), 0.6),
        ("Pack", Weights(), Resources(2_000), Resources(4_000, 20), 0.44),
        # weights 1, 0, 2, 1 of 4; cpu 0.5, memory 0.5, disk 0.25, network 0.75: 0.125 + 0.125 + 0.1875
        ("Pack", Weights(1, 0, 2, 1), Resources(bandwidth=50), Resources(5_000, 50, 250, 100), 0.6875 / 1.25),
        ("Balance", Weights(1, 0, 2, 1), Resources(bandwidth=50), Resources(5_000, 50, 250, 100), 0.8125 / 1.25),
        # only how evenly CPU and memory are used: 0.25 x (1 - 0.3) / 1.25
        ("Balance", Weights(0, 0, 0, 0), Resources(), Resources(5_000, 20), 0.14),
        # an empty host, and a full one
        ("Balance", Weights(), Resources(), Resources(), 1.0),
        ("Pack", Weights(), Resources(9_000, 90), Resources(1_000, 10), 1.0),
    ],
)
def test_a_score_is_the_weighted_use_or_its_contrary_and_how_even_it_is(
    strategy: Strategy, weights: Weights, used: Resources, need: Resources, expected: float
) -> None:
    decision = placed(replace(HOST, strategy=strategy, weights=weights), used, Request(need))
    assert decision.score == pytest.approx(expected, abs=1e-6)
    assert (decision.strategy, decision.weights) == (strategy, weights)


def test_a_score_is_told_in_its_parts() -> None:
    row = replace(HOST, strategy="Pack", weights=Weights(1, 0, 2, 1), taints=(Taint("slow", "", "PreferNoSchedule"),))
    (candidate,) = placed(row, Resources(bandwidth=50), Request(Resources(5_000, 25, 250, 100))).top
    assert candidate.parts == {
        "cpu": pytest.approx(0.125 / 1.25),
        "balance": pytest.approx(0.25 * 0.75 / 1.25),
        "disk": pytest.approx(0.125 / 1.25),
        "network": pytest.approx(0.1875 / 1.25),
        "preferences": pytest.approx(-0.5, abs=1e-6),
    }
    assert candidate.score == pytest.approx((0.4375 + 0.1875) / 1.25 - 0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("ratio", "used", "need", "expected"),
    [
        (4, Resources(), Resources(8_000), 0.2),
        (4, Resources(), Resources(milli_threads=2_000), 0.2),
        (4, Resources(4_000, milli_threads=1_000), Resources(4_000, milli_threads=2_000), 0.5),
        (1, Resources(), Resources(5_000), 0.5),
    ],
)
def test_whole_threads_weigh_as_many_vcpus_as_could_be_promised_on_them(
    ratio: int, used: Resources, need: Resources, expected: float
) -> None:
    row = replace(HOST, ratios=Ratios(Fraction(ratio)), strategy="Pack", weights=Weights(1, 0, 0, 0))
    assert placed(row, used, Request(need)).top[0].parts["cpu"] == pytest.approx(expected / 1.25)


@pytest.mark.parametrize(
    ("taints", "tolerations", "less"),
    [
        ((Taint("slow", "", "PreferNoSchedule"),), (), 0.5),
        ((Taint("slow", "", "PreferNoSchedule"), Taint("old", "yes", "PreferNoSchedule")), (), 1.0),
        ((Taint("slow", "", "PreferNoSchedule"), Taint("old")), (Toleration("old", "Exists"),), 0.5),
        ((Taint("slow", "", "PreferNoSchedule"),), (Toleration("slow", "Exists"),), 0.0),
        ((Taint("slow"),), (Toleration("slow", "Exists"),), 0.0),
    ],
)
def test_each_preferred_taint_that_is_not_tolerated_takes_half_a_point(
    taints: tuple[Taint, ...], tolerations: tuple[Toleration, ...], less: float
) -> None:
    request = Request(Resources(1_000, 10), tolerations=tolerations)
    plain = placed(HOST, Resources(), request).score
    assert placed(replace(HOST, taints=taints), Resources(), request).score == pytest.approx(plain - less, abs=1e-6)
