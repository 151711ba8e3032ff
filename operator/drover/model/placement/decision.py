"""What placement answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from drover.model.placement.hosts import Strategy, Weights

RefusalReason = Literal[
    "NoCapacity",
    "HostNotFound",
    "NoHostWithTraits",
    "AffinityUnsatisfiable",
    "TaintNotTolerated",
    "FailoverCapacityWouldBeLost",
]
"""The reasons of the ``Scheduled`` condition that placement can give."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host that fits."""

    host: str
    score: float
    """Higher is better: from 0 to 1 for its resources, more or less where preferences count."""
    parts: Mapping[str, float]
    """What the score is the sum of: "cpu", "memory", "balance", "disk", "network" and "preferences", those above 0."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The best host and how it compares."""

    host: str
    cells: tuple[int, ...]
    """The NUMA cells it is given there; () where it floats."""
    score: float
    strategy: Strategy
    weights: Weights
    """Of the host's pool: with the strategy, the profile that decided."""
    evaluated: int
    """How many hosts were looked at: those of the pool."""
    feasible: int
    top: tuple[Candidate, ...]
    """The best hosts, best first, at most five."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No host fits."""

    reason: RefusalReason
    evaluated: int
    rejections: Mapping[str, int]
    """How many hosts failed on what: each host counts once, for the first rule it fails."""
    message: str
    """One line for people: ``0/24 hosts available: 12 insufficient cpu, 12 cordoned``."""


Decision = Placed | Refused
