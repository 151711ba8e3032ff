"""Placement decisions, against a plain Python reference that looks at hosts one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.placement import (
    HostRow,
    Ledger,
    Placed,
    Ratios,
    Refused,
    Request,
    Resources,
    Strategy,
    Weights,
    decide,
)
from drover.model.placement.hosts import natural_key

NAMES = [f"p{pool}-{index}" for pool in (1, 2) for index in range(1, 12)]
AMOUNTS = st.builds(Resources, *[st.integers(0, 12)] * 4)
LABELS = st.dictionaries(st.sampled_from(["zone", "disk"]), st.sampled_from(["a", "b"]), max_size=2)
RATIOS = st.builds(Ratios, *[st.sampled_from([Fraction(1), Fraction(4), Fraction(3, 2), Fraction(1, 2)])] * 3)
ROWS = st.builds(
    HostRow,
    name=st.sampled_from(NAMES),
    pool=st.sampled_from(["p1", "p2"]),
    total=st.builds(Resources, *[st.integers(2, 12)] * 4),
    reserved=st.builds(Resources, *[st.integers(0, 2)] * 4),
    ratios=RATIOS,
    labels=LABELS,
    blocked=st.sampled_from([None, None, None, None, "cordoned", "not ready"]),
    strategy=st.sampled_from(["Balance", "Pack"]),
    weights=st.builds(Weights, *[st.integers(0, 3)] * 4),
)
HOSTS = st.lists(ROWS, max_size=12, unique_by=lambda row: row.name)
USED = st.dictionaries(st.sampled_from(NAMES), st.builds(Resources, *[st.integers(0, 4)] * 4))
REQUESTS = st.builds(
    Request,
    resources=st.builds(Resources, *[st.integers(0, 3)] * 4),
    pool=st.sampled_from([None, None, None, "p1", "p3"]),
    node_selector=st.sampled_from([{}, {}, {}, {"zone": "a"}, {"zone": "b", "disk": "a"}]),
    hosts=st.sampled_from([None, None, None, frozenset(NAMES[::2]), frozenset(NAMES[3:9])]),
    exclude=st.frozensets(st.sampled_from(NAMES), max_size=3),
)


def build(hosts: list[HostRow], used: dict[str, Resources]) -> Ledger:
    ledger = Ledger()
    for row in hosts:
        ledger.upsert(row)
    for name, amount in used.items():
        ledger.set_claims(name, {(f"on {name}", name): amount})
    return ledger


def first_failure(row: HostRow, used: Resources, request: Request) -> str | None:
    """The reference's filter."""
    need = request.resources
    if request.hosts is not None and row.name not in request.hosts:
        return "not one of the requested hosts"
    if row.name in request.exclude:
        return "excluded"
    if any(row.labels.get(label) != value for label, value in request.node_selector.items()):
        return "node selector does not match"
    if row.blocked:
        return row.blocked
    if need.milli_cpu > row.total.milli_cpu or need.memory > row.total.memory or need.disk > row.total.disk:
        return "physically too small"
    for name, amount, taken, limit in zip(
        ("cpu", "memory", "disk", "network"), need, used, row.allocatable, strict=True
    ):
        if amount and taken + amount > limit:
            return f"insufficient {name}"
    return None


def score_of(row: HostRow, used: Resources, need: Resources) -> float:
    """The reference's score, exact and then rounded to millionths."""
    fractions = [
        min(Fraction(taken + amount, limit), Fraction(1)) if limit else Fraction(0)
        for taken, amount, limit in zip(used, need, row.allocatable, strict=True)
    ]
    weighted = sum(weight * fraction for weight, fraction in zip(row.weights, fractions, strict=True))
    fullness = Fraction(weighted) / (sum(row.weights) or 1)
    goal = fullness if row.strategy == "Pack" else 1 - fullness
    return float((goal + (1 - abs(fractions[0] - fractions[1])) / 4) / Fraction(5, 4))


@given(HOSTS, USED, REQUESTS)
def test_the_decision_is_that_of_a_plain_search_over_all_hosts(
    hosts: list[HostRow], used: dict[str, Resources], request: Request
) -> None:
    decision = decide(build(hosts, used), request)
    evaluated = [row for row in hosts if request.pool in (None, row.pool)]
    failures = {row.name: first_failure(row, used.get(row.name, Resources()), request) for row in evaluated}
    scores = {
        row.name: score_of(row, used.get(row.name, Resources()), request.resources)
        for row in evaluated
        if failures[row.name] is None
    }
    assert decision.evaluated == len(evaluated)
    if isinstance(decision, Refused):
        assert scores == {}
        assert decision.rejections == Counter(failures.values())
        assert sum(decision.rejections.values()) == len(evaluated)
    else:
        assert decision.feasible == len(scores)
        assert decision.top[0] == (decision.host, decision.score)
        assert len(decision.top) == min(5, len(scores))
        assert [score for _, score in decision.top] == pytest.approx(
            sorted(scores.values(), reverse=True)[: len(decision.top)], abs=1e-6
        )
        assert dict(decision.top) == pytest.approx({name: scores[name] for name, _ in decision.top}, abs=1e-6)
        in_order = sorted(decision.top, key=lambda entry: (-entry[1], natural_key(entry[0])))
        assert list(decision.top) == in_order
        ties = [name for name, score in scores.items() if score == scores[decision.host]]
        assert decision.host == min(ties, key=natural_key)


@given(HOSTS, USED, REQUESTS, st.data())
def test_the_order_in_which_hosts_came_does_not_matter(
    hosts: list[HostRow], used: dict[str, Resources], request: Request, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(hosts))
    assert decide(build(shuffled, used), request) == decide(build(hosts, used), request)


@given(HOSTS, USED, REQUESTS, st.sets(st.sampled_from(NAMES)))
def test_a_removed_host_leaves_no_trace(
    hosts: list[HostRow], used: dict[str, Resources], request: Request, removed: set[str]
) -> None:
    ledger = build(hosts, used)
    for name in removed:
        ledger.remove(name)
    never_there = build([row for row in hosts if row.name not in removed], used)
    assert decide(ledger, request) == decide(never_there, request)


def test_the_host_that_takes_a_removed_ones_place_keeps_its_score() -> None:
    packed = HostRow("h3", "p1", Resources(8, 8), strategy="Pack")
    ledger = build([HostRow("h1", "p1", Resources(80, 80)), packed], {})
    ledger.remove("h1")
    assert decide(ledger, Request(Resources(2, 2))) == Placed("h3", 0.4, "Pack", 1, 1, (("h3", 0.4),))


@given(HOSTS, USED, REQUESTS, st.integers(0, 11), AMOUNTS, st.booleans())
def test_adding_capacity_never_makes_a_feasible_request_infeasible(
    hosts: list[HostRow],
    used: dict[str, Resources],
    request: Request,
    index: int,
    more: Resources,
    another: bool,
) -> None:
    if isinstance(decide(build(hosts, used), request), Placed):
        grown = hosts[index % len(hosts)]
        grown = replace(grown, name="p9-1") if another else replace(grown, total=grown.total + more)
        others = [row for row in hosts if row.name != grown.name]
        assert isinstance(decide(build([*others, grown], used), request), Placed)


@given(HOSTS, st.lists(REQUESTS, max_size=20))
def test_no_sequence_of_placements_claims_a_host_above_its_allocatable(
    hosts: list[HostRow], requests: list[Request]
) -> None:
    ledger = build(hosts, {})
    for number, request in enumerate(requests):
        decision = decide(ledger, request)
        if isinstance(decision, Placed):
            ledger.set_claims(number, {(f"u{number}", decision.host): request.resources})
        assert ledger.overcommitted() == []


def fleet(count: int, strategy: Strategy = "Balance", weights: Weights = Weights()) -> Ledger:  # noqa: B008
    total = Resources(10_000, 10_000, 10_000, 1_000)
    return build([HostRow(f"p1-{n}", "p1", total, strategy=strategy, weights=weights) for n in range(1, count + 1)], {})


def place(ledger: Ledger, need: Resources, times: int) -> list[str]:
    placed = []
    for number in range(times):
        decision = decide(ledger, Request(need))
        assert isinstance(decision, Placed)
        ledger.set_claims(number, {(f"u{number}", decision.host): need})
        placed.append(decision.host)
    return placed


def test_balance_goes_round_and_pack_fills_up() -> None:
    need = Resources(2_500, 2_500)
    assert place(fleet(3), need, 4) == ["p1-1", "p1-2", "p1-3", "p1-1"]
    assert place(fleet(3, "Pack"), need, 5) == ["p1-1", "p1-1", "p1-1", "p1-1", "p1-2"]


def test_equal_hosts_go_by_natural_name_order() -> None:
    decision = decide(fleet(24), Request(Resources(1), exclude=frozenset({"p1-1"})))
    assert isinstance(decision, Placed)
    assert [name for name, _ in decision.top] == ["p1-2", "p1-3", "p1-4", "p1-5", "p1-6"]


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
    ledger.set_claims("a", {("u1", "p1-1"): Resources(disk=5_000)})
    ledger.set_claims("b", {("u2", "p1-2"): Resources(bandwidth=500)})
    decision = decide(ledger, Request(Resources(1, 1)))
    assert isinstance(decision, Placed)
    assert decision.host == expected


@pytest.mark.parametrize("strategy", ["Balance", "Pack"])
def test_between_hosts_of_equal_use_the_one_left_in_balance_wins(strategy: Strategy) -> None:
    ledger = fleet(2, strategy)
    ledger.set_claims("a", {("u1", "p1-1"): Resources(4_000, 2_000)})
    ledger.set_claims("b", {("u2", "p1-2"): Resources(2_000, 4_000)})
    decision = decide(ledger, Request(Resources(3_000, 1_000)))
    assert isinstance(decision, Placed)
    assert decision.host == "p1-2"


def test_a_placement_tells_score_and_numbers() -> None:
    ledger = fleet(3)
    ledger.set_claims("a", {("u1", "p1-1"): Resources(10_000)})
    decision = decide(ledger, Request(Resources(5_000, 5_000), pool="p1"))
    assert decision == Placed("p1-2", 0.6, "Balance", 3, 2, (("p1-2", 0.6), ("p1-3", 0.6)))


def test_a_virtual_machine_is_never_larger_than_the_physical_host() -> None:
    ledger = build([HostRow("h1", "p1", Resources(8_000, 10), ratios=Ratios(cpu=Fraction(4)))], {})
    assert isinstance(decide(ledger, Request(Resources(8_000))), Placed)
    refused = decide(ledger, Request(Resources(8_001)))
    assert isinstance(refused, Refused)
    assert refused.rejections == {"physically too small": 1}


def test_a_host_without_known_bandwidth_takes_only_unlimited_requests() -> None:
    ledger = build([HostRow("h1", "p1", Resources(8_000, 10))], {})
    assert isinstance(decide(ledger, Request(Resources(1, 1))), Placed)
    refused = decide(ledger, Request(Resources(1, 1, 0, 1)))
    assert isinstance(refused, Refused)
    assert refused.message == "0/1 hosts available: 1 insufficient network"


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


@pytest.mark.parametrize(
    ("hosts", "request_", "reason", "message"),
    [
        (
            [CORDONED, *(replace(SMALL, name=f"s{n}", labels={"zone": "a"}) for n in range(3))],
            Request(Resources(5)),
            "NoCapacity",
            "0/4 hosts available: 3 physically too small, 1 cordoned",
        ),
        (
            [CORDONED, replace(SMALL, labels={"zone": "a"})],
            Request(Resources(5), node_selector={"zone": "a"}),
            "NoCapacity",
            "0/2 hosts available: 1 node selector does not match, 1 physically too small",
        ),
        (
            [CORDONED, SMALL],
            Request(Resources(5), node_selector={"zone": "a"}),
            "AffinityUnsatisfiable",
            "0/2 hosts available: 2 node selector does not match",
        ),
        (
            [CORDONED, SMALL],
            Request(Resources(5), hosts=frozenset({"h9"})),
            "HostNotFound",
            "0/2 hosts available: 2 not one of the requested hosts",
        ),
        (
            [SMALL],
            Request(Resources(1), exclude=frozenset({"s1"})),
            "NoCapacity",
            "0/1 hosts available: 1 excluded",
        ),
        (
            [SMALL],
            Request(Resources(1), pool="p2"),
            "HostNotFound",
            "0/0 hosts available: pool p2 has no hosts",
        ),
        ([], Request(Resources(1)), "HostNotFound", "0/0 hosts available: there are no hosts"),
    ],
)
def test_a_refusal_says_how_many_hosts_failed_on_what(
    hosts: list[HostRow], request_: Request, reason: str, message: str
) -> None:
    refused = decide(build(hosts, {}), request_)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.message) == (reason, message)


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
