"""Placing a group so that its first member does not doom the last: by looking ahead on all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from drover.model.placement.decide import candidates, pick
from drover.model.placement.ledger import Ledger
from drover.model.placement.request import Request
from drover.model.placement.resources import NO_RESOURCES
from drover.model.placement.scoring import INFEASIBLE
from drover.model.placement.terms import Affinity
from drover.model.placement.whatif.trial import Trial, trial

MAX_DOMAINS: Final = 64
"""Domains tried for a group that is to stay together."""


def place_together(ledger: Ledger, members: Mapping[str, Request]) -> dict[str, str]:
    """A host for as many of the members (uid to request) as possible; changes nothing.

    Members that must be together and have nobody to join go to the domain where most of them fit. Large members
    choose first.
    """
    order = sorted(members, key=lambda uid: (*_size(members[uid]), uid))
    if not order:
        return {}
    with trial(ledger) as attempt:
        best = _in_turn(attempt, members, order)
        bond = _unmet_bond(ledger, members[order[0]])
        if bond is None:
            return best
        for hosts in _domains(ledger, members, order, bond):
            if len(best) == len(order):
                break
            within = {uid: replace(request, hosts=hosts) for uid, request in members.items()}
            placed = _in_turn(attempt, within, order)
            if len(placed) > len(best):
                best = placed
        return best


def _in_turn(attempt: Trial, members: Mapping[str, Request], order: Sequence[str]) -> dict[str, str]:
    changes = attempt.changes
    found = {uid: attempt.place(uid, members[uid]) for uid in order}
    attempt.undo(changes)
    return {uid: host for uid, host in found.items() if host is not None}


def _unmet_bond(ledger: Ledger, request: Request) -> Affinity | None:
    """The affinity that keeps the members together, where nobody is there yet to say where."""
    bonds = (term for term in request.terms if isinstance(term, Affinity) and term.own and term.weight is None)
    return next((bond for bond in bonds if not ledger.counts(bond.mark, bond.topology)), None)


def _domains(
    ledger: Ledger, members: Mapping[str, Request], order: Sequence[str], bond: Affinity
) -> list[frozenset[str]]:
    """The hosts of each domain worth trying, the one with most room for the largest member first."""
    largest = members[order[0]]
    total = sum((request.resources for request in members.values()), NO_RESOURCES)
    if bond.topology == "Host":
        whole = pick(ledger, replace(largest, resources=total, vcpus=_most_vcpus(members), hosts=None))
        return [frozenset({whole})] if whole is not None else []
    rows = ledger.table.rows
    fitting = candidates(ledger, largest) > INFEASIBLE
    hosts: dict[str, set[str]] = {}
    for row, fits in zip(rows, fitting.tolist(), strict=True):
        if fits:
            hosts.setdefault(row.domain(bond.topology), set()).add(row.name)
    most_first = sorted(hosts, key=lambda domain: (-len(hosts[domain]), domain))
    return [frozenset(hosts[domain]) for domain in most_first[:MAX_DOMAINS]]


def _most_vcpus(members: Mapping[str, Request]) -> int:
    return max(-(-request.signature.guest_milli_cpu // 1000) for request in members.values())


def _size(request: Request) -> tuple[int, int]:
    """Sorts the largest first."""
    size = request.resources
    return -size.memory, -size.milli_cpu - size.milli_threads
