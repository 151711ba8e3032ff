"""What goes into the engine and what comes out of it: the boundary both shells implement.

The engine is a synchronous step, ``step(inputs, now) -> Outputs``; it waits for nothing and performs nothing.

================  =====================================  ==========================================
port              production (``drover.kube``)            simulation (``drover.sim``)
================  =====================================  ==========================================
Source            Kopf's watches and an own list          the in-memory store's watches, with faults
Store             PATCHes through kubernetes.aio          the same store, with conflicts and faults
Clock             the wall clock                          the virtual clock
Events            Event objects                           a list that the report tells
Driver            ``Simulated``                           ``Simulated``
================  =====================================  ==========================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from drover.api.meta import AnyResource, Key
from drover.control.driver import Command, Completion

# Inputs


@dataclass(frozen=True, slots=True)
class Observed:
    """An object as the API server has it, from a list, a watch or the response to a write."""

    resource: AnyResource


@dataclass(frozen=True, slots=True)
class Gone:
    """A watch told of a deletion."""

    key: Key
    uid: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A complete list of one kind, as of a resourceVersion: what it does not name is a ghost, unless it is newer."""

    kind: str
    uids: Mapping[Key, str]
    resource_version: int


@dataclass(frozen=True, slots=True)
class Written:
    """A write succeeded. ``resource`` is the response; None after a deletion."""

    write_id: int
    resource: AnyResource | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The API server answered a write with an error, and nothing was changed.

    ``current`` is the object as re-read after a conflict. A shell never reports a write whose fate it does not know:
    it repeats the write until it is told, which its resourceVersion makes safe.
    """

    write_id: int
    code: int
    message: str
    current: AnyResource | None = None


@dataclass(frozen=True, slots=True)
class Elected:
    """This instance holds the Lease, and everything listed since is in. ``epoch`` grows with every holder."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Deposed:
    """This instance no longer holds the Lease and must not write."""


Input = Observed | Gone | Listed | Written | Refused | Completion | Elected | Deposed

# Outputs

Verb = Literal["create", "status", "metadata", "spec", "delete"]


@dataclass(frozen=True, slots=True)
class Write:
    """One request to the API server.

    ``body`` is the object for "create" and a merge patch for "status", "metadata" and "spec".
    ``resource_version`` is the version it was decided on; None writes whatever the version (fencing, own children).
    """

    id: int
    verb: Verb
    key: Key
    body: dict[str, Any]
    resource_version: str | None = None
    uid: str = ""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A Kubernetes Event to create, or to count up where ``count`` is above 1."""

    name: str
    namespace: str
    regarding: AnyResource
    reason: str
    message: str
    type: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """A defect to log: a reconcile raised, a write was refused for what it said (both are retried with back-off), or,
    without a key, claims contradict one another when leadership begins."""

    key: Key | None
    error: str


@dataclass(slots=True)
class Outputs:
    writes: list[Write] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)
    submit: list[Command] = field(default_factory=list)
    cancel: list[Command] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    wake_at: datetime | None = None
    """When to step again if nothing else comes in; None for not before the next input."""
