"""The host is lost: the guest died with it, or runs on where nobody sees it.

::

    on a host --out of reach--> Unknown (Ready Unknown) --seen again--> as before: no boot, no gap in its usage
        |                           | died after all
        +--died--> Unknown (Ready False) --host is back--> Starting there | Failed (Once)
                       | host fenced or off, confirmed
                       +--> Starting elsewhere | Unschedulable | Stopped | Failed (Once)
                       +--> Unknown still, without high availability or with its restarts used up

Nothing leaves a lost host before that is fenced: a guest that nobody sees may still write to its volumes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import cast

from drover.api.host import Host
from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine, VirtualMachinePhase
from drover.control import conditions
from drover.control.conditions import Verdict, false
from drover.control.driver import Pace
from drover.control.outcome import Event, Outcome, warning
from drover.control.virtualmachine import usage
from drover.control.virtualmachine.placing import start, stopped, without_host
from drover.control.virtualmachine.power import Power
from drover.control.virtualmachine.status import booting_on, next_status, paused, runs_on
from drover.control.world import World

WINDOW_SECONDS = 86_400.0
"""Model seconds for which a restart after a host failure counts towards highAvailability.maxRestarts, and a live move
towards status.migration.count24h."""


def host_lost(vm: VirtualMachine, host: Host | None, world: World, now: datetime, power: Power) -> Outcome:
    """What becomes of a VM whose host, as the API server has it, is not ready or no more."""
    if host is not None and _is_out_of_reach(host):
        return _unseen(vm, now)
    at = lost_at(host, now)
    if not may_leave(host):
        return _unreachable(vm, now, at, "waiting until it is fenced or back")
    if not power.on:
        return stopped(vm, now, power, at)
    if vm.spec.run_strategy == "Once":
        return failed(vm, now, at)
    enabled = vm.spec.high_availability.enabled
    if host is None or (enabled and _is_off(host)):
        told = f"left host {vm.status.host_name}, which is {'off' if host is not None else 'gone'}"
        return _elsewhere(vm, world, now, power, at, vm.status.host_failures, told)
    if not enabled:
        return _unreachable(vm, now, at, "highAvailability is off: the VM restarts when the host is back")
    return _restart(vm, world, now, power, at)


def _unseen(vm: VirtualMachine, now: datetime) -> Outcome:
    """The guest may run on: it is charged, and keeps what it would go on with."""
    if knows_its_guest_died(vm):
        return Outcome(status=conditions.acknowledged(vm, now))
    message = f"host {vm.status.host_name} is out of reach: the guest may run on there unseen"
    status = next_status(vm, now, "Unknown", Verdict("Ready", "Unknown", "HostUnreachable", message))
    return Outcome(status=status, events=_lost_events(vm, message))


def _unreachable(
    vm: VirtualMachine, now: datetime, at: datetime, why: str, requeue_at: datetime | None = None
) -> Outcome:
    """The guest is dead, and the VM waits: for its host, or to be allowed to leave it."""
    message = f"host {vm.status.host_name} is lost; {why}"
    status = next_status(
        vm,
        now,
        "Unknown",
        false("Ready", "HostUnreachable", message),
        last_start_time=None,
        transition_started_at=None,
        usage=usage.storage_only(vm.status.usage, at, vm.status.flavor, "Unknown"),
    )
    return Outcome(status=status, events=_lost_events(vm, message), requeue_at=requeue_at)


def _restart(vm: VirtualMachine, world: World, now: datetime, power: Power, at: datetime) -> Outcome:
    """Restart elsewhere, as often as ``maxRestarts`` allows."""
    pace, most = world.pace(vm.status.node_pool_name), vm.spec.high_availability.max_restarts
    recent = _recent_failures(vm, now, pace)
    if len(recent) < most:
        told = f"left lost host {vm.status.host_name}; restart {len(recent) + 1} of {most} in 24 h"
        return _elsewhere(vm, world, now, power, at, (*recent, at), told)
    if not most:
        why = "spec.highAvailability.maxRestarts is 0: the VM restarts when the host is back, or raise maxRestarts"
        return _unreachable(vm, now, at, why)
    again = recent[-most] + pace.wall(WINDOW_SECONDS)
    why = (
        f"{most} of {most} restarts of the last 24 h are used: the VM restarts when the host is back or at "
        f"{again:%Y-%m-%dT%H:%M:%SZ}, or raise spec.highAvailability.maxRestarts"
    )
    return _unreachable(vm, now, at, why, requeue_at=again)


def _recent_failures(vm: VirtualMachine, now: datetime, pace: Pace) -> tuple[datetime, ...]:
    window = pace.wall(WINDOW_SECONDS)
    return tuple(at for at in vm.status.host_failures if now - at < window)


def _elsewhere(
    vm: VirtualMachine,
    world: World,
    now: datetime,
    power: Power,
    at: datetime,
    failures: tuple[datetime, ...],
    told: str,
) -> Outcome:
    outcome = start(vm, world, now, power, released_at=at, restarts=vm.status.restarts + 1, host_failures=failures)
    lost = _lost_events(vm, f"host {vm.status.host_name} is lost; restarting elsewhere")
    return replace(outcome, events=(*lost, Event("Evacuated", told), *outcome.events))


def failed(vm: VirtualMachine, now: datetime, at: datetime) -> Outcome:
    message = f"host {vm.status.host_name} is lost and runStrategy is Once: create the VM anew to run it again"
    status = next_status(
        vm, now, "Failed", false("Ready", "Failed", message), stalled=True, **without_host(vm, at, "Failed")
    )
    return Outcome(status=status, events=(warning("HostLost", message),))


def _lost_events(vm: VirtualMachine, message: str) -> tuple[Event, ...]:
    """A loss is told once, when the VM first shows it."""
    return () if vm.status.phase == "Unknown" else (warning("HostLost", message),)


# Seen again


def knows_its_guest_died(vm: VirtualMachine) -> bool:
    """Whether the status says so, or says that the guest is to end anyway."""
    ready = vm.status.condition("Ready")
    died = vm.status.phase == "Unknown" and (ready is None or ready.status == "False")
    return died or vm.status.phase == "Terminating"


def seen_again(vm: VirtualMachine, now: datetime, power: Power) -> Outcome:
    """The guest ran on out of sight: the VM is what it was, and what it was doing goes on from when that began."""
    before = [transition.phase for transition in vm.status.phase_transitions[:-1]]
    phase = cast(VirtualMachinePhase, before[-1] if before else "Running")
    ready = {
        "Starting": booting_on(str(vm.status.host_name)),
        "Stopping": false("Ready", "Stopping", "guest is shutting down"),
        "Paused": paused(power.resume_hint),
    }.get(phase, runs_on(str(vm.status.host_name)))
    return Outcome(status=next_status(vm, now, phase, ready))


# What is known of the host


def lost_at(host: Host | None, now: datetime) -> datetime:
    """When the guests of a host died: when it was first seen not to be ready; now, where that is not known."""
    if host is None or host.status.is_true("Ready"):
        return now
    return conditions.since(host.status, "Ready") or now


def is_lost(host: Host | None, world: World) -> bool:
    """Whether a confirmed host has been found not to be ready. One that nobody has judged yet, or that a write in
    flight makes ready, is not lost: VMs are placed on it already.
    """
    if host is None:
        return True
    ready, visible = host.status.condition("Ready"), world.host(host.name)
    coming = visible is not None and visible.status.is_true("Ready")
    return ready is not None and ready.status != "True" and not coming


def is_dead(host: Host | None) -> bool:
    """Whether a host is known not to run its guests, be it fenced or not."""
    ready = host.status.condition("Ready") if host is not None else None
    return ready is not None and ready.status == "False"


def may_leave(host: Host | None) -> bool:
    """Whether no guest can be running on a lost host: it is fenced, known to be off, or no more."""
    return host is None or host.status.is_true("Fenced") or _is_off(host)


def _is_off(host: Host) -> bool:
    ready = host.status.condition("Ready")
    return ready is not None and ready.reason == "PoweredOff"


def _is_out_of_reach(host: Host) -> bool:
    ready = host.status.condition("Ready")
    return ready is not None and ready.status == "Unknown"


def confirmed_host(vm: VirtualMachine, world: World) -> Host | None:
    """The host as the API server has it. A loss or a fence that is only assumed moves nobody: a new leader that cannot
    see it would not know which VMs the old one may still be moving (`drover.control.engine.fencing`).
    """
    return cast("Host | None", world.confirmed(Key(Host.KIND, "", vm.status.host_name or "")))
