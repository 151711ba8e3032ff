"""Placement decisions, case by case. ``test_placement_properties`` holds them against a plain search."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from drover.model.placement import (
    Affinity,
    Candidate,
    Claim,
    HostRow,
    Ledger,
    Placed,
    Ratios,
    RefusalReason,
    Refused,
    Request,
    Resources,
    Strategy,
    Taint,
    Toleration,
    Weights,
    decide,
)
from drover.model.placement.hosts import natural_key


def build(*hosts: HostRow) -> Ledger:
    ledger = Ledger()
    for row in hosts:
        ledger.upsert(row)
    return ledger


def fleet(count: int, strategy: Strategy = "Balance", weights: Weights = Weights()) -> Ledger:  # noqa: B008
    total = Resources(10_000, 10_000, 10_000, 1_000)
    return build(*(HostRow(f"p1-{n}", "p1", total, strategy=strategy, weights=weights) for n in range(1, count + 1)))


def claim(ledger: Ledger, host: str, milli_cpu: int = 0, memory: int = 0, disk: int = 0, bandwidth: int = 0) -> None:
    ledger.set_claims(f"on {host}", {(f"on {host}", host): Claim(Resources(milli_cpu, memory, disk, bandwidth))})


def place(ledger: Ledger, need: Resources, times: int) -> list[str]:
    placed = []
    for number in range(times):
        decision = decide(ledger, Request(need))
        assert isinstance(decision, Placed)
        ledger.set_claims(number, {(f"u{number}", decision.host): Claim(need)})
        placed.append(decision.host)
    return placed


def test_balance_goes_round_and_pack_fills_up() -> None:
    need = Resources(2_500, 2_500)
    assert place(fleet(3), need, 4) == ["p1-1", "p1-2", "p1-3", "p1-1"]
    assert place(fleet(3, "Pack"), need, 5) == ["p1-1", "p1-1", "p1-1", "p1-1", "p1-2"]


def test_equal_hosts_go_by_natural_name_order() -> None:
    decision = decide(fleet(24), Request(Resources(1), exclude=frozenset({"p1-1"})))
    assert isinstance(decision, Placed)
    assert [candidate.host for candidate in decision.top] == ["p1-2", "p1-3", "p1-4", "p1-5", "p1-6"]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (Weights(1, 1, 0, 0), "p1-1"),
        (Weights(0, 0, 1, 0), "p1-2"),
        (Weights(0, 0, 1, 4), "p1-1"),
    ],
    ids=["unweighted disk does not count", "disk alone decides", "the heavier weight decides"],
)
def test_weights_say_which_resource_counts(weights: Weights, expected: str) -> None:
    ledger = fleet(2, "Balance", weights)
    claim(ledger, "p1-1", disk=5_000)
    claim(ledger, "p1-2", bandwidth=500)
    decision = decide(ledger, Request(Resources(1, 1)))
    assert isinstance(decision, Placed)
    assert decision.host == expected


@pytest.mark.parametrize("strategy", ["Balance", "Pack"])
def test_between_hosts_of_equal_use_the_one_left_in_balance_wins(strategy: Strategy) -> None:
    ledger = fleet(2, strategy)
    claim(ledger, "p1-1", 4_000, 2_000)
    claim(ledger, "p1-2", 2_000, 4_000)
    decision = decide(ledger, Request(Resources(3_000, 1_000)))
    assert isinstance(decision, Placed)
    assert decision.host == "p1-2"


def test_a_placement_tells_score_and_numbers() -> None:
    ledger = fleet(3)
    claim(ledger, "p1-1", 10_000)
    parts = {"cpu": 0.2, "memory": 0.2, "balance": 0.2}
    assert decide(ledger, Request(Resources(5_000, 5_000), pool="p1")) == Placed(
        host="p1-2",
        cells=(),
        score=0.6,
        strategy="Balance",
        weights=Weights(),
        evaluated=3,
        feasible=2,
        top=(Candidate("p1-2", 0.6, parts), Candidate("p1-3", 0.6, parts)),
    )


def test_a_host_that_was_planned_goes_first_where_it_fits() -> None:
    ledger = fleet(3)
    claim(ledger, "p1-2", 5_000)
    claim(ledger, "p1-3", 10_000)
    for planned, top in (
        ("p1-2", ["p1-2", "p1-1"]),
        ("p1-1", ["p1-1", "p1-2"]),
        ("p1-3", ["p1-1", "p1-2"]),
        ("gone", ["p1-1", "p1-2"]),
        (None, ["p1-1", "p1-2"]),
    ):
        decision = decide(ledger, Request(Resources(1_000, 1)), planned)
        assert isinstance(decision, Placed)
        assert (decision.host, [candidate.host for candidate in decision.top]) == (top[0], top)


@pytest.mark.parametrize(
    ("request_", "fits"),
    [
        (Request(Resources(8_000)), True),
        (Request(Resources(8_001)), False),
        (Request(Resources(memory=10)), True),
        (Request(Resources(memory=11)), False),
        (Request(Resources(disk=20)), True),
        (Request(Resources(disk=21)), False),
        (Request(Resources(milli_threads=2_000), vcpus=8), True),
        (Request(Resources(milli_threads=2_000), vcpus=9), False),
        (Request(Resources(memory=1), vcpus=9), False),
    ],
)
def test_a_virtual_machine_is_never_larger_than_the_physical_host(request_: Request, fits: bool) -> None:
    ratios = Ratios(Fraction(4), Fraction(2), Fraction(2))
    decision = decide(build(HostRow("h1", "p1", Resources(8_000, 10, 20), ratios=ratios)), request_)
    assert isinstance(decision, Placed) if fits else decision.rejections == {"physically too small": 1}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("ratio", "used", "need", "fits"),
    [
        ("4", Resources(24_000), Resources(milli_threads=2_000), True),
        ("4", Resources(24_001), Resources(milli_threads=2_000), False),
        ("4", Resources(milli_threads=7_000), Resources(4_000), True),
        ("4", Resources(milli_threads=7_000), Resources(4_001), False),
        ("4", Resources(milli_threads=7_000), Resources(milli_threads=1_001), False),
        ("1.333333", Resources(), Resources(milli_threads=8_000), True),
        ("1.333333", Resources(milli_threads=7_000), Resources(1_333), True),
        ("1.333333", Resources(milli_threads=7_000), Resources(1_334), False),
        ("0.5", Resources(milli_threads=6_000), Resources(1_000), True),
        ("0.5", Resources(milli_threads=6_000), Resources(1_001), False),
    ],
)
def test_whole_threads_are_not_shared_and_what_is_left_of_them_is(
    ratio: str, used: Resources, need: Resources, fits: bool
) -> None:
    ledger = build(HostRow("h1", "p1", Resources(8_000), ratios=Ratios(Fraction(ratio))))
    ledger.set_claims("there", {("u1", "h1"): Claim(used)})
    assert isinstance(decide(ledger, Request(need)), Placed) is fits
    ledger.set_claims("there", {("u1", "h1"): Claim(used + need)})
    assert ledger.overcommitted() == ([] if fits else [("h1", ("cpu",))])


def test_gpus_are_counted_by_device_and_never_overcommitted() -> None:
    ledger = build(HostRow("h1", "p1", Resources(gpus=(("a100", 2), ("l40", 1))), ratios=Ratios(Fraction(4))))
    ledger.set_claims("there", {("u1", "h1"): Claim(Resources(gpus=(("a100", 1),)))})

    def refused_for(*gpus: tuple[str, int]) -> object:
        return getattr(decide(ledger, Request(Resources(gpus=gpus))), "rejections", None)

    assert refused_for(("a100", 1), ("l40", 1)) is None
    assert refused_for(("a100", 2), ("l40", 1)) == {"insufficient GPU a100": 1}
    assert refused_for(("a100", 1), ("l40", 2)) == {"insufficient GPU l40": 1}
    assert refused_for(("h100", 1)) == {"insufficient GPU h100": 1}
    ledger.set_claims("there", {})
    assert refused_for(("a100", 2)) is None


@pytest.mark.parametrize(
    ("full", "roomy"),
    [
        ([Claim(Resources(6_001))], [Claim(Resources(6_000))]),
        ([Claim(Resources(memory=61))], [Claim(Resources(memory=60))]),
        ([Claim(Resources(disk=61))], [Claim(Resources(disk=60))]),
        ([Claim(Resources(bandwidth=61))], [Claim(Resources(bandwidth=60))]),
        ([Claim(Resources(milli_threads=6_001))], [Claim(Resources(milli_threads=6_000))]),
        ([Claim(Resources(gpus=(("a100", 2),)))], [Claim(Resources(gpus=(("a100", 1),)))]),
        (
            [Claim(Resources(2_500), (0,)), Claim(Resources(2_500), (1,))],
            [Claim(Resources(2_500), (0,)), Claim(Resources(2_500), (0,))],
        ),
    ],
    ids=["cpu", "memory", "disk", "network", "threads", "gpus", "cells"],
)
def test_hosts_that_differ_in_one_amount_alone_are_told_apart(full: list[Claim], roomy: list[Claim]) -> None:
    request = Request(Resources(2_000, 20, 20, 20, gpus=(("a100", 1),)), numa_nodes=1)
    total = Resources(8_000, 80, 80, 80, gpus=(("a100", 2),))
    for loads in ({"h1": full, "h2": roomy}, {"h2": roomy, "h1": full}, {"h1": roomy, "h2": full}):
        ledger = build(*(HostRow(name, "p1", total, cells=2) for name in ("h1", "h2")))
        assert isinstance(decide(ledger, request), Placed)
        for host, claims in loads.items():
            ledger.set_claims(host, {(f"{host}/{number}", host): claim for number, claim in enumerate(claims)})
        decision = decide(ledger, request)
        assert isinstance(decision, Placed)
        assert (decision.feasible, loads[decision.host]) == (1, roomy)


def test_a_host_without_known_bandwidth_takes_only_unlimited_requests() -> None:
    ledger = build(HostRow("h1", "p1", Resources(8_000, 10)))
    assert isinstance(decide(ledger, Request(Resources(1, 1))), Placed)
    refused = decide(ledger, Request(Resources(1, 1, 0, 1)))
    assert isinstance(refused, Refused)
    assert refused.message == "0/1 hosts available: 1 insufficient network"


def test_what_is_claimed_while_hosts_join_is_seen_by_the_next_decision() -> None:
    ledger = fleet(3)
    request = Request(Resources(6_000, 6_000))
    assert decide(ledger, request).host == "p1-1"  # type: ignore[union-attr]
    ledger.upsert(HostRow("p1-4", "p1", Resources(10_000, 10_000)))
    claim(ledger, "p1-1", 5_000, 5_000)
    assert decide(ledger, request).host == "p1-2"  # type: ignore[union-attr]
    ledger.remove("p1-4")
    claim(ledger, "p1-1", 0)
    claim(ledger, "p1-2", 5_000, 5_000)
    assert decide(ledger, request).host == "p1-1"  # type: ignore[union-attr]


def test_labels_that_change_are_seen_by_the_next_decision() -> None:
    ledger = fleet(2)
    request = Request(Resources(1), node_selector={"zone": "a"})
    assert isinstance(decide(ledger, request), Refused)
    row = ledger.row("p1-2")
    assert row
    ledger.upsert(replace(row, labels={"zone": "a"}))
    assert decide(ledger, request).host == "p1-2"  # type: ignore[union-attr]
    ledger.remove("p1-1")
    assert decide(ledger, request).host == "p1-2"  # type: ignore[union-attr]


CORDONED = HostRow("c1", "p1", Resources(9, 9, 9, 9), blocked="cordoned")
SMALL = HostRow("s1", "p1", Resources(1, 9, 9, 9))
SMALLER = [replace(SMALL, name=f"s{number}") for number in range(3)]
LABELLED = replace(SMALL, labels={"zone": "a"})
FIVE = Resources(5)


@pytest.mark.parametrize(
    ("hosts", "request_", "reason", "rejections"),
    [
        ([CORDONED, *SMALLER], Request(FIVE), "NoCapacity", "3 physically too small, 1 cordoned"),
        (
            [CORDONED, LABELLED],
            Request(FIVE, node_selector={"zone": "a"}),
            "NoCapacity",
            "1 node selector does not match, 1 physically too small",
        ),
        (
            [CORDONED, SMALL],
            Request(FIVE, node_selector={"zone": "a"}),
            "AffinityUnsatisfiable",
            "2 node selector does not match",
        ),
        (
            [CORDONED, SMALL],
            Request(FIVE, hosts=frozenset({"h9"})),
            "HostNotFound",
            "2 not one of the requested hosts",
        ),
        (
            [CORDONED, SMALL],
            Request(FIVE, hosts=frozenset({"s1"})),
            "NoCapacity",
            "1 not one of the requested hosts, 1 physically too small",
        ),
        ([SMALL], Request(Resources(1), exclude=frozenset({"s1"})), "NoCapacity", "1 excluded"),
        (
            [SMALL, replace(CORDONED, traits=frozenset({"SGX"}))],
            Request(FIVE, required_traits=frozenset({"SSD"}), forbidden_traits=frozenset({"SGX"})),
            "NoHostWithTraits",
            "2 lacking trait SSD",
        ),
        (
            [SMALL, replace(CORDONED, traits=frozenset({"SGX"}))],
            Request(FIVE, forbidden_traits=frozenset({"SGX"}), cpu_model="Haswell"),
            "NoHostWithTraits",
            "1 having forbidden trait SGX, 1 unable to provide CPU model Haswell",
        ),
        (
            [replace(SMALL, taints=(Taint("gpu"),)), replace(CORDONED, taints=(Taint("a", "1"), Taint("gpu")))],
            Request(FIVE, tolerations=(Toleration("a", "Exists"),)),
            "TaintNotTolerated",
            "2 with taint gpu:NoSchedule not tolerated",
        ),
        (
            [CORDONED, SMALL],
            Request(Resources(1, 1), terms=(Affinity("m", "Host"),)),
            "AffinityUnsatisfiable",
            "1 cordoned, 1 not satisfying affinity",
        ),
    ],
)
def test_a_refusal_says_how_many_hosts_failed_on_what(
    hosts: list[HostRow], request_: Request, reason: RefusalReason, rejections: str
) -> None:
    refused = decide(build(*hosts), request_)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.message) == (reason, f"0/{len(hosts)} hosts available: {rejections}")


@pytest.mark.parametrize(
    ("hosts", "pool", "message"),
    [
        ([SMALL], "p2", "0/0 hosts available: pool p2 has no hosts"),
        ([], None, "0/0 hosts available: there are no hosts"),
    ],
)
def test_where_there_is_no_host_to_look_at_the_refusal_says_so(
    hosts: list[HostRow], pool: str | None, message: str
) -> None:
    assert decide(build(*hosts), Request(Resources(1), pool=pool)) == Refused("HostNotFound", 0, {}, message)


def test_a_refusal_does_not_depend_on_the_order_in_which_hosts_came() -> None:
    """Nor does its reason: that of the last rule that any host came to."""
    tainted = replace(SMALL, name="t1", labels={"zone": "a"}, taints=(Taint("gpu"),))
    request = Request(FIVE, node_selector={"zone": "a"})
    for hosts in ((SMALL, tainted), (tainted, SMALL)):
        assert decide(build(*hosts), request) == Refused(
            "TaintNotTolerated",
            2,
            {"node selector does not match": 1, "with taint gpu:NoSchedule not tolerated": 1},
            "0/2 hosts available: 1 node selector does not match, 1 with taint gpu:NoSchedule not tolerated",
        )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["p1-10", "p1-2", "p1-1"], ["p1-1", "p1-2", "p1-10"]),
        (["p10-1", "p2-9", "a"], ["a", "p2-9", "p10-1"]),
        (["7", "a7", "07"], ["07", "7", "a7"]),
    ],
)
def test_host_names_sort_as_people_count(names: list[str], expected: list[str]) -> None:
    assert sorted(names, key=natural_key) == expected
