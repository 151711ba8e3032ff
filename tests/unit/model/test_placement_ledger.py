"""The capacity ledger."""

from __future__ import annotations

import random
from collections.abc import Hashable
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.placement import NO_RESOURCES, HostRow, Ledger, Ratios, Request, Resources, decide
from drover.model.placement.claims import Pair

GIB = 2**30
HOSTS = ("p1-1", "p1-2", "p1-10")
AMOUNTS = st.builds(Resources, *[st.integers(0, 9)] * 4)
CLAIMS = st.dictionaries(st.tuples(st.sampled_from(["u1", "u2", "u3"]), st.sampled_from(HOSTS)), AMOUNTS, max_size=4)
ROWS = st.builds(
    HostRow,
    name=st.sampled_from(HOSTS),
    pool=st.sampled_from(["p1", "p2"]),
    total=AMOUNTS,
    labels=st.sampled_from([{}, {"zone": "a"}, {"zone": "b"}]),
    blocked=st.sampled_from([None, "cordoned"]),
)
STEPS = st.lists(
    st.one_of(ROWS, st.sampled_from(HOSTS), st.tuples(st.sampled_from(["a", "b", "c"]), CLAIMS)), max_size=25
)
QUESTIONS = (Request(Resources(1), node_selector={"zone": "a"}), Request(Resources(1), pool="p2"))
Step = HostRow | str | tuple[Hashable, dict[Pair, Resources]]


def host(name: str = "h1", **changes: object) -> HostRow:
    return replace(HostRow(name, "p1", Resources(8_000, 32 * GIB, 100 * GIB, 1_000)), **changes)  # type: ignore[arg-type]


def apply(ledger: Ledger, step: Step) -> None:
    match step:
        case HostRow():
            ledger.upsert(step)
        case str():
            ledger.remove(step)
        case (contributor, claims):
            ledger.set_claims(contributor, claims)


def state(ledger: Ledger) -> dict[str, object]:
    """Everything the ledger knows of each host, read from the arrays as well as from the claims."""
    return {
        row.name: (
            row,
            ledger.claims_on(row.name),
            ledger.allocated(row.name),
            ledger.table.allocated[:, slot].tolist(),
            ledger.table.room[:, slot].tolist(),
            ledger.table.inverse[:, slot].tolist(),
        )
        for slot in range(len(ledger))
        if (row := ledger.table.row_at(slot))
    } | {name: (ledger.claims_on(name), ledger.allocated(name)) for name in HOSTS if not ledger.row(name)}


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
    ledger.set_claims("observed", {("u1", "h1"): Resources(1_000, 4 * GIB)})
    ledger.set_claims("migration", {("u1", "h1"): Resources(2_000, 3 * GIB), ("u2", "h1"): Resources(500)})
    assert ledger.allocated("h1") == Resources(2_500, 4 * GIB)
    assert ledger.claims_on("h1") == {"u1", "u2"}
    ledger.set_claims("migration", {})
    assert ledger.allocated("h1") == Resources(1_000, 4 * GIB)
    ledger.set_claims("observed", {})
    assert ledger.allocated("h1") == NO_RESOURCES
    assert ledger.claims_on("h1") == frozenset()


def test_claims_wait_for_their_host_and_outlive_it() -> None:
    ledger = Ledger()
    ledger.set_claims("vm", {("u1", "h1"): Resources(8_000)})
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
        ledger.set_claims(name, {("u1", name): Resources(8_000, 8 * GIB, 0, 900)})
    assert ledger.overcommitted() == []
    ledger.upsert(host("p1-10", total=Resources(7_999, 8 * GIB, 0, 899)))
    ledger.upsert(host("p1-9", total=Resources(8_000, 8 * GIB - 1, 0, 900)))
    assert ledger.overcommitted() == [("p1-9", ("memory",)), ("p1-10", ("cpu", "network"))]


def test_amounts_beyond_64_bits_are_held_without_overflow() -> None:
    ledger = Ledger()
    ledger.upsert(host(total=Resources(2**80, 2**80)))
    ledger.set_claims("vm", {("u1", "h1"): Resources(2**81)})
    assert ledger.overcommitted() == [("h1", ("cpu",))]
    ledger.set_claims("vm", {})
    assert ledger.allocated("h1") == NO_RESOURCES
    assert decide(ledger, Request(Resources(2**90))).rejections == {"physically too small": 1}  # type: ignore[union-attr]


@given(STEPS)
def test_what_is_free_is_capacity_less_the_largest_claim_of_each_pair(steps: list[Step]) -> None:
    ledger = Ledger()
    stated: dict[Hashable, dict[Pair, Resources]] = {}
    rows: dict[str, HostRow] = {}
    for step in steps:
        apply(ledger, step)
        match step:
            case HostRow():
                rows[step.name] = step
            case str():
                rows.pop(step, None)
            case (contributor, claims):
                stated[contributor] = claims
    assert len(ledger) == len(rows)
    for name in HOSTS:
        charges: dict[str, Resources] = {}
        for claims in stated.values():
            for (uid, on), amount in claims.items():
                if on == name:
                    charges[uid] = Resources(*map(max, charges.get(uid, NO_RESOURCES), amount))
        expected = [sum(charge[i] for charge in charges.values()) for i in range(4)]
        assert list(ledger.allocated(name)) == expected
        assert ledger.claims_on(name) == set(charges)
        if name in rows:
            (slot,) = ledger.table.slots([name])
            free = [total - used for total, used in zip(rows[name].total, expected, strict=True)]
            assert ledger.table.allocated[:, slot].tolist() == expected
            assert ledger.table.room[:, slot].tolist() == free
            assert (name in dict(ledger.overcommitted())) == (min(free) < 0)


@given(STEPS, st.randoms(use_true_random=False))
def test_a_ledger_rebuilt_from_what_is_listed_is_the_same_in_any_order(
    steps: list[Step], shuffle: random.Random
) -> None:
    lived = Ledger()
    listed: dict[object, Step] = {}
    for step in steps:
        apply(lived, step)
        listed[step.name if isinstance(step, HostRow) else step if isinstance(step, str) else ("by", step[0])] = step
    rebuilt = Ledger()
    last_seen = [step for step in listed.values() if not isinstance(step, str)]
    shuffle.shuffle(last_seen)
    for step in last_seen:
        apply(rebuilt, step)
    assert state(rebuilt) == state(lived)


@given(STEPS, CLAIMS)
def test_claiming_and_letting_go_restores_every_bit(steps: list[Step], claims: dict[Pair, Resources]) -> None:
    ledger = Ledger()
    for step in steps:
        apply(ledger, step)
    before = state(ledger)
    ledger.set_claims("new", claims)
    ledger.set_claims("new", {})
    assert state(ledger) == before


@given(STEPS, STEPS)
def test_a_copy_and_its_original_go_their_own_ways(steps: list[Step], later: list[Step]) -> None:
    original = Ledger()
    for step in steps:
        apply(original, step)
    answers = [decide(original, request) for request in QUESTIONS]
    copy, before = original.copy(), state(original)
    for step in later:
        apply(copy, step)
    in_copy = [decide(copy, request) for request in QUESTIONS]
    assert state(original) == before
    assert [decide(original, request) for request in QUESTIONS] == answers
    again = Ledger()
    for step in [*steps, *later]:
        apply(again, step)
    assert state(copy) == state(again)
    assert [decide(again, request) for request in QUESTIONS] == in_copy
