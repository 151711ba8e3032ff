"""From where an object stands to its outcome: Ready with its kstatus partner, deletion, the one status write.

::

    new --protect--> protected --user deletes--> held by its users --last one gone--> released
                                                 (Terminating, InUse)                 (finalizer removed)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from drover.api.meta import FINALIZER, AnyResource, Key
from drover.control.conditions import Verdict, derive, false, true
from drover.control.driver import Command
from drover.control.outcome import Child, Event, Outcome, warning

IN_USE = "InUse"
NAMED = 5
"""How many users a message names before it only counts the rest."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where an object stands, as its controller decides it; ``conclude`` makes the outcome of it."""

    phase: str
    verdicts: tuple[Verdict, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    requeue_at: datetime | None = None
    children: tuple[Child, ...] = ()
    work: frozenset[Command] = frozenset()


def ready(reason: str, message: str) -> tuple[Verdict, ...]:
    """The declared state is reached."""
    return (true("Ready", reason, message),)


def waiting(reason: str, message: str) -> tuple[Verdict, ...]:
    """Not Ready, and nothing is being done about it until something else changes."""
    return (false("Ready", reason, message),)


def progressing(reason: str, message: str) -> tuple[Verdict, ...]:
    """Not Ready yet, and being worked on."""
    return (false("Ready", reason, message), true("Reconciling", reason, message))


def stalled(reason: str, message: str) -> tuple[Verdict, ...]:
    """Not Ready, and nothing more will be tried until somebody changes something."""
    return (false("Ready", reason, message), true("Stalled", reason, message))


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps an object from being deleted, and what to do about it."""

    message: str
    reason: str = IN_USE
    blocked: bool = True
    """False where it ends by itself, so that nobody needs a warning."""


def conclude(
    resource: AnyResource,
    stage: Stage,
    now: datetime,
    hold: Hold | None,
    *,
    phase_when_deleting: str | None = "Terminating",
    released: bool = True,
) -> Outcome:
    """The outcome of a stage. A deleted object stays while there is a hold on it, and goes when there is none.

    ``released`` is False while the write that gives up the last claim has not been answered: until then nobody
    can say who holds the object, so nothing is said and it stays.
    """
    if not resource.deleting:
        if FINALIZER not in resource.metadata.finalizers:
            return Outcome(protect=True)
        return _outcome(resource, stage, now, stage.phase, stage.verdicts, stage.events)
    if hold is None:
        return Outcome(protect=False) if released else Outcome()
    verdicts = (*stage.verdicts, true("Terminating", hold.reason, hold.message))
    events = stage.events
    before = resource.status.condition("Terminating")
    if hold.blocked and (before is None or before.reason != hold.reason):
        events = (*events, warning("DeletionBlocked", hold.message))
    return _outcome(resource, stage, now, phase_when_deleting or stage.phase, verdicts, events)


def _outcome(
    resource: AnyResource,
    stage: Stage,
    now: datetime,
    phase: str,
    verdicts: tuple[Verdict, ...],
    events: tuple[Event, ...],
) -> Outcome:
    return Outcome(
        status=derive(resource, now, phase=phase, verdicts=verdicts, **stage.fields),
        events=events,
        requeue_at=stage.requeue_at,
        children=stage.children,
        work=stage.work,
    )


def named(keys: Iterable[Key]) -> str:
    """Objects for a message: all of a few, the first of many and how many more."""
    names = [f"{key.namespace}/{key.name}" if key.namespace else key.name for key in sorted(keys)]
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def counted(count: int, singular: str) -> str:
    """``1 VM``, ``3 VMs``."""
    return f"{count} {singular}{'' if count == 1 else 's'}"
