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

    any with a host --(host lost)--> Unknown --> what `losing` draws
    any --(deleted)--> Terminating

One PATCH takes the VM from waiting to Starting: host, addresses, volumes and the usage interval appear together, so
no crash can leave some of them claimed. Waiting VMs have no timer; what blocked them wakes them (``watches``).
"""

from __future__ import annotations

from datetime import datetime

from drover.api.meta import FINALIZER
from drover.api.virtualmachine import VirtualMachine
from drover.control import conditions
from drover.control.conditions import false
from drover.control.driver import Boot
from drover.control.outcome import Controller, Event, Outcome
from drover.control.virtualmachine import usage
from drover.control.virtualmachine.ending import shutdown_of, terminate
from drover.control.virtualmachine.losing import (
    confirmed_host,
    failed,
    host_lost,
    is_lost,
    knows_its_guest_died,
    seen_again,
)
from drover.control.virtualmachine.migrating import (
    commit_ready,
    follow_migration,
    guest_lost,
    has_failed_to_migrate,
    in_post_copy,
    lost_in_post_copy,
)
from drover.control.virtualmachine.placing import start, stopped
from drover.control.virtualmachine.power import Power, power_of
from drover.control.virtualmachine.preempted import preempted_for
from drover.control.virtualmachine.status import next_status, paused, runs_on
from drover.control.virtualmachine.urgency import urgency
from drover.control.virtualmachine.watches import WATCHES
from drover.control.world import World


def reconcile(vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    protected = FINALIZER in vm.metadata.finalizers
    if protected and (lost := lost_in_post_copy(vm, world)) is not None:
        return guest_lost(vm, lost, world, now)
    if protected and in_post_copy(vm, world):
        return follow_migration(vm, world, now, commit=commit_ready(vm, world))
    if vm.deleting:
        return terminate(vm, world, now)
    if not protected:
        return Outcome(protect=True)
    power = power_of(vm)
    if not vm.status.host_name:
        return _waiting(vm, world, now, power)
    host = confirmed_host(vm, world)
    if is_lost(host, world):
        return host_lost(vm, host, world, now, power)
    match vm.status.phase:
        case "Starting":
            return _starting(vm, world, now, power)
        case "Stopping":
            return _stopping(vm, world, now, power)
        case "Unknown":
            return _back(vm, now, power)
        case _:
            return _up(vm, world, now, power)


def _waiting(vm: VirtualMachine, world: World, now: datetime, power: Power) -> Outcome:
    if vm.status.phase == "Failed" and vm.spec.run_strategy == "Once":
        return Outcome(status=conditions.acknowledged(vm, now))
    if not power.on:
        return stopped(vm, now, power)
    return start(vm, world, now, power)


def _back(vm: VirtualMachine, now: datetime, power: Power) -> Outcome:
    """The host is back, and nothing has become of the VM elsewhere."""
    if not knows_its_guest_died(vm):
        return seen_again(vm, now, power)
    if not power.on:
        return stopped(vm, now, power)
    if vm.spec.run_strategy == "Once":
        return failed(vm, now, now)
    return _boot(vm, now, f"its guest died; {vm.status.host_name} is up", restarts=vm.status.restarts + 1)


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
        runs_on(str(vm.status.host_name)),
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
    if (preemptor := preempted_for(vm, world)) is not None:
        why = f"{preemptor.namespace}/{preemptor.name} of higher priority takes its place"
        return _stop(vm, now, power, "Preempted", why)
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
        runs_on(str(vm.status.host_name)),
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
        paused(power.resume_hint),
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
    shutdown = shutdown_of(vm, world, now)
    down = world.completion(shutdown)
    if down is None:
        return Outcome(work=frozenset({shutdown}))
    if power.on:
        return start(vm, world, now, power, released_at=down.at)
    return stopped(vm, now, power, down.at)


def _must_be_evicted(vm: VirtualMachine, world: World) -> bool:
    """Whether a drain stops the VM and starts it elsewhere, because it will not or cannot be moved live."""
    host = world.host(vm.status.host_name)
    if host is None or host.spec.maintenance.mode != "Drain":
        return False
    if vm.spec.eviction_strategy == "LiveMigrateIfPossible":
        return has_failed_to_migrate(vm, world, conditions.since(host.status, "Drained"))
    return vm.spec.eviction_strategy == "None"


CONTROLLER = Controller(VirtualMachine.KIND, reconcile, WATCHES, urgency)
