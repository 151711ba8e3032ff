"""What placement knows about one host."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Literal, NamedTuple

from drover.model.placement.resources import NO_RESOURCES, Resources

Strategy = Literal["Balance", "Pack"]


class Ratios(NamedTuple):
    """Allocation ratios: units promised for each one the host has. Bandwidth is never overcommitted."""

    cpu: Fraction = Fraction(1)
    memory: Fraction = Fraction(1)
    disk: Fraction = Fraction(1)


class Weights(NamedTuple):
    """How much each resource counts in a host's score; only their proportions matter."""

    cpu: int = 1
    memory: int = 1
    disk: int = 0
    network: int = 0


NOT_OVERCOMMITTED = Ratios()
DEFAULT_WEIGHTS = Weights()


@dataclass(frozen=True)
class HostRow:
    """A host as placement sees it."""

    name: str
    pool: str
    total: Resources
    """What the hardware has. No virtual machine may be larger, whatever the ratios."""
    reserved: Resources = NO_RESOURCES
    """What the hypervisor keeps for itself."""
    ratios: Ratios = NOT_OVERCOMMITTED
    labels: Mapping[str, str] = field(default_factory=dict)
    failure_domain: str = ""
    blocked: str | None = None
    """Why nothing new may be placed here ("cordoned", "in maintenance"), or None."""
    strategy: Strategy = "Balance"
    weights: Weights = DEFAULT_WEIGHTS

    @cached_property
    def allocatable(self) -> Resources:
        """What may be claimed: ``(total - reserved) x ratio``, rounded down (OpenStack Placement)."""
        usable = self.total - self.reserved
        return Resources(
            _scaled(usable.milli_cpu, self.ratios.cpu),
            _scaled(usable.memory, self.ratios.memory),
            _scaled(usable.disk, self.ratios.disk),
            max(0, usable.bandwidth),
        )


NaturalKey = tuple[tuple[str | int, ...], str]


def natural_key(name: str) -> NaturalKey:
    """Sorts host names as people count: ``p1-2`` before ``p1-10``."""
    parts = re.split(r"([0-9]+)", name)
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), name


def _scaled(amount: int, ratio: Fraction) -> int:
    return max(0, amount * ratio.numerator // ratio.denominator)
