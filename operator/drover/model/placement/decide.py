"""The decision: the best of all hosts, or a refusal that says how many hosts failed on what."""

from __future__ import annotations

from typing import Final

import numpy as np

from drover.model.placement.decision import Decision, Placed, Request
from drover.model.placement.ledger import Ledger
from drover.model.placement.refusal import refuse
from drover.model.placement.resources import Resources
from drover.model.placement.table import BoolArray, FloatArray, HostTable, IntArray

IMBALANCE_WEIGHT: Final = 0.25
"""What using CPU and memory unevenly costs, beside 1 for the mean use of the weighted resources."""
SCORE_UNIT: Final = 1_000_000
"""Scores are compared in millionths, so that the number a person reads is the number that decided."""
TOP_HOSTS: Final = 5
_CPU, _MEMORY, _DISK, _NETWORK = range(4)
_INFEASIBLE: Final = -1
_RANK_BITS: Final = 32


def decide(ledger: Ledger, request: Request) -> Decision:
    """Finds the best of all hosts for the request, or says why there is none. Changes nothing.

    Best is the highest score; hosts that score alike go by natural name order (``p1-2`` before ``p1-10``).
    """
    table = ledger.table
    pool = table.in_pool(request.pool)
    feasible = _feasible(table, request, pool)
    count = int(np.count_nonzero(feasible))
    if not count:
        return refuse(table, request)
    scores = _scores(table, request.resources)
    best_first = _best(np.where(feasible, scores, _INFEASIBLE), table.ranks, min(count, TOP_HOSTS))
    top = tuple((table.row_at(slot).name, int(scores[slot]) / SCORE_UNIT) for slot in best_first)
    return Placed(
        host=top[0][0],
        score=top[0][1],
        strategy=table.row_at(best_first[0]).strategy,
        evaluated=int(np.count_nonzero(pool)),
        feasible=count,
        top=top,
    )


def _feasible(table: HostTable, request: Request, pool: BoolArray) -> BoolArray:
    """The hosts that pass every rule of ``refusal``."""
    mask = pool & table.unblocked
    if request.node_selector:
        mask &= table.matching(request.node_selector)
    if request.hosts is not None:
        requested = np.zeros_like(mask)
        requested[table.slots(request.hosts)] = True
        mask &= requested
    mask[table.slots(request.exclude)] = False
    for room, need in zip(table.room, request.resources, strict=True):
        if need > 0:
            mask &= room >= need
    return mask


def _scores(table: HostTable, need: Resources) -> IntArray:
    """The score of every host in millionths, from 0 to 1,000,000; meaningless where the request does not fit.

    With u the fraction of a resource in use once the request is placed::

        fullness = sum(weight x u) / sum(weight)
        goal     = fullness where the strategy is Pack, 1 - fullness where it is Balance
        score    = (goal + 0.25 x (1 - |u_cpu - u_memory|)) / 1.25

    Mean use less a quarter of the imbalance, scaled to [0, 1]. The second term keeps CPU from being stranded
    beside full memory, or memory beside full CPU (kube-scheduler's NodeResourcesBalancedAllocation).
    """
    cpu, memory = (_used(table, need, resource) for resource in (_CPU, _MEMORY))
    fullness = table.weights[_CPU] * cpu + table.weights[_MEMORY] * memory
    for resource in (_DISK, _NETWORK):
        if table.weights[resource].any():
            fullness += table.weights[resource] * _used(table, need, resource)
    goal = np.where(table.packs, fullness, 1 - fullness)
    score = (goal + IMBALANCE_WEIGHT * (1 - np.abs(cpu - memory))) / (1 + IMBALANCE_WEIGHT)
    millionths: IntArray = np.rint(score * SCORE_UNIT).astype(np.int64)
    return millionths


def _used(table: HostTable, need: Resources, resource: int) -> FloatArray:
    """The fraction of a resource in use on every host once the request is placed there."""
    fraction: FloatArray = (table.allocated[resource] + need[resource]) * table.inverse[resource]
    return np.minimum(fraction, 1.0, out=fraction)


def _best(scores: IntArray, ranks: IntArray, count: int) -> list[int]:
    """The columns of the best hosts, best first."""
    keys = (scores << _RANK_BITS) - ranks
    best = []
    for _ in range(count):
        slot = int(keys.argmax())
        best.append(slot)
        keys[slot] = _INFEASIBLE << _RANK_BITS
    return best
