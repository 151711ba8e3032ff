"""What is asked of placement and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from drover.model.placement.hosts import Strategy
from drover.model.placement.resources import Resources

RefusalReason = Literal["NoCapacity", "HostNotFound", "AffinityUnsatisfiable"]
"""The reasons of the ``Scheduled`` condition that placement can give."""


@dataclass(frozen=True)
class Request:
    """One virtual machine that wants a host."""

    resources: Resources
    """A bandwidth of 0 is unlimited: it claims nothing and fits everywhere."""
    pool: str | None = None
    """The only pool to look in; None looks in all."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    """Labels a host must carry, each with exactly this value."""
    hosts: frozenset[str] | None = None
    """The only hosts to look at; None looks at all."""
    exclude: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Placed:
    """The best host and how it compares."""

    host: str
    score: float
    """From 0 to 1, in steps of a millionth; higher is better."""
    strategy: Strategy
    evaluated: int
    """How many hosts were looked at: those of the pool."""
    feasible: int
    top: tuple[tuple[str, float], ...]
    """The best hosts with their scores, best first, at most five."""


@dataclass(frozen=True)
class Refused:
    """No host fits."""

    reason: RefusalReason
    evaluated: int
    rejections: Mapping[str, int]
    """How many hosts failed on what: each host counts once, for the first rule it fails."""
    message: str
    """One line for people: ``0/24 hosts available: 12 insufficient cpu, 12 cordoned``."""


Decision = Placed | Refused
