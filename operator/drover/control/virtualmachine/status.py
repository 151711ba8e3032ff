"""A VM's next status: every condition is derived here, from the phase and what the status says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from drover.api.virtualmachine import VirtualMachine, VirtualMachinePhase, VirtualMachineStatus
from drover.control import conditions
from drover.control.conditions import Verdict, false, true

WAITING_PHASES = ("Unschedulable", "Pending", "Provisioning")
"""Wanted on, and without a host."""
ON_A_HOST = frozenset({"Starting", "Running", "Paused", "Migrating", "Stopping"})


def runs_on(host: str) -> Verdict:
    return true("Ready", "Running", f"guest runs on {host}")


def booting_on(host: str) -> Verdict:
    return false("Ready", "Starting", f"guest is booting on {host}")


def paused(resume_hint: str) -> Verdict:
    return false("Ready", "Paused", f"guest is paused: {resume_hint}")


def next_status(
    vm: VirtualMachine,
    now: datetime,
    phase: VirtualMachinePhase,
    ready: Verdict,
    *,
    prerequisites: Verdict | None = None,
    scheduled: Verdict | None = None,
    stalled: bool = False,
    **fields: Any,
) -> VirtualMachineStatus:
    """``fields`` replaced in the status, and all conditions that follow. ``stalled``: waiting will not mend it."""
    after = vm.status.model_copy(update=fields)
    verdicts = [
        ready,
        *_prerequisites(phase, prerequisites),
        *_scheduled(phase, after, scheduled),
        _live_migratable(phase, after),
        *_restart_required(vm, phase, after),
        *_progressing(phase, ready, stalled),
    ]
    return conditions.derive(vm, now, phase=phase, verdicts=verdicts, **fields)  # type: ignore[no-any-return]


def _prerequisites(phase: str, given: Verdict | None) -> Iterator[Verdict]:
    if given is not None:
        yield given
    elif phase in ON_A_HOST:
        yield true("PrerequisitesReady", "Ready")


def _scheduled(phase: str, after: VirtualMachineStatus, given: Verdict | None) -> Iterator[Verdict]:
    if given is not None:
        yield given
    elif phase in ON_A_HOST:
        yield true("Scheduled", "Placed", f"on {after.host_name}")


def _live_migratable(phase: str, after: VirtualMachineStatus) -> Verdict:
    if after.flavor is not None and after.flavor.gpus:
        return false("LiveMigratable", "PassthroughDevice", "its GPUs cannot be moved live: stop and start it instead")
    if phase in ("Running", "Migrating"):
        return true("LiveMigratable", "Migratable")
    return false("LiveMigratable", "NotRunning", "only a running guest can be migrated live")


def _restart_required(vm: VirtualMachine, phase: str, after: VirtualMachineStatus) -> Iterator[Verdict]:
    running = after.flavor
    wanted = vm.spec.flavor_ref.name
    if phase in ON_A_HOST and running is not None and running.name != wanted:
        message = f"runs as {running.name}; restart it to become {wanted}"
        yield true("RestartRequired", "FlavorChanged", message)


def _progressing(phase: str, ready: Verdict, stalled: bool) -> Iterator[Verdict]:
    """kstatus: Stalled for what will not mend itself, else Reconciling while not there yet; never both."""
    if phase == "Paused":
        yield true("Paused", "Paused", ready.message)
    elif stalled:
        yield true("Stalled", ready.reason, ready.message)
    elif ready.status != "True":
        yield true("Reconciling", ready.reason, ready.message)
