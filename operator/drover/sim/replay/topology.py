"""Requests with NUMA cells, racks and groups, served in order on hosts that are given; nobody leaves.

A group's members are known when its first one comes, as those of a PlacementGroup are; nothing else is known before its
turn.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from drover.model.placement import (
    Affinity,
    AntiAffinity,
    Claim,
    HostRow,
    Ledger,
    Placed,
    Request,
    Resources,
    Strategy,
    Term,
    decide,
)
from drover.model.placement.whatif import place_together

Rule = Literal["affinity", "anti-affinity", "fault_domain"]


class Group(NamedTuple):
    rule: Rule
    """affinity: one rack; anti-affinity: distinct hosts; fault_domain: no rack for two domains."""
    name: str


@dataclass(frozen=True, slots=True)
class CellHost:
    """A host by what is free in each of its NUMA cells, which may differ."""

    cells: tuple[Resources, ...]
    rack: str


@dataclass(frozen=True, slots=True)
class Ask:
    """One virtual machine."""

    size: Resources
    numa_nodes: int
    group: Group | None = None
    domain: str = ""
    """The domain within a group of rule fault_domain."""


Refusals = Mapping[Rule | None, int]
"""How many requests were refused, by the rule of their group; None for those of no group."""


def replay(hosts: Sequence[CellHost], asks: Sequence[Ask], strategy: Strategy, *, look_ahead: bool) -> Refusals:
    """Serves all requests. With ``look_ahead`` the first member of a group goes where the whole group fits best."""
    ledger = filled(hosts, strategy)
    requests = [request_of(ask, domains) for ask, domains in zip(asks, _domains(asks), strict=True)]
    unplanned = _members(asks, requests) if look_ahead else {}
    refused: Counter[Rule | None] = Counter()
    for number, (ask, request) in enumerate(zip(asks, requests, strict=True)):
        uid, members = str(number), unplanned.pop(ask.group, {})
        decision = decide(ledger, request, _planned(ledger, uid, members))
        if isinstance(decision, Placed):
            ledger.set_claims(uid, {(uid, decision.host): request.claim(decision.cells)})
        else:
            refused[ask.group.rule if ask.group is not None else None] += 1
    return refused


def _members(asks: Sequence[Ask], requests: Sequence[Request]) -> dict[Group | None, dict[str, Request]]:
    """The requests of each group, by uid."""
    members: dict[Group | None, dict[str, Request]] = defaultdict(dict)
    for number, (ask, request) in enumerate(zip(asks, requests, strict=True)):
        if ask.group is not None:
            members[ask.group][str(number)] = request
    return members


def _planned(ledger: Ledger, uid: str, members: Mapping[str, Request]) -> str | None:
    """The host planned for one of the members; where only others could be planned for, beside them."""
    plan = place_together(ledger, members)
    return plan.get(uid, next(iter(plan.values()), None))


def filled(hosts: Sequence[CellHost], strategy: Strategy) -> Ledger:
    """The hosts. Placement knows equal cells only, so a placeholder claims what a cell has less than the largest."""
    ledger = Ledger()
    for number, host in enumerate(hosts):
        name = str(number)
        largest = Resources()
        for cell in host.cells:
            largest = largest.maximum(cell)
        total = Resources(largest.milli_cpu * len(host.cells), largest.memory * len(host.cells))
        ledger.upsert(HostRow(name, "", total, rack=host.rack, cells=len(host.cells), strategy=strategy))
        missing = {cell: largest - free for cell, free in enumerate(host.cells) if free != largest}
        ledger.set_claims(
            ("missing", name),
            {(f"missing-{name}-{cell}", name): Claim(size, (cell,)) for cell, size in missing.items()},
        )
    return ledger


def request_of(ask: Ask, domains: frozenset[str]) -> Request:
    """What a request asks of placement; ``domains`` are all of its group's."""
    group = ask.group
    if group is None:
        return Request(ask.size, numa_nodes=ask.numa_nodes)
    mark: Hashable = group
    terms: tuple[Term, ...]
    match group.rule:
        case "affinity":
            terms = (Affinity(group, "Rack", own=True),)
        case "anti-affinity":
            terms = (AntiAffinity(group, "Host"),)
        case "fault_domain":
            mark = (group, ask.domain)
            terms = tuple(AntiAffinity((group, other), "Rack") for other in sorted(domains - {ask.domain}))
    return Request(ask.size, numa_nodes=ask.numa_nodes, terms=terms, marks=frozenset({mark}))


def _domains(asks: Sequence[Ask]) -> Iterator[frozenset[str]]:
    """For each request, the domains of its group."""
    of: dict[Group | None, set[str]] = defaultdict(set)
    for ask in asks:
        of[ask.group].add(ask.domain)
    return (frozenset(of[ask.group]) for ask in asks)
