"""The host is lost: the guest died with it, at the moment the host was first seen not to be ready."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from drover.api.host import Host
from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.control import conditions
from drover.control.conditions import false
from drover.control.outcome import Outcome, warning
from drover.control.virtualmachine import usage
from drover.control.virtualmachine.placing import start, stopped, without_host
from drover.control.virtualmachine.power import Power
from drover.control.virtualmachine.status import next_status
from drover.control.world import World


def host_lost(vm: VirtualMachine, host: Host | None, world: World, now: datetime, power: Power) -> Outcome:
    """The guest died with its host, at the moment the host was first seen not to be ready."""
    at = lost_at(host, now)
    if not power.on:
        return stopped(vm, now, power, at)
    if vm.spec.run_strategy == "Once":
        return _failed(vm, now, at)
    if vm.spec.high_availability.enabled or host is None:
        outcome = start(vm, world, now, power, released_at=at, restarts=vm.status.restarts + 1)
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


def lost_at(host: Host | None, now: datetime) -> datetime:
    """When a host was first seen not to be ready; now, where that is not known."""
    if host is None or host.status.is_true("Ready"):
        return now
    return conditions.since(host.status, "Ready") or now


def _failed(vm: VirtualMachine, now: datetime, at: datetime) -> Outcome:
    message = f"host {vm.status.host_name} is lost and runStrategy is Once: create the VM anew to run it again"
    status = next_status(
        vm, now, "Failed", false("Ready", "Failed", message), stalled=True, **without_host(vm, at, "Failed")
    )
    return Outcome(status=status, events=(warning("HostLost", message),))


def is_lost(host: Host | None, world: World) -> bool:
    """Whether a confirmed host has been found not to be ready. One that nobody has judged yet, or that a write in
    flight makes ready, is not lost: VMs are placed on it already.
    """
    if host is None:
        return True
    ready, visible = host.status.condition("Ready"), world.host(host.name)
    coming = visible is not None and visible.status.is_true("Ready")
    return ready is not None and ready.status != "True" and not coming


def confirmed_host(vm: VirtualMachine, world: World) -> Host | None:
    """The host as the API server has it. A loss that is only assumed moves nobody: a new leader that cannot see the
    loss would not know which VMs the old one may still be moving (`drover.control.engine.fencing`).
    """
    return cast("Host | None", world.confirmed(Key(Host.KIND, "", vm.status.host_name or "")))
