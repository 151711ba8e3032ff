"""What every outcome of every controller must keep, checked wherever a test reconciles.

- conditions: Ready is always there, Stalled and Reconciling exclude each other, all carry the generation;
- idempotence: once the outcome is written, the next reconcile writes nothing and tells nothing;
- a VM claims nothing before its finalizer is written, and its phase moves along the table of the contract.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from worlds import NOW, taken

from drover.api.meta import FINALIZER, AnyResource, Status
from drover.api.virtualmachine import VirtualMachine
from drover.control.outcome import Outcome
from drover.control.world import World

Reconcile = Callable[[Any, World, datetime], Outcome]

WAITING = {"Pending", "Provisioning", "Scheduling", "Unschedulable"}
PLACED = {"Starting", "Running", "Paused", "Migrating", "Stopping"}
ALLOWED: dict[str | None, set[str]] = {
    None: WAITING | {"Starting", "Stopped"},
    "Pending": WAITING | {"Starting", "Stopped"},
    "Provisioning": WAITING | {"Starting", "Stopped"},
    "Scheduling": WAITING | {"Starting", "Stopped"},
    "Unschedulable": WAITING | {"Starting", "Stopped"},
    "Starting": {"Running", "Stopping"},
    "Running": {"Paused", "Migrating", "Stopping", "CrashLoopBackOff"},
    "Paused": {"Running", "Stopping"},
    "Migrating": {"Running", "Stopping"},
    "Stopping": WAITING | {"Stopped", "Starting"},
    "Stopped": WAITING | {"Starting"},
    "Unknown": WAITING | PLACED | {"Stopped", "Failed"},
    "Failed": WAITING | {"Starting", "Stopped"},
    "Terminating": set(),
}
"""Phases of a VM that may follow one another: the transitions of the contract, and what skipping phases adds."""
HOST_LOST = WAITING | {"Unknown", "Starting", "Stopped", "Failed"}
"""Where a VM may go from any phase on a host when that host is lost."""


def reconciled(
    reconcile: Reconcile, resource: AnyResource, world: World, now: datetime = NOW, *, writes: int = 1
) -> Outcome:
    """The outcome, checked; the World then has it written, and ``writes - 1`` that follow from it at once."""
    outcome = reconcile(resource, world, now)
    check(resource, outcome)
    written = taken(world, resource, outcome) if writes_anything(resource, outcome) else resource
    for _ in range(writes - 1):
        following = reconcile(written, world, now)
        check(written, following)
        assert writes_anything(written, following), "fewer writes than expected"
        written = taken(world, written, following)
    again = reconcile(written, world, now)
    if FINALIZER in written.metadata.finalizers and again.protect is not False:
        assert not writes_anything(written, again), f"writes again: {again}"
        assert (writes == 1 and outcome.status is None and outcome.protect is None) or again.events == ()
    return outcome


def writes_anything(resource: AnyResource, outcome: Outcome) -> bool:
    return outcome.protect is not None or outcome.status not in (None, resource.status)


def check(resource: AnyResource, outcome: Outcome) -> None:
    if outcome.protect:
        assert outcome.status is None
        assert outcome.children == ()
        assert not outcome.work
    if outcome.status is None:
        return
    assert FINALIZER in resource.metadata.finalizers
    check_conditions(resource, outcome.status)
    if isinstance(resource, VirtualMachine):
        check_phase(resource, outcome)


def check_conditions(resource: AnyResource, status: Status) -> None:
    assert status.observed_generation == resource.metadata.generation
    types = [condition.type for condition in status.conditions]
    assert len(types) == len(set(types))
    assert "Ready" in types
    assert not (status.is_true("Stalled") and status.is_true("Reconciling"))
    assert not (status.is_true("Ready") and (status.is_true("Stalled") or status.is_true("Reconciling")))
    assert all(condition.observed_generation == resource.metadata.generation for condition in status.conditions)
    for condition in status.conditions:
        before = resource.status.condition(condition.type)
        if before is not None and before.status == condition.status:
            assert condition.last_transition_time == before.last_transition_time
    if status.phase != resource.status.phase:
        assert status.phase_transitions[-1].phase == status.phase
    else:
        assert status.phase_transitions == resource.status.phase_transitions


def check_phase(vm: VirtualMachine, outcome: Outcome) -> None:
    before, after = vm.status.phase, getattr(outcome.status, "phase", None)
    if before == after or (after == "Terminating" and vm.deleting):
        return
    lost = "HostLost" in [event.reason for event in outcome.events] or (before in PLACED and after == "Stopped")
    assert after in ALLOWED[before] or (lost and after in HOST_LOST), f"{before} to {after}"
