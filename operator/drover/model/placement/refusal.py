"""Why no host fits: the rules in their order, counted over the hosts evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from drover.model.placement.decision import RefusalReason, Refused, Request
from drover.model.placement.resources import RESOURCE_NAMES, Resources
from drover.model.placement.table import BoolArray, HostTable

NOT_REQUESTED: Final = "not one of the requested hosts"
EXCLUDED: Final = "excluded"
SELECTOR: Final = "node selector does not match"
TOO_SMALL: Final = "physically too small"
_NETWORK: Final = RESOURCE_NAMES.index("network")


def refuse(table: HostTable, request: Request) -> Refused:
    """The refusal of a request that no host fits."""
    open_hosts = table.in_pool(request.pool)
    evaluated = int(open_hosts.sum())
    rejections: dict[str, int] = {}
    for reason, failing in _rules(table, request):
        if count := int((open_hosts & failing).sum()):
            rejections[reason] = count
            open_hosts = open_hosts & ~failing
    return Refused(_reason(rejections), evaluated, rejections, _message(request.pool, evaluated, rejections))


def _rules(table: HostTable, request: Request) -> Iterator[tuple[str, BoolArray]]:
    """Every rule with the hosts that fail it, in the order in which a host's first failure is told."""
    if request.hosts is not None:
        yield NOT_REQUESTED, ~_listed(table, request.hosts)
    yield EXCLUDED, _listed(table, request.exclude)
    yield SELECTOR, ~table.matching(request.node_selector)
    yield from table.blocks()
    yield TOO_SMALL, _smaller(table, request.resources)
    for resource, room, need in zip(RESOURCE_NAMES, table.room, request.resources, strict=True):
        if need > 0:
            yield f"insufficient {resource}", room < need


def _listed(table: HostTable, names: frozenset[str]) -> BoolArray:
    mask = np.zeros(len(table), np.bool_)
    mask[table.slots(names)] = True
    return mask


def _smaller(table: HostTable, need: Resources) -> BoolArray:
    """The hosts whose hardware is smaller than the machine, whatever their ratios promise."""
    mask = np.zeros(len(table), np.bool_)
    for total, amount in zip(table.total[:_NETWORK], need, strict=False):
        mask |= total < amount
    return mask


def _reason(rejections: Mapping[str, int]) -> RefusalReason:
    if rejections.keys() <= {NOT_REQUESTED}:
        return "HostNotFound"
    if SELECTOR in rejections and rejections.keys() <= {NOT_REQUESTED, EXCLUDED, SELECTOR}:
        return "AffinityUnsatisfiable"
    return "NoCapacity"


def _message(pool: str | None, evaluated: int, rejections: Mapping[str, int]) -> str:
    if not evaluated:
        return "0/0 hosts available: " + (f"pool {pool} has no hosts" if pool else "there are no hosts")
    most_first = sorted(rejections.items(), key=lambda item: -item[1])
    return f"0/{evaluated} hosts available: " + ", ".join(f"{count} {reason}" for reason, count in most_first)
