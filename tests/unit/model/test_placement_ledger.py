"""The capacity ledger."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from drover.model.placement import NO_RESOURCES, Claim, HostRow, Ledger, Ratios, Request, Reserve, Resources, decide
from drover.model.placement.claims import Pair

GIB = 2**30


def host(name: str = "h1", **changes: object) -> HostRow:
    return replace(HostRow(name, "p1", Resources(8_000, 32 * GIB, 100 * GIB, 1_000)), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (host(), Resources(8_000, 32 * GIB, 100 * GIB, 1_000)),
        (host(reserved=Resources(500, GIB)), Resources(7_500, 31 * GIB, 100 * GIB, 1_000)),
        (
            host(reserved=Resources(0, GIB), ratios=Ratios(Fraction(4), Fraction(3, 2), Fraction("0.333333"))),
            Resources(32_000, 31 * GIB * 3 // 2, 100 * GIB * 333_333 // 1_000_000, 1_000),
        ),
        (host(reserved=Resources(9_000, 33 * GIB, 0, 2_000)), Resources(0, 0, 100 * GIB, 0)),
    ],
    ids=["all of it", "less what is reserved", "times the ratio, rounded down", "never below zero"],
)
def test_allocatable_is_total_less_reserved_times_ratio(row: HostRow, expected: Resources) -> None:
    ledger = Ledger()
    ledger.upsert(row)
    assert ledger.allocatable("h1") == expected


def test_a_pair_that_several_contributors_claim_is_charged_once_at_the_maximum() -> None:
    ledger = Ledger()
    ledger.upsert(host())
    ledger.set_claims("observed", {("u1", "h1"): Claim(Resources(1_000, 4 * GIB))})
    ledger.set_claims(
        "migration", {("u1", "h1"): Claim(Resources(2_000, 3 * GIB)), ("u2", "h1"): Claim(Resources(500))}
    )
    assert ledger.allocated("h1") == Resources(2_500, 4 * GIB)
    assert ledger.claims_on("h1") == {"u1": Claim(Resources(2_000, 4 * GIB)), "u2": Claim(Resources(500))}
    ledger.set_claims("migration", {})
    assert ledger.allocated("h1") == Resources(1_000, 4 * GIB)
    ledger.set_claims("observed", {})
    assert ledger.allocated("h1") == NO_RESOURCES
    assert ledger.claims_on("h1") == {}


def test_claims_wait_for_their_host_and_outlive_it() -> None:
    ledger = Ledger()
    ledger.set_claims("vm", {("u1", "h1"): Claim(Resources(8_000))})
    ledger.upsert(host())
    assert decide(ledger, Request(Resources(1))).rejections == {"insufficient cpu": 1}  # type: ignore[union-attr]
    ledger.remove("h1")
    assert (len(ledger), ledger.allocated("h1"), ledger.allocatable("h1")) == (
        0,
        Resources(8_000),
        NO_RESOURCES,
    )
    ledger.upsert(host(total=Resources(16_000)))
    assert decide(ledger, Request(Resources(8_000))).host == "h1"  # type: ignore[union-attr]


def test_a_host_that_shrank_below_its_claims_is_overcommitted_and_says_in_what() -> None:
    ledger = Ledger()
    for name in ("p1-10", "p1-9", "p1-1"):
        ledger.upsert(host(name))
        ledger.set_claims(name, {("u1", name): Claim(Resources(8_000, 8 * GIB, 0, 900))})
    assert ledger.overcommitted() == []
    ledger.upsert(host("p1-10", total=Resources(7_999, 8 * GIB, 0, 899)))
    ledger.upsert(host("p1-9", total=Resources(8_000, 8 * GIB - 1, 0, 900)))
    assert ledger.overcommitted() == [("p1-9", ("memory",)), ("p1-10", ("cpu", "network"))]


def test_amounts_beyond_64_bits_are_held_without_overflow() -> None:
    ledger = Ledger()
    ledger.upsert(host(total=Resources(2**80, 2**80)))
    ledger.set_claims("vm", {("u1", "h1"): Claim(Resources(2**81))})
    assert ledger.overcommitted() == [("h1", ("cpu",))]
    ledger.set_claims("vm", {})
    assert ledger.allocated("h1") == NO_RESOURCES
    assert decide(ledger, Request(Resources(2**90))).rejections == {"physically too small": 1}  # type: ignore[union-attr]


def test_a_copy_and_its_original_go_their_own_ways() -> None:
    original = Ledger()
    for name in ("h1", "h2"):
        original.upsert(host(name))
    request = Request(Resources(5_000, GIB))
    assert decide(original, request).host == "h1"  # type: ignore[union-attr]
    copy = original.copy()
    copy.set_claims("vm", {("u1", "h1"): Claim(Resources(5_000), (), frozenset({"app"}))})
    original.remove("h1")
    original.reserves["p1"] = Reserve(1)
    assert (len(copy), len(original)) == (2, 1)
    assert decide(copy, request).host == "h2"  # type: ignore[union-attr]
    assert decide(original, request).reason == "FailoverCapacityWouldBeLost"  # type: ignore[union-attr]
    assert (copy.counts("app", "Host"), original.counts("app", "Host")) == ({"h1": 1}, {})


def test_marks_are_counted_by_domain_and_once_for_each_virtual_machine() -> None:
    ledger = Ledger()
    for name, zone, rack in (("h1", "a", "r1"), ("h2", "a", "r2"), ("h3", "b", "r1")):
        ledger.upsert(host(name, failure_domain=zone, rack=rack))
    for side in ("observed", "assumed"):
        ledger.set_claims(side, {("u1", "h1"): marked("app"), ("u2", "h2"): marked("app"), ("u3", "h3"): marked("db")})
    assert ledger.counts("app", "Host") == {"h1": 1, "h2": 1}
    assert ledger.counts("app", "Rack") == {"a/r1": 1, "a/r2": 1}
    assert ledger.counts("app", "FailureDomain") == {"a": 2}
    assert ledger.counts("db", "FailureDomain") == {"b": 1}
    assert ledger.counts("web", "FailureDomain") == {}
    ledger.set_claims("observed", {("u1", "h1"): marked("db"), ("u2", "h3"): marked("app")})
    assert ledger.counts("app", "Rack") == {"a/r1": 1, "a/r2": 1, "b/r1": 1}, "as assumed, and as observed"
    assert ledger.counts("db", "FailureDomain") == {"a": 1, "b": 1}
    ledger.set_claims("assumed", {})
    assert ledger.counts("app", "FailureDomain") == {"b": 1}
    ledger.upsert(host("h3", failure_domain="c"))
    assert ledger.counts("app", "FailureDomain") == {"c": 1}
    ledger.remove("h3")
    assert ledger.counts("app", "FailureDomain") == {}


def test_what_is_withdrawn_is_taken_back_from_all_who_claim_it_and_from_nobody_else() -> None:
    ledger = Ledger()
    ledger.upsert(host())
    pairs: dict[Pair, Claim] = {("u1", "h1"): marked("app"), ("u1", "h2"): marked("app"), ("u2", "h1"): marked("db")}
    ledger.set_claims("observed", pairs)
    ledger.set_claims("assumed", {("u1", "h1"): Claim(Resources(2_000))})
    withdrawn = ledger.withdraw("u1", "h1")
    assert set(ledger.claims_on("h1")) == {"u2"}
    assert set(ledger.claims_on("h2")) == {"u1"}
    assert withdrawn == {"observed": pairs, "assumed": {("u1", "h1"): Claim(Resources(2_000))}}


def marked(mark: str) -> Claim:
    return Claim(Resources(1_000), (), frozenset({mark}))
