"""Deriving a status: phases, conditions and their transition times, in one place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from drover.api.meta import MAX_PHASE_TRANSITIONS, AnyResource, Condition, PhaseTransition, Status

StatusT = TypeVar("StatusT", bound=Status)
MAX_MESSAGE = 4096


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition as a controller decides it, before times and generations are added."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    at: datetime | None = None
    """When it took this status, where that is known better than by when somebody looked."""


def true(type_: str, reason: str, message: str = "") -> Verdict:
    return Verdict(type_, "True", reason, message)


def false(type_: str, reason: str, message: str = "") -> Verdict:
    return Verdict(type_, "False", reason, message)


def derive(
    resource: AnyResource,
    now: datetime,
    *,
    phase: str | None = None,
    verdicts: Iterable[Verdict],
    **fields: Any,
) -> Any:
    """The next status of an object: ``fields`` replaced, ``verdicts`` as its only conditions, the phase recorded.

    A condition keeps its ``lastTransitionTime`` while its status stays the same, as ``metav1.Condition`` asks. A
    condition no verdict names is dropped, so nothing stale survives.
    """
    old: Status = resource.status
    generation = resource.metadata.generation
    transitions = old.phase_transitions
    if phase is not None and phase != old.phase:
        transitions = (*transitions, PhaseTransition(phase=phase, at=now))[-MAX_PHASE_TRANSITIONS:]
    return old.model_copy(
        update={
            **fields,
            "observed_generation": generation,
            "phase": phase if phase is not None else old.phase,
            "phase_transitions": transitions,
            "conditions": tuple(_condition(old, verdict, generation, now) for verdict in verdicts),
        }
    )


def _condition(old: Status, verdict: Verdict, generation: int, now: datetime) -> Condition:
    before = old.condition(verdict.type)
    unchanged = before is not None and before.status == verdict.status
    return Condition(
        type=verdict.type,
        status=verdict.status,
        observed_generation=generation,
        last_transition_time=before.last_transition_time if before is not None and unchanged else verdict.at or now,
        reason=verdict.reason,
        message=verdict.message[:MAX_MESSAGE],
    )


def acknowledged(resource: AnyResource, now: datetime) -> Any:
    """The status as it is, for a generation whose changes come too late to matter: else kstatus waits for ever."""
    verdicts = [Verdict(c.type, c.status, c.reason, c.message) for c in resource.status.conditions]
    return derive(resource, now, verdicts=verdicts)


def since(status: Status, type_: str) -> datetime | None:
    """When a condition took its present status."""
    condition = status.condition(type_)
    return condition.last_transition_time if condition else None
