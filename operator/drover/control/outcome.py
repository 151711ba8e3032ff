"""What a reconcile decides, as values: the engine turns them into writes, the shells perform them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from drover.api.meta import AnyResource, Key, Status
from drover.control.driver import Command

if TYPE_CHECKING:
    from drover.control.world import World


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event about one object, told once the write it belongs to has succeeded."""

    reason: str
    message: str
    type: Literal["Normal", "Warning"] = "Normal"
    regarding: AnyResource | None = None
    """The object it is about; the reconciled one where absent."""


def warning(reason: str, message: str, regarding: AnyResource | None = None) -> Event:
    return Event(reason, message, "Warning", regarding)


@dataclass(frozen=True, slots=True)
class Create:
    """Create an object the operator owns. Its name is deterministic, so that a crash cannot make it twice."""

    resource: AnyResource


@dataclass(frozen=True, slots=True)
class PatchSpec:
    """Merge into the spec of an object the operator created."""

    resource: AnyResource
    spec: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delete:
    resource: AnyResource


Child = Create | PatchSpec | Delete


@dataclass(frozen=True, slots=True)
class Outcome:
    """The decision of one reconcile. The default leaves everything as it is.

    A claim is not a field of its own: it is what the new status says (host, addresses, volumes), and the World counts
    it from the moment the outcome is taken.
    """

    status: Status | None = None
    """The whole new status; an equal one costs no write."""
    protect: bool | None = None
    """True adds the finalizer, False removes it. A finalizer and a status cannot share a PATCH; this one goes first."""
    disown: bool = False
    """True lets go of its owners, so that it does not go with them."""
    events: tuple[Event, ...] = ()
    requeue_at: datetime | None = None
    children: tuple[Child, ...] = ()
    work: frozenset[Command] = frozenset()
    """All driver work this object wants in progress now; what it no longer names is cancelled."""


Reconcile = Callable[[Any, "World", datetime], Outcome]

Urgency = tuple[Any, ...]
"""An object's place among all that wait for a reconcile, of whatever kind: lower sorts first, ``()`` before all."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Another kind whose changes concern this controller: which of its own objects to look at again, and when."""

    kind: str
    affected: Callable[[AnyResource | None, AnyResource | None, World], list[Key]]
    """(before, after, world) -> keys to enqueue; either side is None for a creation or a deletion."""
    after: float = 0.0
    """Seconds to gather changes before looking: views of many objects need not be rewritten for each."""


@dataclass(frozen=True, slots=True)
class Controller:
    """A kind, its reconcile function, and the other kinds it looks at."""

    kind: str
    reconcile: Reconcile
    watches: tuple[Watch, ...] = ()
    urgency: Callable[[Any, World], Urgency] | None = None
    """(object, world) -> its place in the queue; ``()`` for every object where absent."""
