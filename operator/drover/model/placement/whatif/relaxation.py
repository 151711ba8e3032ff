"""What would make a refused request fit: single changes, each told only after it has been tried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from drover.model.placement.decide import candidates
from drover.model.placement.ledger import Ledger
from drover.model.placement.request import Request
from drover.model.placement.scoring import INFEASIBLE
from drover.model.placement.taints import Taint, Toleration, untolerated
from drover.model.placement.terms import AntiAffinity
from drover.model.placement.whatif.trial import trial

MOST: Final = 4
"""Changes told."""
MAX_HOSTS: Final = 8
"""Cordoned hosts tried one by one."""


class Alternative(NamedTuple):
    """Another request, and the change that makes it of the first one, as people are told."""

    change: str
    request: Request


def would_fit_if(ledger: Ledger, request: Request, alternatives: Iterable[Alternative] = ()) -> tuple[str, ...]:
    """Each a single change and what it brings: ``remove required trait HW_SSD: 3 hosts``; the gentlest first.

    ``alternatives`` are changes that only the caller can think of, such as other flavors, the gentlest first; the first
    that helps is told.
    """
    first = next(_helping(ledger, alternatives), None)
    found = [*([first] if first else []), *_helping(ledger, _relaxed(ledger, request))]
    return (*found, *_with_more_hosts(ledger, request))[:MOST]


def _helping(ledger: Ledger, changes: Iterable[Alternative]) -> Iterator[str]:
    for change, request in changes:
        if hosts := _fitting(ledger, request):
            yield f"{change}: {hosts} host{'s' if hosts > 1 else ''}"


def _fitting(ledger: Ledger, request: Request) -> int:
    return int(np.count_nonzero(candidates(ledger, request) > INFEASIBLE))


def _relaxed(ledger: Ledger, request: Request) -> Iterator[Alternative]:
    for term in request.terms:
        others = tuple(other for other in request.terms if other is not term)
        yield Alternative(f"without {term.told}", replace(request, terms=others))
    for label, value in sorted(request.node_selector.items()):
        others_ = {name: wanted for name, wanted in request.node_selector.items() if name != label}
        yield Alternative(f"without node selector {label}={value}", replace(request, node_selector=others_))
    for trait in sorted(request.required_traits):
        yield Alternative(
            f"without required trait {trait}", replace(request, required_traits=request.required_traits - {trait})
        )
    for trait in sorted(request.forbidden_traits):
        yield Alternative(
            f"without forbidden trait {trait}", replace(request, forbidden_traits=request.forbidden_traits - {trait})
        )
    if request.cpu_model is not None:
        yield Alternative(f"without CPU model {request.cpu_model}", replace(request, cpu_model=None))
    if request.numa_nodes:
        yield Alternative("without its NUMA policy", replace(request, numa_nodes=0))
    for taint in _taints(ledger, request):
        tolerated = Toleration(taint.key, "Equal", taint.value, taint.effect)
        yield Alternative(f"tolerating taint {taint}", replace(request, tolerations=(*request.tolerations, tolerated)))
    if request.pool is not None:
        yield Alternative("in any node pool", replace(request, pool=None))
    if ledger.reserves and not request.unreserved:
        yield Alternative("with what is held back for failover", replace(request, unreserved=True))


def _taints(ledger: Ledger, request: Request) -> list[Taint]:
    """The taints that stand in the way, each once."""
    seen = dict.fromkeys(
        taint
        for row in ledger.table.rows
        if request.pool in (None, row.pool)
        for taint in untolerated(row.taints, request.tolerations, "NoSchedule")
    )
    return list(seen)[:MAX_HOSTS]


def _with_more_hosts(ledger: Ledger, request: Request) -> Iterator[str]:
    """The first cordoned host that would take it, and one more host like those there, where that would."""
    rows = [row for row in ledger.table.rows if request.pool in (None, row.pool)]
    for row in [row for row in rows if row.blocked == "cordoned"][:MAX_HOSTS]:
        with trial(ledger) as attempt:
            attempt.block(row.name, None)
            if _fitting(ledger, replace(request, hosts=frozenset({row.name}))):
                yield f"uncordon {row.name}"
                break
    alike = {(row.shape, row.character._replace(blocked=None)): row for row in reversed(rows)}
    for row in list(reversed(alike.values()))[:MAX_HOSTS] if not _looks_beyond_hosts(request) else ():
        empty = Ledger()
        empty.upsert(replace(row, blocked=None))
        if _fitting(empty, replace(request, terms=())):
            yield f"one more host like {row.name}" + (f" in pool {row.pool}" if row.pool else "")
            break


def _looks_beyond_hosts(request: Request) -> bool:
    """Whether an empty host alone would not do, because of who is in its rack or zone, or has to be on it."""
    return any(not isinstance(term, AntiAffinity) or term.topology != "Host" for term in request.terms)
