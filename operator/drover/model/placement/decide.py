"""The decision: the best of all hosts, or a refusal that says how many hosts failed on what."""

from __future__ import annotations

from typing import Final

import numpy as np

from drover.model.placement import beside, cells
from drover.model.placement.decision import Candidate, Decision, Placed
from drover.model.placement.ledger import Ledger
from drover.model.placement.refusal import refuse
from drover.model.placement.request import Request
from drover.model.placement.reserve import exceeded
from drover.model.placement.scoring import INFEASIBLE, Scores, parts

TOP_HOSTS: Final = 5
DIGITS: Final = 6
"""Of scores, as people are told."""


def decide(ledger: Ledger, request: Request, planned: str | None = None) -> Decision:
    """Finds the best of all hosts for the request, or says why there is none. Changes nothing.

    Best is the highest score; hosts that score alike go by natural name order (``p1-2`` before ``p1-10``). A host that
    has been planned for the request (``whatif.place_together``) goes before all others, if it fits.
    """
    scores = candidates(ledger, request)
    feasible = int(np.count_nonzero(scores > INFEASIBLE))
    if not feasible:
        return refuse(ledger, request)
    remaining = scores.copy()
    first = [slot for slot in ledger.table.slots([planned] if planned else []) if remaining[slot] > INFEASIBLE]
    top = []
    for _ in range(min(feasible, TOP_HOSTS)):
        slot = first.pop() if first else int(remaining.argmax())
        top.append(_candidate(ledger, request, slot, float(remaining[slot])))
        remaining[slot] = INFEASIBLE
    best = top[0]
    row = ledger.table.known[best.host]
    return Placed(
        host=best.host,
        cells=cells_on(ledger, request, best.host),
        score=best.score,
        strategy=row.strategy,
        weights=row.weights,
        evaluated=ledger.evaluated(request.pool),
        feasible=feasible,
        top=tuple(top),
    )


def pick(ledger: Ledger, request: Request) -> str | None:
    """The host that ``decide`` would choose, or None, without the account of why."""
    scores = candidates(ledger, request)
    if not len(scores):
        return None
    slot = int(scores.argmax())
    return ledger.table.rows[slot].name if scores[slot] > INFEASIBLE else None


def candidates(ledger: Ledger, request: Request) -> Scores:
    """The score of every host by slot, minus infinity where the request may not go. Only to be read."""
    table = ledger.table
    scores = table.scores.row(request.signature)
    reserves = ledger.reserved(request) if ledger.reserves else []
    if not reserves and _asks_no_more(request):
        return scores
    scores = scores.copy()
    if request.hosts is not None:
        requested = table.slots(request.hosts)
        kept = scores[requested]
        scores.fill(INFEASIBLE)
        scores[requested] = kept
    if request.exclude:
        scores[table.slots(request.exclude)] = INFEASIBLE
    for effect in beside.effects(ledger, request):
        beside.apply(effect, scores, ledger)
    if request.lease is not None:
        scores += request.lease.preferences(table.rows)
    for pool, reserve in reserves:
        if exceeded(table, pool, reserve, request):
            scores[table.slots_in_pool(pool)] = INFEASIBLE
    return scores


def _asks_no_more(request: Request) -> bool:
    """Whether its signature says everything of the request."""
    return not request.terms and request.hosts is None and not request.exclude and request.lease is None


def cells_on(ledger: Ledger, request: Request, host: str) -> tuple[int, ...]:
    """The NUMA cells the request is given on a host that it fits on."""
    row, load = ledger.table.known[host], ledger.table.load(host)
    return cells.choose(row.shape, load.cells, request.resources, request.numa_nodes) or ()


def _candidate(ledger: Ledger, request: Request, slot: int, score: float) -> Candidate:
    row = ledger.table.rows[slot]
    told = parts(ledger.table.load(row.name).resources, row.shape, request.resources)
    told["preferences"] = score - sum(told.values())
    rounded = {name: round(part, DIGITS) for name, part in told.items()}
    return Candidate(row.name, round(score, DIGITS), {name: part for name, part in rounded.items() if abs(part) > 1e-5})
