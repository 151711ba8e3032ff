"""What is asked of placement: one virtual machine that wants a host."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from drover.model.placement.claims import NO_MARKS, Claim
from drover.model.placement.lifetimes import Lease
from drover.model.placement.resources import Resources
from drover.model.placement.taints import Toleration
from drover.model.placement.terms import Term


class Constraints(NamedTuple):
    """What a host must be like, whatever its load and whoever else is there."""

    pool: str | None = None
    selector: frozenset[tuple[str, str]] = frozenset()
    tolerations: tuple[Toleration, ...] = ()
    required_traits: frozenset[str] = frozenset()
    forbidden_traits: frozenset[str] = frozenset()
    cpu_model: str | None = None
    numa_nodes: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Signature:
    """All of a request that a host's own score follows from: requests of one signature share one row of scores."""

    size: Resources
    guest_milli_cpu: int
    constraints: Constraints
    _hash: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.size, self.guest_milli_cpu, self.constraints)))

    def __hash__(self) -> int:  # remembered: every decision looks its row up by it
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Signature) and (self.size, self.guest_milli_cpu, self.constraints) == (
            other.size,
            other.guest_milli_cpu,
            other.constraints,
        )


@dataclass(frozen=True)
class Request:
    """One virtual machine that wants a host."""

    resources: Resources
    """A bandwidth of 0 is unlimited: it claims nothing and fits everywhere."""
    pool: str | None = None
    """The only pool to look in; None looks in all."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    """Labels a host must carry, each with exactly this value."""
    tolerations: tuple[Toleration, ...] = ()
    required_traits: frozenset[str] = frozenset()
    forbidden_traits: frozenset[str] = frozenset()
    cpu_model: str | None = None
    """A host must be able to give its guests this model; None is content with any."""
    numa_nodes: int = 0
    """1: everything from one NUMA cell; 2: half from each of two; 0: from anywhere."""
    vcpus: int = 0
    """vCPUs of the guest, which no host with fewer threads takes; 0: those of ``resources``."""
    terms: tuple[Term, ...] = ()
    """Where it may be beside others, and where it would rather be."""
    marks: frozenset[Hashable] = NO_MARKS
    """What it will count under itself once it is placed."""
    hosts: frozenset[str] | None = None
    """The only hosts to look at; None looks at all."""
    exclude: frozenset[str] = frozenset()
    leaves: str | None = None
    """The host it is on and moves away from: what it counts under there does not stand in its own way."""
    lease: Lease | None = None
    """How long it means to stay; None says nothing of it."""
    unreserved: bool = False
    """True: may use what is held back for host failures, as a restart after one does."""

    @cached_property
    def signature(self) -> Signature:
        size = self.resources
        return Signature(
            size,
            self.vcpus * 1000 or size.milli_cpu + size.milli_threads,
            Constraints(
                self.pool,
                frozenset(self.node_selector.items()),
                self.tolerations,
                self.required_traits,
                self.forbidden_traits,
                self.cpu_model,
                self.numa_nodes,
            ),
        )

    def claim(self, cells: tuple[int, ...] = ()) -> Claim:
        """What it takes of the host it is placed on."""
        return Claim(self.resources, cells, self.marks)
