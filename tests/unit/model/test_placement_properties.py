"""Placement after any sequence of changes, against a plain account of the same (``plain_placement``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placement_cases import (
    CLAIMS,
    FLEETS,
    MARKS,
    REQUESTS,
    STEPS,
    State,
    Step,
    Story,
    scores_by_host,
    scores_of,
    told_of,
)
from plain_placement import Plain, character_failures, cpu_in_use, cpu_limit

from drover.model.placement import (
    Affinity,
    AntiAffinity,
    Claim,
    Decision,
    HostRow,
    RefusalReason,
    Refused,
    Request,
    Resources,
    Spread,
    Toleration,
    Topology,
    decide,
    pick,
    scores,
)
from drover.model.placement.decide import candidates
from drover.model.placement.hosts import natural_key

TOLERANCE: Final = 1e-5
"""Of scores held in 32 bits."""
QUESTIONS = st.lists(REQUESTS, min_size=1, max_size=5)


@pytest.fixture(autouse=True, scope="module")
def _few_rows_and_a_short_memory() -> Iterator[None]:
    """Rows make way for one another, and vectors are forgotten, within a few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores, "MAX_ROWS", 3)
        patch.setattr(scores, "MAX_REMEMBERED", 40)
        yield


def check(story: Story, questions: list[Request]) -> None:
    """The ledger tells and decides what the plain account does, and what a ledger made from scratch does."""
    ledger, plain = story.ledger, story.plain
    scratch = plain.ledger()
    assert told_of(ledger) == told_of(scratch)
    for name in plain.rows:
        assert ledger.allocated(name) == plain.allocated(name)
        assert min(ledger.allocated(name)[:5]) >= 0
    for mark in MARKS:
        for topology in ("Host", "Rack", "FailureDomain"):
            assert known(ledger.counts(mark, topology), topology, plain) == plain.counts(mark, topology)
    for question in questions:
        bits = scores_of(ledger, question)
        assert bits == scores_of(scratch, question)
        for name, score in scores_by_host(ledger, question):
            expected = plain.own_score(plain.rows[name], question)
            assert (score is None) == (expected is None), (name, question)
            assert score is None or score == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE)
        decision = decide(ledger, question)
        assert decision == decide(scratch, question)
        check_decision(story, question, decision)
        assert scores_of(ledger, question) == bits


def known(counts: Any, topology: Topology, plain: Plain) -> dict[str, int]:
    """Counts by host hold hosts that are gone, too."""
    return {domain: count for domain, count in counts.items() if topology != "Host" or domain in plain.rows}


def check_decision(story: Story, request: Request, decision: Decision) -> None:
    """The decision is that of a plain search over all hosts."""
    ledger, plain = story.ledger, story.plain
    failures, expected = plain.failures(request), plain.scores(request)
    assert decision.evaluated == len(failures)
    if isinstance(decision, Refused):
        assert not expected
        assert decision.rejections == Counter(failures.values())
        assert sum(decision.rejections.values()) == decision.evaluated
        assert decision.reason == reason_of(set(failures.values()))
        assert pick(ledger, request) is None
        return
    found = candidates(ledger, request).tolist()
    alike = [row.name for row, score in zip(ledger.table.rows, found, strict=True) if score == max(found)]
    assert decision.host == min(alike, key=natural_key) == pick(ledger, request) == decision.top[0].host
    assert decision.feasible == len(expected)
    best = sorted(expected.values(), reverse=True)[:5]
    assert [candidate.score for candidate in decision.top] == pytest.approx(best, rel=TOLERANCE, abs=TOLERANCE)
    for candidate in decision.top:
        assert candidate.score == pytest.approx(expected[candidate.host], rel=TOLERANCE, abs=TOLERANCE)
        assert sum(candidate.parts.values()) == pytest.approx(candidate.score, rel=1e-4, abs=1e-4)


def reason_of(failures: set[str | None]) -> RefusalReason:
    """The reason of the last rule that any host came to."""
    reason: RefusalReason = "HostNotFound"
    for words, told in (
        (("excluded",), "NoCapacity"),
        (("node selector",), "AffinityUnsatisfiable"),
        (("lacking trait", "having forbidden trait", "unable to provide", "with fewer than"), "NoHostWithTraits"),
        (("with taint",), "TaintNotTolerated"),
        (("cordoned", "not ready", "physically", "insufficient", "without a NUMA cell"), "NoCapacity"),
        (("not satisfying",), "AffinityUnsatisfiable"),
        (("held back",), "FailoverCapacityWouldBeLost"),
    ):
        if any(failure is not None and failure.startswith(words) for failure in failures):
            reason = told  # type: ignore[assignment]
    return reason


def story_of(*parts: list[HostRow] | list[Step]) -> Story:
    story = Story()
    for part in parts:
        for step in part:
            story.take(step)
    return story


@settings(max_examples=100)
@given(FLEETS, st.lists(st.tuples(STEPS, st.integers(0, 9)), min_size=6, max_size=24), QUESTIONS)
def test_after_any_sequence_ledger_scores_and_decisions_are_those_of_a_plain_search(
    fleet: list[HostRow], steps: list[tuple[Step, int]], questions: list[Request]
) -> None:
    story = replace(story_of(fleet), on_decision=check_decision)
    others: list[Story] = []
    for step, choice in steps:
        if choice < 2:
            others.append(story)
            story = story.copy()
        if choice < 8:
            decide(story.ledger, questions[choice % len(questions)])
        story.take(step)
    for told in (story, *others):
        check(told, questions)


@given(CLAIMS)
def test_a_claim_as_stated_is_shared_by_all_its_cells(claim: Claim) -> None:
    """The plain account knows no other, and no contributor states one."""
    assert claim == Claim(claim.resources, claim.cells, claim.marks)


@pytest.mark.parametrize(
    ("stated", "fits"),
    [([(0,)], False), ([(0,), (0, 1)], False), ([(0,), (1,)], False), ([(0, 1)], True)],
    ids=["one cell full", "one contributor names both", "each names another", "both half full"],
)
def test_a_guest_of_two_cells_fits_only_where_both_have_room(stated: list[tuple[int, ...]], fits: bool) -> None:
    """Shrunk from a sequence in which what was stated came with a number of parts."""
    size, question = Resources(500, milli_threads=1_000), Request(Resources(500), numa_nodes=2)
    states: list[Step] = [State(number, {("u1", "p1-1"): Claim(size, cells)}) for number, cells in enumerate(stated)]
    story = story_of([HostRow("p1-1", "p1", Resources(3_000, 10), cells=2)], states)
    check(story, [question])
    assert (pick(story.ledger, question) == "p1-1") is fits


@settings(max_examples=60)
@given(FLEETS, st.lists(STEPS, max_size=12), QUESTIONS, st.lists(REQUESTS, min_size=1, max_size=6), st.data())
def test_placing_and_releasing_restores_every_bit(
    fleet: list[HostRow], steps: list[Step], questions: list[Request], guests: list[Request], data: st.DataObject
) -> None:
    story = story_of(fleet, steps)
    there = set(story.residents)

    def bits() -> object:
        marks = [dict(story.ledger.counts(mark, "Rack")) for mark in MARKS]
        return told_of(story.ledger), marks, [scores_of(story.ledger, question) for question in questions]

    before = bits()
    for guest in guests:
        story.place(guest)
    for uid in data.draw(st.permutations(sorted(story.residents.keys() - there))):
        story.release(uid)
    assert bits() == before
    for uid, resident in story.residents.items():
        withdrawn = story.ledger.withdraw(uid, resident.host)
        assert uid not in story.ledger.claims_on(resident.host)
        for contributor, claims in withdrawn.items():
            story.ledger.set_claims(contributor, claims)
    assert bits() == before


@settings(max_examples=60)
@given(FLEETS, st.lists(STEPS, min_size=4, max_size=16), QUESTIONS, st.data())
def test_adding_capacity_or_removing_a_constraint_never_makes_a_feasible_request_infeasible(
    fleet: list[HostRow], steps: list[Step], questions: list[Request], data: st.DataObject
) -> None:
    """Spread is no part of it, as in Kubernetes: a new domain is an empty one, and other domains fall behind it."""
    story = story_of(fleet, steps)
    feasible = [
        request
        for request in (replace(question, terms=unspread(question)) for question in questions)
        if pick(story.ledger, request) is not None
    ]
    for request in feasible:
        for relaxed in relaxations(request):
            assert pick(story.ledger, relaxed) is not None, relaxed
    rows = list(story.plain.rows.values())
    if not rows:
        return
    like = data.draw(st.sampled_from(rows))
    more = Resources(data.draw(st.sampled_from([0, 1_000])), data.draw(st.integers(0, 9)), 5, 5, gpus=(("a100", 1),))
    for larger in (replace(like, name="p9-1"), replace(like, total=like.total + more)):
        grown = story.copy()
        grown.take(larger)
        for request in feasible:
            assert pick(grown.ledger, request) is not None, (request, larger)


def unspread(request: Request) -> tuple[Any, ...]:
    return tuple(term for term in request.terms if not isinstance(term, Spread))


def relaxations(request: Request) -> Iterator[Request]:
    yield from (replace(request, terms=tuple(t for t in request.terms if t is not term)) for term in request.terms)
    changes: tuple[dict[str, Any], ...] = (
        {"pool": None},
        {"node_selector": {}},
        {"tolerations": (Toleration("", "Exists"),)},
        {"required_traits": frozenset()},
        {"forbidden_traits": frozenset()},
        {"cpu_model": None},
        {"numa_nodes": 0},
        {"hosts": None},
        {"exclude": frozenset()},
        {"unreserved": True},
    )
    yield from (replace(request, **change) for change in changes)


@settings(max_examples=60)
@given(FLEETS, st.lists(REQUESTS, min_size=1, max_size=3), st.lists(st.integers(0, 11), min_size=10, max_size=40))
def test_no_placement_or_move_breaks_what_any_request_asked_for(
    fleet: list[HostRow], kinds: list[Request], choices: list[int]
) -> None:
    """Three kinds of requests fill the hosts, leave and move; each is looked at where it was put."""
    story = story_of(fleet)
    for choice in choices:
        uids = list(story.residents)
        match choice:
            case 0 if uids:
                story.release(uids[len(uids) // 2])
            case 1 | 2 if uids:
                uid = uids[-choice % len(uids)]
                request = story.residents[uid].request
                if story.move(uid) is not None:
                    check_resident(story, uid, request)
            case _:
                request = kinds[choice % len(kinds)]
                if story.place(request) is not None:
                    check_resident(story, f"vm{story.born}", request)


def check_resident(story: Story, uid: str, request: Request) -> None:
    plain, row = story.plain, story.plain.rows[story.residents[uid].host]
    load, need, limit = plain.allocated(row.name), request.resources, row.allocatable
    assert list(character_failures(row, request)) == []
    assert row.name not in request.exclude
    assert request.hosts is None or row.name in request.hosts
    assert max(request.vcpus * 1_000, need.milli_cpu + need.milli_threads) <= row.total.milli_cpu
    assert cpu_in_use(row, load) <= cpu_limit(row)
    assert all(taken <= most for taken, most in zip(load[1:4], limit[1:4], strict=True))
    assert Counter(dict(load.gpus)) <= Counter(dict(row.total.gpus))
    assert story.ledger.overcommitted() == []
    check_cells(plain, row)
    assert len(story.ledger.claims_on(row.name)[uid].cells) == request.numa_nodes
    for term in request.terms:
        counts, domain = plain.counts(term.mark, term.topology), row.domain(term.topology)
        others = counts - Counter({domain: 1} if term.mark in request.marks else {})
        match term:
            case Affinity(weight=None):
                assert others[domain] or (term.own and not others)
            case AntiAffinity(weight=None):
                assert others[domain] < term.limit
            case Spread(required=True):
                assert others[domain] + term.own - plain.least(term, others, request) <= term.max_skew


def check_cells(plain: Plain, row: HostRow) -> None:
    """No cell gives more than it has to those bound to it."""
    threads = (row.total.milli_cpu - row.reserved.milli_cpu) // row.cells
    for cpu, memory in plain.cells(row):
        assert cpu <= threads * row.ratios.cpu
        assert memory <= row.allocatable.memory // row.cells


@settings(max_examples=40)
@given(FLEETS, REQUESTS, REQUESTS)
def test_requests_of_one_signature_share_one_row(fleet: list[HostRow], request: Request, other: Request) -> None:
    ledger = story_of(fleet).ledger
    alike = replace(request, terms=other.terms, marks=other.marks, hosts=other.hosts, exclude=other.exclude)
    decide(ledger, request)
    row = ledger.table.scores.row(request.signature)
    decide(ledger, alike)
    assert np.shares_memory(row, ledger.table.scores.row(alike.signature))
