"""What pools hold back so that host failures can be survived."""

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
    Refused,
    Request,
    Reserve,
    Resources,
    decide,
)

MEMORY = {"h1": 100, "h2": 100, "h3": 60}
"""260 in all; the largest host has 100, the two largest 200."""


def pool(used: int, reserve: Reserve, **changes: object) -> Ledger:
    """Three hosts, so much memory of h1 taken, and another pool that holds nothing back."""
    ledger = Ledger()
    for name, memory in MEMORY.items():
        ledger.upsert(replace(HostRow(name, "p1", Resources(8_000, memory)), **changes))  # type: ignore[arg-type]
    ledger.set_claims("there", {("u1", "h1"): Claim(Resources(memory=used))})
    ledger.reserves["p1"] = reserve
    return ledger


@pytest.mark.parametrize(
    ("used", "need", "reserve", "fits"),
    [
        (100, 60, Reserve(1), True),
        (100, 61, Reserve(1), False),
        (0, 60, Reserve(2), True),
        (0, 61, Reserve(2), False),
        (0, 1, Reserve(3), False),
        (0, 1, Reserve(9), False),
        (100, 82, Reserve(percent=30), True),
        (100, 83, Reserve(percent=30), False),
        (100, 77, Reserve(percent=32), False),
        (100, 76, Reserve(percent=32), True),
        (100, 100, Reserve(), True),
    ],
    ids=[
        "to the last byte that is not held back",
        "one more",
        "two failures hold back the two largest",
        "one more than that",
        "as many as there are hosts hold back all",
        "more than there are, too",
        "a share",
        "one more than the share leaves",
        "83.2 is held back as 84",
        "and no more",
        "nothing is held back",
    ],
)
def test_a_request_may_not_take_what_is_held_back(used: int, need: int, reserve: Reserve, fits: bool) -> None:
    ledger, request = pool(used, reserve), Request(Resources(1_000, need))
    assert isinstance(decide(ledger, request), Placed) is fits
    assert isinstance(decide(ledger, replace(request, unreserved=True)), Placed)


def test_the_refusal_says_what_is_held_back() -> None:
    refused = decide(pool(150, Reserve(1)), Request(Resources(1_000, 50), exclude=frozenset({"h1"})))
    assert isinstance(refused, Refused)
    assert refused.reason == "FailoverCapacityWouldBeLost"
    assert refused.message == ("0/3 hosts available: 2 held back for failover (1 host failure), 1 excluded")
    assert [str(reserve) for reserve in (Reserve(2), Reserve(percent=25))] == [
        "held back for failover (2 host failures)",
        "held back for failover (25 % of the pool)",
    ]


def test_other_pools_are_left_alone() -> None:
    ledger, request = pool(150, Reserve(1)), Request(Resources(1_000, 50))
    ledger.upsert(HostRow("other", "p2", Resources(8_000, 50)))
    decision = decide(ledger, request)
    assert isinstance(decision, Placed)
    assert (decision.host, decision.feasible, decision.evaluated) == ("other", 1, 4)


def test_hosts_that_take_nothing_new_neither_count_nor_are_held_back() -> None:
    """Without h2 there are 160, of which 100 are held back."""
    ledger = pool(0, Reserve(1))
    ledger.upsert(replace(ledger.table.known["h2"], blocked="cordoned"))
    assert isinstance(decide(ledger, Request(Resources(1_000, 60))), Placed)
    assert isinstance(decide(ledger, Request(Resources(1_000, 61))), Refused)


@pytest.mark.parametrize(
    ("size", "fits"),
    [
        (Resources(63_000), True),
        (Resources(63_001), False),
        (Resources(milli_threads=15_750), True),
        (Resources(milli_threads=15_751), False),
        (Resources(), True),
    ],
)
def test_cpu_is_held_back_in_vcpus_and_whole_threads_take_as_many_as_could_be_promised(
    size: Resources, fits: bool
) -> None:
    """Three hosts of 64 vCPUs on 16 threads: of 192, 64 are held back and 65 are taken."""
    ledger = pool(0, Reserve(1), total=Resources(16_000, 100), ratios=Ratios(Fraction(4)))
    ledger.set_claims("more", {("u2", "h1"): Claim(Resources(64_000)), ("u3", "h2"): Claim(Resources(1_000))})
    assert isinstance(decide(ledger, Request(size, vcpus=4)), Placed) is fits


def test_where_what_is_in_use_leaves_too_little_already_only_what_takes_nothing_fits() -> None:
    ledger = pool(100, Reserve(2))
    assert isinstance(decide(ledger, Request(Resources(1_000, 1))), Refused)
    assert isinstance(decide(ledger, Request(Resources(1_000))), Placed)
