"""What a review is done by, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from drover.api.meta import Key

Enforcement = Literal["Deny", "Warn"]
"""Whether what is wrong is refused, or let through with a warning."""


class Rules(NamedTuple):
    """How strict a review is."""

    references: Enforcement = "Deny"
    """Names of objects that are not there, or that cannot be used and will not mend themselves."""
    capacity: Enforcement = "Deny"
    """VMs that no host has room for now."""


class Fault(NamedTuple):
    """What is wrong, in the words of the condition that the controller would set."""

    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.message} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer: allowed where nothing is refused."""

    refusal: str | None = None
    """Why not, with the mend."""
    warnings: tuple[str, ...] = ()
    """What the user is told besides, whatever becomes of the request."""
    rests_on: frozenset[Key] = frozenset()
    """Where something is wrong: the objects that this hangs on. A World that is a moment late has them otherwise than
    they are. One without a name stands for all of its kind."""
