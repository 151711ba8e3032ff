"""Why no host fits: the rules in their order, counted over the hosts evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from drover.model.placement import beside, cells
from drover.model.placement.decision import RefusalReason, Refused
from drover.model.placement.ledger import Ledger
from drover.model.placement.request import Request
from drover.model.placement.reserve import exceeded
from drover.model.placement.resources import Resources
from drover.model.placement.rules import Family
from drover.model.placement.scoring import Amounts, capped, cpu_in_use

BoolArray = npt.NDArray[np.bool_]

NOT_REQUESTED: Final = "not one of the requested hosts"
EXCLUDED: Final = "excluded"
TOO_SMALL: Final = "physically too small"
UNSATISFIED: Final = "not satisfying"
"""What the words of every term that is not satisfied begin with."""

_REASONS: Final[Mapping[Family, RefusalReason]] = {
    "requested": "HostNotFound",
    "selector": "AffinityUnsatisfiable",
    "traits": "NoHostWithTraits",
    "cpu": "NoHostWithTraits",
    "taint": "TaintNotTolerated",
    "blocked": "NoCapacity",
    "capacity": "NoCapacity",
    "terms": "AffinityUnsatisfiable",
    "reserve": "FailoverCapacityWouldBeLost",
}
"""The reason of a refusal is that of the last rule any host came to: what stops the most fitting ones."""

_ORDER: Final[Mapping[Family, int]] = {family: place for place, family in enumerate(_REASONS)}

Rejection = tuple[Family, str, BoolArray]
"""A rule, the words it is counted under, and the hosts by slot that fail it."""


def refuse(ledger: Ledger, request: Request) -> Refused:
    """The refusal of a request that no host fits."""
    left = _in_pool(ledger, request)
    evaluated = int(np.count_nonzero(left))
    rejections: dict[str, int] = {}
    last: Family = "requested"
    for family, words, failing in _rejections(ledger, request):
        if count := int(np.count_nonzero(left & failing)):
            rejections[words] = rejections.get(words, 0) + count
            left = left & ~failing
            last = family
            if not left.any():
                break
    return Refused(_REASONS[last], evaluated, rejections, told(request.pool, evaluated, rejections))


def _in_pool(ledger: Ledger, request: Request) -> BoolArray:
    in_pool = np.zeros(len(ledger), np.bool_)
    in_pool[ledger.table.slots_in_pool(request.pool)] = True
    return in_pool


def _rejections(ledger: Ledger, request: Request) -> Iterator[Rejection]:
    table = ledger.table
    if request.hosts is not None:
        yield "requested", NOT_REQUESTED, ~_listed(ledger, request.hosts)
    if request.exclude:
        yield "blocked", EXCLUDED, _listed(ledger, request.exclude)
    yield from _objections(ledger, request)
    yield from _shortages(ledger, request)
    for effect in beside.effects(ledger, request):
        failing = np.zeros(len(table), np.bool_)
        if effect.only is not None:
            failing[:] = True
            failing[table.slots_in(effect.topology, effect.only)] = False
        failing[table.slots_in(effect.topology, effect.barred)] = True
        yield "terms", f"{UNSATISFIED} {effect.told}", failing
    for pool, reserve in ledger.reserved(request):
        if exceeded(table, pool, reserve, request):
            failing = np.zeros(len(table), np.bool_)
            failing[table.slots_in_pool(pool)] = True
            yield "reserve", str(reserve), failing


def _objections(ledger: Ledger, request: Request) -> Iterator[Rejection]:
    """What the hosts' characters fail on. Characters fail on one rule each, so these masks do not overlap."""
    objections, character_of = ledger.table.scores.objections(request.signature.constraints)
    by_words: dict[tuple[Family, str], list[int]] = {}
    for number, found in enumerate(objections):
        if found is not None and found[0] != "elsewhere":
            by_words.setdefault(found, []).append(number)
    for (family, words), numbers in sorted(by_words.items(), key=lambda item: (_ORDER[item[0][0]], item[0][1])):
        failing = np.zeros(len(objections), np.bool_)
        failing[numbers] = True
        yield family, words, failing[character_of]


def _shortages(ledger: Ledger, request: Request) -> Iterator[Rejection]:
    table, size = ledger.table, request.resources
    used, limits = table.scores.used, table.scores.limits()
    need, guest = Amounts(*capped(size)), request.signature.guest_milli_cpu
    smaller = np.less(limits.total_cpu, guest) | np.less(limits.total_memory, size.memory)
    yield "capacity", TOO_SMALL, smaller | np.less(limits.total_disk, size.disk)
    if need.milli_cpu or need.milli_threads:
        yield "capacity", "insufficient cpu", np.greater(cpu_in_use(used, limits, need), limits.cpu)
    for name, amount, taken, limit in (
        ("memory", need.memory, used.memory, limits.memory),
        ("disk", need.disk, used.disk, limits.disk),
        ("network", need.bandwidth, used.bandwidth, limits.bandwidth),
    ):
        if amount:
            yield "capacity", f"insufficient {name}", np.greater(taken + amount, limit)
    for device, count in size.gpus:
        yield "capacity", f"insufficient GPU {device}", _without_gpus(ledger, device, count)
    if request.numa_nodes:
        yield "capacity", "without a NUMA cell that has room", _without_cells(ledger, request)


def _without_gpus(ledger: Ledger, device: str, count: int) -> BoolArray:
    loads = ((row, ledger.table.load(row.name).resources.gpus) for row in ledger.table.rows)
    free = [dict((row.allocatable - Resources(gpus=used)).gpus).get(device, 0) for row, used in loads]
    return np.array(free) < count


def _without_cells(ledger: Ledger, request: Request) -> BoolArray:
    loads = ((row.shape, ledger.table.load(row.name).cells) for row in ledger.table.rows)
    chosen = [cells.choose(shape, load, request.resources, request.numa_nodes) for shape, load in loads]
    return np.array([found is None for found in chosen], np.bool_)


def _listed(ledger: Ledger, names: frozenset[str]) -> BoolArray:
    mask = np.zeros(len(ledger), np.bool_)
    mask[ledger.table.slots(names)] = True
    return mask


def told(pool: str | None, evaluated: int, rejections: Mapping[str, int]) -> str:
    """One line for people."""
    if not evaluated:
        return "0/0 hosts available: " + (f"pool {pool} has no hosts" if pool else "there are no hosts")
    most_first = sorted(rejections.items(), key=lambda item: -item[1])
    return f"0/{evaluated} hosts available: " + ", ".join(f"{count} {reason}" for reason, count in most_first)
