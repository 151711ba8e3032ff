"""One migration of the VM "a" from p1-0 to p1-1, in any of its phases, and what its controller makes of it."""

from __future__ import annotations

from typing import Any

from checked import reconciled
from worlds import NOW, condition, flavor, host, later, migration, moving, placed, pool, reasons, told, vm, world_of

from drover.api.host import Host
from drover.api.meta import AnyResource
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration, VirtualMachineMigrationStatus
from drover.control.outcome import Outcome
from drover.control.virtualmachinemigration.controller import reconcile
from drover.control.world import World

DOWN = {"conditions": [condition("Ready", "False", "HostFailed", since=later(-30))]}
BASE: tuple[AnyResource, ...] = (pool(), host("p1-0"), host("p1-1"), flavor())
PENDING = migration()
PROGRESS = {
    "iteration": 1,
    "totalBytes": 4 * 2**30,
    "remainingBytes": 4 * 2**30,
    "bandwidthBytesPerSecond": 1_000_000_000,
    "etaSeconds": 8.0,
}
COPYING = ("PreparingTarget", "PreCopy", "StopAndCopy")
"""Phases in which the target is claimed, the guest is on its source and a cancel is heard."""


def under_way(phase: str, **fields: Any) -> dict[str, Any]:
    """The status of a migration to p1-1 whose phase began at NOW."""
    mode = {"StopAndCopy": "Paused", "Commitment": "Paused", "PostCopy": "PostCopy"}.get(phase, "PreCopy")
    known = {"attempts": 1, "transitionStartedAt": NOW.isoformat(), "progress": PROGRESS, "mode": mode}
    return moving("p1-1", phase=phase, **(known | {"startTimestamp": NOW.isoformat()} | fields))


def running(**fields: Any) -> VirtualMachine:
    return vm(status=placed(**fields))


def migrating(**fields: Any) -> VirtualMachine:
    """The VM while the migration is under way."""
    return vm(status=placed(phase="Migrating", migration={"current": PENDING.name}), **fields)


def world(*objects: AnyResource) -> World:
    """The hosts, the VM where it is while its migration is under way, and ``objects`` in place of those."""
    begun = any(isinstance(one, VirtualMachineMigration) and one.status.target_host for one in objects)
    mine = {resource.key: resource for resource in (*BASE, migrating() if begun else running(), *objects)}
    return world_of(*mine.values())


def outcome_of(subject: VirtualMachineMigration, *objects: AnyResource, at: float = 0) -> Outcome:
    return reconciled(reconcile, subject, world(*objects, subject), later(at))


def status_of(outcome: Outcome) -> VirtualMachineMigrationStatus:
    assert isinstance(outcome.status, VirtualMachineMigrationStatus)
    return outcome.status


def failed(outcome: Outcome) -> str:
    """Why it failed; the target is given back in the same write."""
    status = status_of(outcome)
    assert status.phase == "Failed"
    assert reasons(outcome)["Ready"] == ("False", status.failure_reason)
    assert reasons(outcome)["Stalled"] == ("True", status.failure_reason)
    assert reasons(outcome)["TargetReserved"][0] == "False"
    assert told(outcome) == ["FailedMigration"]
    assert (status.mode, status.queue) == (None, None)
    assert status.progress is None or status.progress.eta_seconds is None
    assert status.end_timestamp is not None
    return str(status.failure_reason)


def judged(name: str, status: str, reason: str, **fields: Any) -> Host:
    """A host whose Ready is so, ``since`` 30 s or another instant; ``fenced``: as far as that."""
    fenced = [condition("Fenced", "True", "Fenced")] if fields.pop("fenced", False) else []
    ready = condition("Ready", status, reason, since=fields.pop("since", later(-30)))
    return host(name, status={"conditions": [ready, *fenced]}, **fields)


CRASH, CUT_OFF = {"fault": {"type": "Crash"}}, {"fault": {"type": "NetworkPartition"}}
SOURCE_DEAD = judged("p1-0", "False", "HostFailed", **CRASH)
TARGET_DEAD = judged("p1-1", "False", "HostFailed", **CRASH)
TARGET_FENCED = judged("p1-1", "False", "HostFailed", fenced=True, **CRASH)
SOURCE_CUT_OFF = judged("p1-0", "Unknown", "NetworkPartition", **CUT_OFF)
TARGET_CUT_OFF = judged("p1-1", "Unknown", "NetworkPartition", **CUT_OFF)
