"""Affinity, anti-affinity and spread: which hosts are left, and what preferences are worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drover.model.placement import (
    Affinity,
    AntiAffinity,
    Claim,
    HostRow,
    Ledger,
    Request,
    Resources,
    Spread,
    Taint,
    Term,
    decide,
)
from drover.model.placement.decide import candidates

ROOM = Resources(8_000, 80)
SIZE = Resources(1_000, 10)
PLACES = {
    "a1": ("a", "r1"),
    "a2": ("a", "r1"),
    "a3": ("a", "r2"),
    "b1": ("b", "r1"),
    "b2": ("b", "r1"),
    "c1": ("c", "r1"),
}
"""Hosts in their failure domains and racks: racks of one name in two domains are two racks."""
ALL = set(PLACES)


def world(residents: dict[str, int], **changes: dict[str, object]) -> Ledger:
    """A ledger with so many virtual machines of mark "app" on each host, and fields of hosts that differ."""
    ledger = Ledger()
    for name, (zone, rack) in PLACES.items():
        row = HostRow(name, "p1", ROOM, failure_domain=zone, rack=rack)
        ledger.upsert(replace(row, **changes.get(name, {})))  # type: ignore[arg-type]
    for host, count in residents.items():
        for number in range(count):
            uid = f"{host}/{number}"
            ledger.set_claims(uid, {(uid, host): Claim(Resources(1), (), frozenset({"app"}))})
    return ledger


def scores(ledger: Ledger, request: Request) -> dict[str, float]:
    found = zip(ledger.table.rows, candidates(ledger, request).tolist(), strict=True)
    return {row.name: score for row, score in found if score > -np.inf}


@pytest.mark.parametrize(
    ("residents", "term", "allowed"),
    [
        ({"a1": 1, "c1": 2}, Affinity("app", "Host"), {"a1", "c1"}),
        ({"a1": 1}, Affinity("app", "Rack"), {"a1", "a2"}),
        ({"a1": 1}, Affinity("app", "FailureDomain"), {"a1", "a2", "a3"}),
        ({}, Affinity("app", "Rack"), set()),
        ({}, Affinity("app", "Rack", own=True), ALL),
        ({"b1": 1}, Affinity("app", "Rack", own=True), {"b1", "b2"}),
        ({"gone": 1}, Affinity("app", "Host"), set()),
        ({"gone": 1}, Affinity("app", "Host", own=True), ALL),
        ({"gone": 1}, Affinity("app", "Rack", own=True), ALL),
        ({"a1": 1}, Affinity("db", "Host"), set()),
        ({"a1": 1, "c1": 2}, AntiAffinity("app", "Host"), {"a2", "a3", "b1", "b2"}),
        ({"a1": 1}, AntiAffinity("app", "Rack"), {"a3", "b1", "b2", "c1"}),
        ({"a1": 1}, AntiAffinity("app", "FailureDomain"), {"b1", "b2", "c1"}),
        ({"a1": 1, "a3": 1, "b1": 1}, AntiAffinity("app", "FailureDomain", limit=2), {"b1", "b2", "c1"}),
        ({"a1": 1, "a3": 1, "b1": 1}, AntiAffinity("app", "FailureDomain", limit=3), ALL),
        ({"a1": 1, "gone": 3}, AntiAffinity("app", "Host"), ALL - {"a1"}),
        ({}, Spread("app", "FailureDomain"), ALL),
        ({"a1": 1}, Spread("app", "FailureDomain"), {"b1", "b2", "c1"}),
        ({"a1": 1, "b1": 1}, Spread("app", "FailureDomain"), {"c1"}),
        ({"a1": 1, "b1": 1, "c1": 1}, Spread("app", "FailureDomain"), ALL),
        ({"a1": 1, "b1": 1}, Spread("app", "FailureDomain", max_skew=2), ALL),
        ({"a1": 2, "b1": 1}, Spread("app", "FailureDomain", max_skew=2), {"b1", "b2", "c1"}),
        ({"a1": 1}, Spread("app", "FailureDomain", own=False), ALL),
        ({"a1": 2}, Spread("app", "FailureDomain", own=False), {"b1", "b2", "c1"}),
        ({"a1": 1, "b1": 1, "c1": 1}, Spread("app", "FailureDomain", min_domains=3), ALL),
        ({"a1": 1, "b1": 1, "c1": 1}, Spread("app", "FailureDomain", min_domains=4), set()),
        ({"a1": 1}, Spread("app", "Rack"), {"a3", "b1", "b2", "c1"}),
        ({"a1": 1, "gone": 4}, Spread("app", "Host"), ALL - {"a1"}),
    ],
)
def test_a_required_term_leaves_the_hosts_of_some_domains(
    residents: dict[str, int], term: Term, allowed: set[str]
) -> None:
    assert set(scores(world(residents), Request(SIZE, terms=(term,)))) == allowed


def test_domains_to_spread_over_are_those_that_the_request_may_go_to_some_day() -> None:
    """Zone c is nobody's for now, yet counts; zone b is of another kind, and does not."""
    request = Request(SIZE, node_selector={"disk": "ssd"}, terms=(Spread("app", "FailureDomain"),))
    ssd: dict[str, object] = {"labels": {"disk": "ssd"}}
    open_hosts = {"a1": ssd, "a2": ssd, "c1": ssd}
    assert set(scores(world({"a1": 1}, **open_hosts), request)) == {"c1"}
    for why in ({"blocked": "cordoned"}, {"taints": (Taint("gpu"),)}, {"total": Resources(1, 80)}):
        assert scores(world({"a1": 1}, **open_hosts | {"c1": ssd | why}), request) == {}, why
    assert set(scores(world({"a1": 1}, **open_hosts | {"c1": {}}), request)) == {"a1", "a2"}


def test_a_domain_that_becomes_one_to_spread_over_is_seen_by_the_next_decision() -> None:
    ledger = world({"a1": 1, "b1": 1}, c1={"labels": {"disk": "hdd"}})
    request = Request(SIZE, node_selector={"disk": "ssd"}, terms=(Spread("app", "FailureDomain"),))
    for name in ("a1", "b1"):
        ledger.upsert(replace(ledger.table.known[name], labels={"disk": "ssd"}))
    assert set(scores(ledger, request)) == {"a1", "b1"}
    ledger.upsert(replace(ledger.table.known["c1"], labels={"disk": "ssd"}))
    assert set(scores(ledger, request)) == {"c1"}
    ledger.remove("c1")
    assert set(scores(ledger, request)) == {"a1", "b1"}


@pytest.mark.parametrize(
    ("residents", "term", "more"),
    [
        ({"a1": 3}, Affinity("app", "Rack", weight=40), {"a1": 0.4, "a2": 0.4}),
        ({"a1": 1, "b1": 1}, AntiAffinity("app", "Rack", weight=100), {"a1": -1, "a2": -1, "b1": -1, "b2": -1}),
        ({"a1": 1, "b1": 2}, AntiAffinity("app", "Host", weight=30, limit=2), {"b1": -0.3}),
        (
            {"a1": 1, "b1": 1, "b2": 2},
            Spread("app", "FailureDomain", required=False),
            {"a1": -0.5, "a2": -0.5, "a3": -0.5, "b1": -1.5, "b2": -1.5},
        ),
        (
            {"a1": 2, "b1": 1, "c1": 1},
            Spread("app", "FailureDomain", required=False),
            {"a1": -0.5, "a2": -0.5, "a3": -0.5},
        ),
    ],
)
def test_a_preferred_term_adds_to_the_scores_of_some_domains(
    residents: dict[str, int], term: Term, more: dict[str, float]
) -> None:
    ledger = world(residents)
    without = scores(ledger, Request(SIZE))
    expected = {name: score + more.get(name, 0) for name, score in without.items()}
    assert scores(ledger, Request(SIZE, terms=(term,))) == pytest.approx(expected, abs=1e-6)
    assert scores(ledger, Request(SIZE)) == without, "only this request prefers them"


def test_terms_come_together() -> None:
    terms = (
        Affinity("app", "FailureDomain"),
        AntiAffinity("app", "Host"),
        Affinity("db", "Rack", weight=10),
    )
    ledger = world({"a1": 1})
    ledger.set_claims("db", {("db", "a3"): Claim(Resources(1), (), frozenset({"db"}))})
    found = scores(ledger, Request(SIZE, terms=terms))
    assert max(found, key=found.__getitem__) == "a3"
    assert set(found) == {"a2", "a3"}


@pytest.mark.parametrize(
    ("term", "allowed"),
    [
        (AntiAffinity("app", "FailureDomain"), {"a1", "a2", "a3", "c1"}),
        (AntiAffinity("app", "Host"), ALL - {"b1"}),
        (Affinity("app", "Rack", own=True), {"b1", "b2"}),
        (Spread("app", "FailureDomain"), {"a1", "a2", "a3", "c1"}),
    ],
)
def test_a_virtual_machine_that_moves_is_not_in_its_own_way(term: Term, allowed: set[str]) -> None:
    """One is on a1, which moves, and one on b1."""
    ledger = world({"a1": 1, "b1": 1})
    request = Request(SIZE, terms=(term,), marks=frozenset({"app"}), leaves="a1")
    assert set(scores(ledger, request)) == allowed
    assert set(scores(ledger, replace(request, leaves=None))) != allowed


def test_the_last_of_its_kind_moves_anywhere_even_off_a_host_that_is_gone() -> None:
    request = Request(SIZE, terms=(Affinity("app", "Host", own=True),), marks=frozenset({"app"}))
    for host in ("a1", "gone"):
        assert set(scores(world({host: 1}), replace(request, leaves=host))) == ALL


def test_a_refusal_names_each_term_and_counts_every_host_once() -> None:
    ledger = world({"a1": 1}, c1={"blocked": "cordoned"})
    terms = (Affinity("app", "FailureDomain", told="affinity to web"), AntiAffinity("app", "FailureDomain"))
    refused = decide(ledger, Request(SIZE, terms=terms))
    assert refused.reason == "AffinityUnsatisfiable"  # type: ignore[union-attr]
    assert refused.message == (  # type: ignore[union-attr]
        "0/6 hosts available: 3 not satisfying anti-affinity, 2 not satisfying affinity to web, 1 cordoned"
    )
