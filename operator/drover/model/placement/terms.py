"""What a request says of the virtual machines it is placed beside.

Others are named by *marks*: anything hashable that claims carry, such as "selected by this label selector" or "of
this group". A term counts the virtual machines with its mark in each domain of a topology.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from drover.model.placement.hosts import Topology

PREFERENCE_UNIT: Final = 100
"""A preferred term of this weight is worth as much as the whole range of the resource scores."""


@dataclass(frozen=True)
class Affinity:
    """In a domain with at least one of the mark. Nobody has it yet: anywhere, if the request itself has it."""

    mark: Hashable
    topology: Topology
    weight: int | None = None
    """None: required. Else how much it is preferred, 1 to 100."""
    own: bool = False
    """Whether the request itself carries the mark."""
    told: str = "affinity"
    """What a refusal calls it."""


@dataclass(frozen=True)
class AntiAffinity:
    """In a domain with fewer than ``limit`` of the mark."""

    mark: Hashable
    topology: Topology
    weight: int | None = None
    limit: int = 1
    told: str = "anti-affinity"


@dataclass(frozen=True)
class Spread:
    """As many of the mark in this domain as in the emptiest, give or take ``max_skew`` (Kubernetes' topology spread).

    Domains are those with a host that the request's constraints allow, cordoned or full hosts included. With fewer
    than ``min_domains`` of them the emptiest counts as empty.
    """

    mark: Hashable
    topology: Topology
    max_skew: int = 1
    required: bool = True
    min_domains: int = 1
    own: bool = True
    told: str = "topology spread"


Term = Affinity | AntiAffinity | Spread
