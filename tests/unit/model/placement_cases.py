"""Hosts, requests and sequences of changes for the property tests of placement, and what carries them out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
from hypothesis import strategies as st
from plain_placement import Pair, Plain

from drover.model.placement import (
    Affinity,
    AntiAffinity,
    Claim,
    Decision,
    HostRow,
    Ledger,
    Ratios,
    Refused,
    Request,
    Reserve,
    Resources,
    Spread,
    Taint,
    Term,
    Toleration,
    Weights,
    decide,
)

NAMES = [f"p1-{index}" for index in (1, 2, 3, 10, 11)] + [f"p2-{index}" for index in (1, 2, 9, 10)]
POOLS = ("p1", "p2")
MARKS = ("app", "db")
ODD = Fraction(1_333_333, 1_000_000)
"""A ratio that leaves a remainder with every number of threads."""

RESERVES = [None, Reserve(1), Reserve(2), Reserve(percent=30), Reserve()]
Overrides = dict[str, Any]
"""Fields by name."""

LIKE_MOST: Overrides = {"labels": {"disk": "ssd"}, "traits": frozenset({"AVX"}), "cpu_model": "Icelake-Server"}
PECULIARITIES: list[Overrides] = [
    {"reserved": Resources(500, 3, 1)},
    {"reserved": Resources(2_000, 5, 30, 15)},
    {"ratios": Ratios(Fraction(4), Fraction(3, 2))},
    {"ratios": Ratios(ODD, Fraction(1), Fraction(1, 2))},
    {"labels": {}},
    {"labels": {"disk": "hdd", "os": "any"}},
    {"taints": (Taint("gpu"),)},
    {"taints": (Taint("slow", "yes", "PreferNoSchedule"),)},
    {"taints": (Taint("team", "a"), Taint("slow", "", "PreferNoSchedule"))},
    {"traits": frozenset({"AVX", "SGX"})},
    {"traits": frozenset[str]()},
    {"cpu_model": None},
    {"cpu_model": "EPYC-Milan"},
    {"cpu_model": "x86-64-v3"},
    {"cells": 2},
    {"cells": 4},
    {"blocked": "cordoned"},
    {"blocked": "not ready"},
    {"strategy": "Pack"},
    {"strategy": "Pack", "weights": Weights(3, 1, 1, 2)},
    {"weights": Weights(0, 0, 1, 4)},
    {"weights": Weights(0, 0, 0, 0)},
]
CHANGES: list[Overrides] = [*PECULIARITIES, LIKE_MOST, {"blocked": None, "taints": ()}, {"failure_domain": "z1"}]


TOTALS = st.builds(
    Resources,
    milli_cpu=st.integers(3, 8).map(lambda cores: cores * 1_000),
    memory=st.integers(10, 24),
    disk=st.sampled_from([12, 24, 0]),
    bandwidth=st.sampled_from([20, 20, 10, 0]),
    milli_threads=st.just(0),
    gpus=st.sampled_from([(("a100", 2),), (), (("a100", 1), ("l40", 4))]),
)


def _host(name: str, pool: str, total: Resources, zone: str, rack: str, peculiar: list[Overrides]) -> HostRow:
    row = HostRow(name, pool, total, failure_domain=zone, rack=rack, **LIKE_MOST)
    return reduce(lambda row, fields: replace(row, **fields), peculiar, row)


HOST_ROWS = st.builds(
    _host,
    st.sampled_from(NAMES),
    st.sampled_from(POOLS),
    TOTALS,
    st.sampled_from(["z1", "z2", "z3", ""]),
    st.sampled_from(["r1", "r2"]),
    st.lists(st.sampled_from(PECULIARITIES), max_size=3),
)

SIZES = st.builds(
    Resources,
    milli_cpu=st.sampled_from([500, 1_000, 2_000, 0]),
    memory=st.integers(0, 5),
    disk=st.sampled_from([0, 3]),
    bandwidth=st.sampled_from([0, 0, 4]),
    milli_threads=st.sampled_from([0, 0, 1_000, 1_501]),
    gpus=st.sampled_from([(), (), (), (), (("a100", 1),), (("a100", 1), ("l40", 2))]),
)
DOMAINS = st.sampled_from(["Host", "Rack", "FailureDomain"])
SPREADS = st.builds(
    Spread,
    mark=st.sampled_from(MARKS),
    topology=DOMAINS,
    max_skew=st.integers(1, 2),
    required=st.booleans(),
    min_domains=st.sampled_from([1, 1, 3]),
    own=st.booleans(),
)
AFFINITIES = st.builds(
    Affinity,
    mark=st.sampled_from(MARKS),
    topology=DOMAINS,
    weight=st.sampled_from([None, 40, 100]),
    own=st.booleans(),
)
ANTI_AFFINITIES = st.builds(
    AntiAffinity,
    mark=st.sampled_from(MARKS),
    topology=DOMAINS,
    weight=st.sampled_from([None, 30]),
    limit=st.integers(1, 2),
)
CONSTRAINTS: list[Overrides] = [
    {"pool": "p1"},
    {"pool": "p3"},
    {"node_selector": {"disk": "ssd"}},
    {"node_selector": {"disk": "hdd", "os": "any"}},
    {"tolerations": (Toleration("gpu", "Exists"),)},
    {"tolerations": (Toleration("team", "Equal", "a"), Toleration("slow", "Exists", effect="PreferNoSchedule"))},
    {"tolerations": (Toleration("", "Exists"),)},
    {"required_traits": frozenset({"AVX"})},
    {"required_traits": frozenset({"AVX", "SGX"})},
    {"forbidden_traits": frozenset({"SGX"})},
    {"cpu_model": "Haswell"},
    {"cpu_model": "x86-64-v3"},
    {"numa_nodes": 1},
    {"numa_nodes": 2},
    {"numa_nodes": 1, "vcpus": 3},
    {"vcpus": 4},
    {"hosts": frozenset(NAMES[::2])},
    {"hosts": frozenset({*NAMES[3:6], "gone"})},
    {"exclude": frozenset(NAMES[:2])},
    {"unreserved": True},
]


def _request(size: Resources, terms: list[Term], marks: frozenset[str], constraints: list[Overrides]) -> Request:
    request = Request(size, terms=tuple(terms), marks=frozenset(marks))
    return reduce(lambda request, fields: replace(request, **fields), constraints, request)


MARKED = st.frozensets(st.sampled_from(MARKS), max_size=2)
REQUESTS = st.builds(
    _request,
    SIZES,
    st.lists(st.one_of(SPREADS, AFFINITIES, ANTI_AFFINITIES), max_size=2),
    MARKED,
    st.lists(st.sampled_from(CONSTRAINTS), max_size=2),
)
CLAIMS = st.builds(
    Claim,
    resources=SIZES,
    cells=st.sampled_from([(), (), (0,), (1,), (0, 1), (2, 3)]),
    marks=MARKED,
    parts=st.just(0),  # only a maximum of claims sets it; Hypothesis fills every field of a NamedTuple left out here
)
STATEMENTS = st.dictionaries(st.tuples(st.sampled_from(["u1", "u2"]), st.sampled_from(NAMES)), CLAIMS, max_size=3)


@dataclass(frozen=True)
class Change:
    """Some fields of one known host."""

    name: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Remove:
    name: str


@dataclass(frozen=True)
class State:
    """One contributor's claims."""

    contributor: Hashable
    claims: dict[Pair, Claim]


@dataclass(frozen=True)
class Place:
    """A request is decided and its host claimed."""

    request: Request


@dataclass(frozen=True)
class Move:
    """One of those placed before is decided again, for another host."""

    index: int


@dataclass(frozen=True)
class Release:
    index: int


@dataclass(frozen=True)
class HoldBack:
    pool: str
    reserve: Reserve | None


Step = HostRow | Change | Remove | State | Place | Move | Release | HoldBack

STEPS: st.SearchStrategy[Step] = st.one_of(
    HOST_ROWS,
    st.builds(Change, st.sampled_from(NAMES), st.sampled_from(CHANGES)),
    st.builds(Remove, st.sampled_from(NAMES)),
    st.builds(State, st.sampled_from(["observed", "assumed", "migration"]), STATEMENTS),
    st.builds(Place, REQUESTS),
    st.builds(Place, REQUESTS),
    st.builds(Move, st.integers(0, 5)),
    st.builds(Release, st.integers(0, 5)),
    st.builds(HoldBack, st.sampled_from(POOLS), st.sampled_from(RESERVES)),
)
FLEETS = st.lists(HOST_ROWS, min_size=4, max_size=9, unique_by=lambda row: row.name)


@dataclass
class Resident:
    """A virtual machine that is placed: what it asked for, and where it is."""

    request: Request
    host: str


@dataclass
class Story:
    """A ledger and the plain account of what it was told."""

    ledger: Ledger = field(default_factory=Ledger)
    plain: Plain = field(default_factory=Plain)
    residents: dict[str, Resident] = field(default_factory=dict)
    born: int = 0
    on_decision: Callable[[Story, Request, Decision], None] | None = None
    """Called with every decision, before it is carried out."""

    def copy(self) -> Story:
        return replace(self, ledger=self.ledger.copy(), plain=self.plain.copy(), residents=dict(self.residents))

    def take(self, step: Step) -> None:
        """Carries a step out."""
        match step:
            case HostRow():
                self.ledger.upsert(step)
                self.plain.rows[step.name] = step
            case Change() if step.name in self.plain.rows:
                self.take(replace(self.plain.rows[step.name], **step.fields))
            case Remove():
                self.ledger.remove(step.name)
                self.plain.rows.pop(step.name, None)
            case State():
                self.state(step.contributor, step.claims)
            case Place():
                self.place(step.request)
            case Move() if self.residents:
                self.move(list(self.residents)[step.index % len(self.residents)])
            case Release() if self.residents:
                self.release(list(self.residents)[step.index % len(self.residents)])
            case HoldBack():
                for reserves in (self.ledger.reserves, self.plain.reserves):
                    reserves.pop(step.pool, None)
                    if step.reserve is not None:
                        reserves[step.pool] = step.reserve

    def state(self, contributor: Hashable, claims: dict[Pair, Claim]) -> None:
        self.ledger.set_claims(contributor, claims)
        self.plain.stated[contributor] = claims

    def place(self, request: Request) -> str | None:
        """The host it was given."""
        self.born += 1
        return self._decide(f"vm{self.born}", request)

    def move(self, uid: str) -> str | None:
        """To any other host."""
        request, host = self.residents[uid].request, self.residents[uid].host
        return self._decide(uid, replace(request, leaves=host, exclude=request.exclude | {host}))

    def release(self, uid: str) -> None:
        self.state(uid, {})
        del self.residents[uid]

    def _decide(self, uid: str, request: Request) -> str | None:
        decision = decide(self.ledger, request)
        if self.on_decision is not None:
            self.on_decision(self, request, decision)
        if isinstance(decision, Refused):
            return None
        self.state(uid, {(uid, decision.host): request.claim(decision.cells)})
        asked = self.residents[uid].request if uid in self.residents else request
        self.residents[uid] = Resident(asked, decision.host)
        return decision.host


def scores_of(ledger: Ledger, request: Request) -> bytes:
    """Every bit of the request's row."""
    return ledger.table.scores.row(request.signature).tobytes()


def scores_by_host(ledger: Ledger, request: Request) -> Iterator[tuple[str, float | None]]:
    """The score of each host in the request's row, None where it does not fit."""
    for row, score in zip(ledger.table.rows, ledger.table.scores.row(request.signature).tolist(), strict=True):
        yield row.name, None if score == -np.inf else score


def told_of(ledger: Ledger) -> dict[str, object]:
    """Everything the ledger tells of each host."""
    names = {*NAMES, *(row.name for row in ledger.table.rows)}
    return {
        name: (ledger.row(name), dict(ledger.claims_on(name)), ledger.allocated(name), ledger.allocatable(name))
        for name in names
    }
