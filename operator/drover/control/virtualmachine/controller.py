"""VirtualMachine: the phase machine of a guest, from a manifest to a host and back.

::

    Pending --> Provisioning --> Starting --> Running <--> Paused
       |    (volumes are made)   ^  |  ^        |  ^
       v                         |  |  |        v  | (moved, or back on its source)
    Unschedulable --(room)-------+  |  |     Migrating
       ^                            |  |        |
       |                            v  |        v
       +--(restart, host lost)--- Stopping <----+--(stop, restart, eviction)
                                    |  ^
                                    v  +-- Running
                                  Stopped

    any with a host --(host lost)--> Starting elsewhere | Unschedulable | Unknown (no HA) | Failed (Once)
    any --(deleted)--> Terminating

One PATCH takes the VM from waiting to Starting: host, addresses, volumes and the usage interval appear together, so
no crash can leave some of them claimed. Waiting VMs have no timer; what blocked them wakes them (``watches``).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from drover.api.host import Host
from drover.api.meta import FINALIZER, Key
from drover.api.virtualmachine import HostScore, PlacementDecision, VirtualMachine, VirtualMachinePhase
from drover.control import conditions, usage
from drover.control.world.claims import is_up, size_of
from drover.control.conditions import false, true
from drover.control.driver import Boot, Shutdown
from drover.control.outcome import Controller, Event, Outcome, warning
from drover.control.virtualmachine.prerequisites import Missing, Ready, gather
from drover.control.virtualmachine.migrating import commit_ready, follow_migration, last_migration
from drover.control.virtualmachine.power import Power, power_of
from drover.control.virtualmachine.status import next_status
from drover.control.virtualmachine.watches import WATCHES
from drover.control.world import World
from drover.model.placement import Placed, Refused, Request, decide

FIRST_LOOK = timedelta(seconds=2)
"""What was applied together is often ready an instant later: a new VM waits so long before it says what is missing."""


def reconcile(vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    if vm.deleting:
        return _terminate(vm, world, now)
    if FINALIZER not in vm.metadata.finalizers:
        return Outcome(protect=True)
    power = power_of(vm)
    if not vm.status.host_name:
        return _waiting(vm, world, now, power)
    host = _confirmed_host(vm, world)
    if host is None or not host.status.is_true("Ready"):
        return _host_lost(vm, host, world, now, power)
    match vm.status.phase:
        case "Starting":
            return _starting(vm, world, now, power)
        case "Stopping":
            return _stopping(vm, world, now, power)
        case "Unknown" if not power.on:
            return _stopped(vm, now, power)
        case "Unknown":
            return _boot(vm, now, "host is back", restarts=vm.status.restarts + 1)
        case _:
            return _up(vm, world, now, power)


# Without a host


def _waiting(vm: VirtualMachine, world: World, now: datetime, power: Power) -> Outcome:
    if vm.status.phase == "Failed" and vm.spec.run_strategy == "Once":
        return Outcome(status=conditions.acknowledged(vm, now))
    if not power.on:
        return _stopped(vm, now, power)
    return _start(vm, world, now, power)


def _stopped(vm: VirtualMachine, now: datetime, power: Power, at: datetime | None = None) -> Outcome:
    """No guest and no host; addresses, volumes and the size are kept."""
    status = next_status(
        vm,
        now,
        "Stopped",
        true("Ready", "Stopped", f"stopped, as {power.declared_by} asks"),
        **_without_host(vm, at or now, "Stopped"),
        last_action=power.action,
    )
    events = (Event("Stopped", "guest is stopped"),) if vm.status.phase == "Stopping" else ()
    return Outcome(status=status, events=events + power.objections(vm))


def _without_host(vm: VirtualMachine, at: datetime, phase: Any) -> dict[str, Any]:
    return {
        "host_name": None,
        "node_pool_name": None,
        "failure_domain": None,
        "transition_started_at": None,
        "last_start_time": None,
        "usage": usage.storage_only(vm.status.usage, at, vm.status.flavor, phase),
    }


def _start(
    vm: VirtualMachine,
    world: World,
    now: datetime,
    power: Power,
    *,
    released_at: datetime | None = None,
    restarts: int | None = None,
) -> Outcome:
    """Place the VM and begin to start it, or say what is missing."""
    kept = _without_host(vm, released_at or now, "Stopped")
    kept |= {"restarts": vm.status.restarts if restarts is None else restarts, "last_action": power.action}
    needs = gather(vm, world)
    if isinstance(needs, Missing):
        return _not_ready(vm, now, needs, kept)
    request = Request(
        resources=size_of(needs.flavor),
        pool=vm.spec.placement.node_pool_name,
        node_selector=vm.spec.placement.node_selector,
    )
    decision = decide(world.ledger, request)
    if isinstance(decision, Refused):
        return _unschedulable(vm, now, decision, kept)
    return _place(vm, world, now, needs, decision, kept)


def _not_ready(vm: VirtualMachine, now: datetime, missing: Missing, kept: dict[str, Any]) -> Outcome:
    created = vm.metadata.creation_timestamp or now
    if vm.status.phase is None and not missing.stalled and now < created + FIRST_LOOK:
        return Outcome(children=missing.create, requeue_at=created + FIRST_LOOK)
    phase: VirtualMachinePhase = "Provisioning" if missing.create or missing.reason == "VolumeNotReady" else "Pending"
    status = next_status(
        vm,
        now,
        phase,
        false("Ready", _ready_reason(missing.reason), missing.message),
        prerequisites=false("PrerequisitesReady", missing.reason, missing.message),
        stalled=missing.stalled,
        **kept,
    )
    return Outcome(status=status, children=missing.create)


def _ready_reason(missing: str) -> str:
    """The Ready condition has fewer words than PrerequisitesReady (api.md, section 6)."""
    return {
        "FlavorObsolete": "FlavorNotFound",
        "ImageNotFound": "ImageNotReady",
        "ImageTooLarge": "ImageNotReady",
        "AddressUnavailable": "NetworkNotReady",
    }.get(missing, missing)


def _unschedulable(vm: VirtualMachine, now: datetime, refused: Refused, kept: dict[str, Any]) -> Outcome:
    decision = PlacementDecision(
        decided_at=_decided_at(vm, dict(refused.rejections), now),
        evaluated=refused.evaluated,
        feasible=0,
        rejections=dict(refused.rejections),
    )
    status = next_status(
        vm,
        now,
        "Unschedulable",
        false("Ready", "Unschedulable", refused.message),
        prerequisites=true("PrerequisitesReady", "Ready"),
        scheduled=false("Scheduled", refused.reason, refused.message),
        placement=decision,
        **kept,
    )
    known = decision == vm.status.placement
    return Outcome(status=status, events=() if known else (warning("FailedScheduling", refused.message),))


def _decided_at(vm: VirtualMachine, rejections: dict[str, int], now: datetime) -> datetime:
    """The same refusal again is the same decision, and no write."""
    before = vm.status.placement
    same = before is not None and before.feasible == 0 and before.rejections == rejections
    return before.decided_at if before is not None and same else now


def _place(
    vm: VirtualMachine, world: World, now: datetime, needs: Ready, placed: Placed, kept: dict[str, Any]
) -> Outcome:
    host = world.host(placed.host)
    assert host is not None, "the ledger and the hosts are kept in step"
    decision = PlacementDecision(
        decided_at=now,
        strategy=placed.strategy,
        score=placed.score,
        evaluated=placed.evaluated,
        feasible=placed.feasible,
        rejections={},
        top_hosts=tuple(HostScore(host=name, score=score) for name, score in placed.top),
    )
    where = {
        "host_name": placed.host,
        "node_pool_name": host.spec.pool_ref.name,
        "failure_domain": host.spec.failure_domain,
        "flavor": needs.flavor,
        "interfaces": needs.interfaces,
        "primary_ip": needs.interfaces[0].ip_address if needs.interfaces else None,
        "volumes": needs.volumes,
        "placement": decision,
        "usage": usage.running(kept["usage"], now, needs.flavor, host.spec.failure_domain),
        "boot_attempt": vm.status.boot_attempt + 1,
        "transition_started_at": now,
    }
    status = next_status(
        vm,
        now,
        "Starting",
        false("Ready", "Starting", f"guest is booting on {placed.host}"),
        **(kept | where),
    )
    told = f"on {placed.host}, score {placed.score:.2f}, {placed.feasible} of {placed.evaluated} hosts feasible"
    return Outcome(status=status, events=(Event("Scheduled", told),))


# On a host


def _boot(vm: VirtualMachine, now: datetime, why: str, restarts: int) -> Outcome:
    """Boot again on the host the VM still holds."""
    assert vm.status.flavor is not None
    status = next_status(
        vm,
        now,
        "Starting",
        false("Ready", "Starting", f"guest is booting on {vm.status.host_name}: {why}"),
        boot_attempt=vm.status.boot_attempt + 1,
        transition_started_at=now,
        restarts=restarts,
        usage=usage.running(vm.status.usage, now, vm.status.flavor, vm.status.failure_domain),
    )
    return Outcome(status=status, events=(Event("Restarted", why),))


def _starting(vm: VirtualMachine, world: World, now: datetime, power: Power) -> Outcome:
    if not power.on:
        return _stop(vm, now, power, "Stopping", f"{power.declared_by} asks")
    pace = world.pace(vm.status.node_pool_name)
    boot = Boot(vm.uid, vm.status.boot_attempt, vm.status.transition_started_at or now, pace)
    booted = world.completion(boot)
    if booted is None:
        return Outcome(work=frozenset({boot}))
    status = next_status(
        vm,
        now,
        "Running",
        true("Ready", "Running", f"guest runs on {vm.status.host_name}"),
        last_start_time=booted.at,
        transition_started_at=None,
        last_action=power.action,
    )
    return Outcome(status=status, events=(Event("Started", f"guest runs on {vm.status.host_name}"),))


def _up(vm: VirtualMachine, world: World, now: datetime, power: Power) -> Outcome:
    """Running, Paused or Migrating."""
    if not power.on:
        return _stop(vm, now, power, "Stopping", f"{power.declared_by} asks")
    if power.restart:
        return _stop(vm, now, power, "Restarted", "restart was asked for")
    if commit_ready(vm, world):
        return follow_migration(vm, world, now, commit=True)
    # A paused guest is not moved live: it stays Paused, which ends a migration that was claimed a moment ago.
    if vm.status.phase == "Migrating" or (vm.status.phase == "Running" and world.migration_of(vm) is not None):
        return follow_migration(vm, world, now, commit=False)
    if _must_be_evicted(vm, world):
        return _stop(vm, now, power, "EvictionRequested", f"host {vm.status.host_name} is being drained")
    if power.paused:
        return _paused(vm, now, power)
    return _running(vm, now, power)


def _running(vm: VirtualMachine, now: datetime, power: Power) -> Outcome:
    assert vm.status.flavor is not None
    status = next_status(
        vm,
        now,
        "Running",
        true("Ready", "Running", f"guest runs on {vm.status.host_name}"),
        last_action=power.action,
        usage=usage.running(vm.status.usage, now, vm.status.flavor, vm.status.failure_domain),
    )
    events = (Event("Resumed", "guest runs again"),) if vm.status.phase == "Paused" else ()
    return Outcome(status=status, events=events + power.objections(vm))


def _paused(vm: VirtualMachine, now: datetime, power: Power) -> Outcome:
    status = next_status(
        vm,
        now,
        "Paused",
        false("Ready", "Paused", f"guest is paused: {power.resume_hint}"),
        last_action=power.action,
        usage=usage.storage_only(vm.status.usage, now, vm.status.flavor, "Paused"),
    )
    known = vm.status.phase == "Paused"
    return Outcome(status=status, events=() if known else (Event("Paused", "guest is paused"),))


def _stop(vm: VirtualMachine, now: datetime, power: Power, reason: str, why: str) -> Outcome:
    status = next_status(
        vm,
        now,
        "Stopping",
        false("Ready", "Stopping", f"guest is shutting down: {why}"),
        transition_started_at=now,
        last_action=power.action,
    )
    return Outcome(status=status, events=(Event(reason, why),))


def _stopping(vm: VirtualMachine, world: World, now: datetime, power: Power) -> Outcome:
    shutdown = _shutdown(vm, world, now)
    down = world.completion(shutdown)
    if down is None:
        return Outcome(work=frozenset({shutdown}))
    if power.on:
        return _start(vm, world, now, power, released_at=down.at)
    return _stopped(vm, now, power, down.at)


def _shutdown(vm: VirtualMachine, world: World, now: datetime) -> Shutdown:
    pace = world.pace(vm.status.node_pool_name)
    return Shutdown(vm.uid, vm.status.transition_started_at or now, pace)


def _must_be_evicted(vm: VirtualMachine, world: World) -> bool:
    """Whether a drain stops the VM and starts it elsewhere, because it will not or cannot be moved live."""
    host = world.host(vm.status.host_name)
    if host is None or host.spec.maintenance.mode != "Drain":
        return False
    if vm.spec.eviction_strategy == "LiveMigrateIfPossible":
        tried = last_migration(vm, world)
        return tried is not None and tried.status.phase == "Failed" and tried.status.source_host == host.name
    return vm.spec.eviction_strategy == "None"


# The host is gone


def _confirmed_host(vm: VirtualMachine, world: World) -> Host | None:
    """The host as the API server has it. A loss that is only assumed moves nobody: a new leader that cannot see the
    loss would not know which VMs the old one may still be moving (`drover.control.fencing`).
    """
    return cast("Host | None", world.confirmed(Key(Host.KIND, "", vm.status.host_name or "")))


def _host_lost(vm: VirtualMachine, host: Host | None, world: World, now: datetime, power: Power) -> Outcome:
    """The guest died with its host, at the moment the host was first seen not to be ready."""
    at = _lost_at(host, now)
    if not power.on:
        return _stopped(vm, now, power, at)
    if vm.spec.run_strategy == "Once":
        return _failed(vm, now, at)
    if vm.spec.high_availability.enabled or host is None:
        outcome = _start(vm, world, now, power, released_at=at, restarts=vm.status.restarts + 1)
        lost = warning("HostLost", f"host {vm.status.host_name} is lost; restarting elsewhere")
        return Outcome(status=outcome.status, events=(lost, *outcome.events), children=outcome.children)
    message = f"host {vm.status.host_name} is lost and highAvailability is off: the VM restarts when the host is back"
    status = next_status(
        vm,
        now,
        "Unknown",
        false("Ready", "HostUnreachable", message),
        last_start_time=None,
        transition_started_at=None,
        usage=usage.storage_only(vm.status.usage, at, vm.status.flavor, "Unknown"),
    )
    known = vm.status.phase == "Unknown"
    return Outcome(status=status, events=() if known else (warning("HostLost", message),))


def _lost_at(host: Host | None, now: datetime) -> datetime:
    """When a host was first seen not to be ready; now, where that is not known."""
    if host is None or host.status.is_true("Ready"):
        return now
    return conditions.since(host.status, "Ready") or now


def _failed(vm: VirtualMachine, now: datetime, at: datetime) -> Outcome:
    message = f"host {vm.status.host_name} is lost and runStrategy is Once: create the VM anew to run it again"
    status = next_status(
        vm, now, "Failed", false("Ready", "Failed", message), stalled=True, **_without_host(vm, at, "Failed")
    )
    return Outcome(status=status, events=(warning("HostLost", message),))


# Deletion


def _terminate(vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    """Shut the guest down, release everything in one PATCH, then let the object go."""
    if FINALIZER not in vm.metadata.finalizers:
        return Outcome()
    if vm.status.phase != "Terminating":
        status = next_status(
            vm, now, "Terminating", false("Ready", "Stopping", "being deleted"), transition_started_at=now
        )
        return Outcome(status=status)
    host = world.host(vm.status.host_name)
    at = _lost_at(host, now)
    if is_up(host):
        shutdown = _shutdown(vm, world, now)
        down = world.completion(shutdown)
        if down is None:
            return Outcome(work=frozenset({shutdown}))
        at = down.at
    if _holds_something(vm):
        return Outcome(status=_released(vm, now, at))
    return Outcome(protect=False, events=(Event("Terminated", "released host, addresses and volumes"),))


def _holds_something(vm: VirtualMachine) -> bool:
    opened = vm.status.usage is not None and vm.status.usage.open is not None
    return bool(vm.status.host_name or vm.status.interfaces or vm.status.volumes or opened)


def _released(vm: VirtualMachine, now: datetime, at: datetime) -> Any:
    return next_status(
        vm,
        now,
        "Terminating",
        false("Ready", "Stopping", "being deleted"),
        **(_without_host(vm, at, "Terminating") | {"usage": usage.ended(vm.status.usage, at)}),
        interfaces=(),
        primary_ip=None,
        volumes=(),
    )


CONTROLLER = Controller(VirtualMachine.KIND, reconcile, WATCHES)
