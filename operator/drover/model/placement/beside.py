"""What the terms of a request make of each domain: barred, worth more, or worth less."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from drover.model.placement.hosts import Topology
from drover.model.placement.ledger import Ledger
from drover.model.placement.request import Request
from drover.model.placement.scoring import INFEASIBLE, Scores
from drover.model.placement.terms import PREFERENCE_UNIT, Affinity, AntiAffinity, Spread, Term

SKEW_WEIGHT: Final = 50
"""What each virtual machine more than in the emptiest domain weighs against a domain, where spread is preferred."""
_NO_BONUS: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Effect:
    """What one term says of the domains of one topology."""

    topology: Topology
    told: str
    only: Collection[str] | None = None
    """The only domains allowed; None allows all."""
    barred: Collection[str] = ()
    bonus: Mapping[str, float] = field(default_factory=lambda: _NO_BONUS)
    """What is added to the scores of a domain's hosts."""


def effects(ledger: Ledger, request: Request) -> Iterator[Effect]:
    """What each term says as things are now."""
    for term in request.terms:
        yield _effect(term, _counts(ledger, request, term), ledger, request)


def apply(effect: Effect, scores: Scores, ledger: Ledger) -> None:
    """Changes the scores, by slot, in place."""
    table = ledger.table
    if effect.only is not None:
        slots = table.slots_in(effect.topology, effect.only)
        kept = scores[slots]
        scores.fill(INFEASIBLE)
        scores[slots] = kept
    if effect.barred:
        scores[table.slots_in(effect.topology, effect.barred)] = INFEASIBLE
    for domain, bonus in effect.bonus.items():
        scores[table.slots_in(effect.topology, (domain,))] += bonus


def _counts(ledger: Ledger, request: Request, term: Term) -> Mapping[str, int]:
    """The others with the term's mark, by domain."""
    counts = ledger.counts(term.mark, term.topology)
    source = ledger.row(request.leaves) if request.leaves is not None else None
    if source is None or term.mark not in request.marks:
        return counts
    own = source.domain(term.topology)
    others = dict(counts)
    others[own] = others.get(own, 0) - 1
    return {domain: count for domain, count in others.items() if count > 0}


def _effect(term: Term, counts: Mapping[str, int], ledger: Ledger, request: Request) -> Effect:
    match term:
        case Affinity(weight=None):
            there = counts.keys() & ledger.table.known.keys() if term.topology == "Host" else counts.keys()
            return Effect(term.topology, term.told, only=None if term.own and not there else there)
        case Affinity():
            return Effect(term.topology, term.told, bonus=dict.fromkeys(counts, (term.weight or 0) / PREFERENCE_UNIT))
        case AntiAffinity():
            full = [domain for domain, count in counts.items() if count >= term.limit]
            if term.weight is None:
                return Effect(term.topology, term.told, barred=full)
            return Effect(term.topology, term.told, bonus=dict.fromkeys(full, -term.weight / PREFERENCE_UNIT))
        case Spread():
            return _spread(term, counts, ledger.eligible(request.signature.constraints, term.topology))


def _spread(term: Spread, counts: Mapping[str, int], eligible: frozenset[str]) -> Effect:
    within = {domain: count for domain, count in counts.items() if domain in eligible}
    some_empty = len(within) < len(eligible) or len(eligible) < term.min_domains
    least = 0 if some_empty or not within else min(within.values())
    if term.required:
        most = least + term.max_skew - term.own
        return Effect(term.topology, term.told, barred=[domain for domain, count in within.items() if count > most])
    step = SKEW_WEIGHT / PREFERENCE_UNIT
    return Effect(
        term.topology,
        term.told,
        bonus={domain: -step * (count - least) for domain, count in within.items() if count > least},
    )
