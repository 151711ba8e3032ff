"""Deletion: shut the guest down, release everything in one PATCH, then let the object go."""

from __future__ import annotations

from datetime import datetime

from drover.api.host import Host
from drover.api.meta import FINALIZER
from drover.api.virtualmachine import VirtualMachine, VirtualMachineStatus
from drover.control.conditions import false
from drover.control.driver import Shutdown
from drover.control.outcome import Event, Outcome
from drover.control.virtualmachine import usage
from drover.control.virtualmachine.losing import confirmed_host, is_dead, lost_at, may_leave
from drover.control.virtualmachine.placing import without_host
from drover.control.virtualmachine.status import next_status
from drover.control.world import World
from drover.control.world.claims import is_up


def terminate(vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    """Shut the guest down, release everything in one PATCH, then let the object go."""
    if FINALIZER not in vm.metadata.finalizers:
        return Outcome()
    if vm.status.phase != "Terminating":
        status = next_status(
            vm, now, "Terminating", false("Ready", "Stopping", "being deleted"), transition_started_at=now
        )
        return Outcome(status=status)
    at = now
    if is_up(world.host(vm.status.host_name)):
        shutdown = shutdown_of(vm, world, now)
        down = world.completion(shutdown)
        if down is None:
            return Outcome(work=frozenset({shutdown}))
        at = down.at
    elif vm.status.host_name:
        host = confirmed_host(vm, world)
        if not may_leave(host):
            return _held(vm, host, now)
        at = lost_at(host, now)
    if _holds_something(vm):
        return Outcome(status=_released(vm, now, at))
    return Outcome(protect=False, events=(Event("Terminated", "released host, addresses and volumes"),))


def _held(vm: VirtualMachine, host: Host | None, now: datetime) -> Outcome:
    """On a lost host: nothing is released until that is fenced or back, but a guest that died is charged no longer."""
    if not is_dead(host):
        return Outcome()
    at = lost_at(host, now)
    status = next_status(
        vm,
        now,
        "Terminating",
        false("Ready", "Stopping", "being deleted"),
        usage=usage.storage_only(vm.status.usage, at, vm.status.flavor, "Terminating"),
    )
    return Outcome(status=status)


def _holds_something(vm: VirtualMachine) -> bool:
    opened = vm.status.usage is not None and vm.status.usage.open is not None
    return bool(vm.status.host_name or vm.status.interfaces or vm.status.volumes or opened)


def _released(vm: VirtualMachine, now: datetime, at: datetime) -> VirtualMachineStatus:
    return next_status(
        vm,
        now,
        "Terminating",
        false("Ready", "Stopping", "being deleted"),
        **(without_host(vm, at, "Terminating") | {"usage": usage.ended(vm.status.usage, at)}),
        interfaces=(),
        primary_ip=None,
        volumes=(),
    )


def shutdown_of(vm: VirtualMachine, world: World, now: datetime) -> Shutdown:
    pace = world.pace(vm.status.node_pool_name)
    return Shutdown(vm.uid, vm.status.transition_started_at or now, pace)
