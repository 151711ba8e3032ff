"""The rules that look at a host's character alone, in the order in which a host's first failure is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from drover.model.placement.cpumodels import provides
from drover.model.placement.hosts import Character
from drover.model.placement.request import Constraints
from drover.model.placement.taints import untolerated

Family = Literal[
    "elsewhere", "requested", "selector", "traits", "cpu", "taint", "blocked", "capacity", "terms", "reserve"
]
"""Kinds of rules, in the order in which they are tried. "elsewhere": hosts of other pools are not looked at."""

SELECTOR: Final = "node selector does not match"
AVOIDED: Final = 0.5
"""What each taint of effect PreferNoSchedule takes off a host's score."""
MAY_PASS: Final[frozenset[Family]] = frozenset({"taint", "blocked"})
"""Rules that a host may fail today and pass tomorrow: its domain is one of those to spread over all the same."""

Objection = tuple[Family, str]


def objection(host: Character, wanted: Constraints) -> Objection | None:
    """The first rule the host fails, with the words it is counted under; None where it passes all."""
    return next(_objections(host, wanted), None)


def _objections(host: Character, wanted: Constraints) -> Iterator[Objection]:
    if wanted.pool is not None and host.pool != wanted.pool:
        yield "elsewhere", ""
    if not wanted.selector <= host.labels:
        yield "selector", SELECTOR
    if missing := sorted(wanted.required_traits - host.traits):
        yield "traits", f"lacking trait {missing[0]}"
    if present := sorted(wanted.forbidden_traits & host.traits):
        yield "traits", f"having forbidden trait {present[0]}"
    if not provides(host.cpu_model, wanted.cpu_model):
        yield "cpu", f"unable to provide CPU model {wanted.cpu_model}"
    if wanted.numa_nodes > host.cells:
        yield "cpu", f"with fewer than {wanted.numa_nodes} NUMA cells"
    if taints := untolerated(host.taints, wanted.tolerations, "NoSchedule"):
        yield "taint", f"with taint {taints[0]} not tolerated"
    if host.blocked is not None:
        yield "blocked", host.blocked


def preference(host: Character, wanted: Constraints) -> float:
    """What the host's character adds to its score."""
    return -AVOIDED * len(untolerated(host.taints, wanted.tolerations, "PreferNoSchedule"))
