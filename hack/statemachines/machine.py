"""A state machine as a table of steps between phases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

NEW = "[*]"
"""Before the operator has written a phase (mermaid's word)."""
ANY = "any"
"""The group of all phases, and of none yet."""


@dataclass(frozen=True)
class Step:
    """A way between two phases. Either end may be a group of phases: then it holds for each of them."""

    source: str
    target: str
    why: str


@dataclass(frozen=True)
class Machine:
    """The phases of one kind."""

    kind: str
    says: str
    """What to know beside the picture, in markdown."""
    steps: tuple[Step, ...]
    """Those of the picture."""
    rarer: tuple[Step, ...] = ()
    """Those that are told below it, to keep it readable."""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    boxes: tuple[str, ...] = ()
    """Groups that the picture has one box for."""
    unwritten: tuple[str, ...] = ()
    """Phases that the API has a name for and nothing writes."""

    @property
    def phases(self) -> frozenset[str]:
        """Those that some step begins or ends in."""
        names = {name for step in (*self.steps, *self.rarer) for name in (step.source, step.target)}
        return frozenset().union(*(self.groups.get(name, (name,)) for name in names)) - {NEW, ANY}

    def members(self, name: str) -> frozenset[str]:
        """The phases of a group; a phase is a group of itself."""
        return self.phases | {NEW} if name == ANY else frozenset(self.groups.get(name, (name,)))

    def moves(self, step: Step) -> frozenset[tuple[str, str]]:
        """What a step stands for: pairs of different phases."""
        pairs = product(self.members(step.source), self.members(step.target))
        return frozenset((before, after) for before, after in pairs if before != after)

    def unknown(self, moves: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Of some moves those that no step allows."""
        allowed = frozenset().union(*map(self.moves, (*self.steps, *self.rarer)))
        return sorted(set(moves) - allowed)
