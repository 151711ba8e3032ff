"""What placement knows about one host."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Literal, NamedTuple

from drover.model.placement.resources import NO_RESOURCES, Resources
from drover.model.placement.taints import Taint

Strategy = Literal["Balance", "Pack"]
Topology = Literal["Host", "Rack", "FailureDomain"]


class Ratios(NamedTuple):
    """Allocation ratios: units promised for each one the host has. Bandwidth and GPUs are never overcommitted."""

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


class Shape(NamedTuple):
    """All of a host that its capacity and score follow from. Hosts of one shape and one load score alike."""

    total: Resources
    allocatable: Resources
    cpu_ratio: Fraction
    strategy: Strategy
    weights: Weights
    threads: int
    """Thousandths of hardware threads that guests may use."""
    cells: int
    cell_memory: int


class Character(NamedTuple):
    """All of a host that decides, whatever its load, whether a request may go there."""

    pool: str
    labels: frozenset[tuple[str, str]]
    taints: tuple[Taint, ...]
    traits: frozenset[str]
    cpu_model: str | None
    cells: int
    blocked: str | None


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
    rack: str = ""
    """Its rack within the failure domain."""
    taints: tuple[Taint, ...] = ()
    traits: frozenset[str] = frozenset()
    cpu_model: str | None = None
    """The newest CPU model its guests may be given (``cpumodels``); None where that is not known."""
    cells: int = 1
    """NUMA cells, which share threads and memory in equal parts."""
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
            gpus=usable.gpus,
        )

    @cached_property
    def shape(self) -> Shape:
        return Shape(
            self.total,
            self.allocatable,
            self.ratios.cpu,
            self.strategy,
            self.weights,
            max(0, self.total.milli_cpu - self.reserved.milli_cpu),
            self.cells,
            self.allocatable.memory // self.cells,
        )

    @cached_property
    def character(self) -> Character:
        return Character(
            self.pool,
            frozenset(self.labels.items()),
            self.taints,
            self.traits,
            self.cpu_model,
            self.cells,
            self.blocked,
        )

    def domain(self, topology: Topology) -> str:
        """The host's own domain. Hosts that name none share the one without a name."""
        match topology:
            case "Host":
                return self.name
            case "Rack":
                return f"{self.failure_domain}/{self.rack}"
            case "FailureDomain":
                return self.failure_domain


NaturalKey = tuple[tuple[str | int, ...], str]


def natural_key(name: str) -> NaturalKey:
    """Sorts host names as people count: ``p1-2`` before ``p1-10``."""
    parts = re.split(r"([0-9]+)", name)
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), name


def _scaled(amount: int, ratio: Fraction) -> int:
    return max(0, amount * ratio.numerator // ratio.denominator)
