"""Counts what becomes of VMs and hosts while this instance leads, as the API server confirms it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import cast

from drover.api.host import Host
from drover.api.meta import MAX_PHASE_TRANSITIONS, AnyResource, Key
from drover.api.virtualmachine import VirtualMachine
from drover.control.world import World
from drover.observe.families import process as families
from drover.observe.metrics import Metrics

BROKEN = ("Failed", "CrashLoopBackOff", "Unknown")
"""Phases of a VM whose guest has come to grief."""


class Lives:
    """Listens to the World, and compares what is confirmed with what was."""

    def __init__(
        self, world: World, leads: Callable[[], bool], metrics: Metrics, clock: Callable[[], datetime]
    ) -> None:
        self._world = world
        self._leads = leads
        self._metrics = metrics
        self._clock = clock
        self._known: dict[Key, AnyResource] = {}
        world.subscribe(self._changed)

    def _changed(self, before: AnyResource | None, after: AnyResource | None) -> None:
        changed = after if after is not None else before
        if changed is None or changed.KIND not in (VirtualMachine.KIND, Host.KIND):
            return
        key = changed.key
        was, confirmed = self._known.get(key), self._world.confirmed(key)
        if confirmed is None:
            self._known.pop(key, None)
        else:
            self._known[key] = confirmed
        if was is None or was is confirmed or not self._leads():
            return
        if confirmed is None or confirmed.uid != was.uid:
            self._gone(was)
        elif isinstance(confirmed, VirtualMachine):
            self._count_vm(cast(VirtualMachine, was), confirmed)
        elif isinstance(confirmed, Host):
            self._count_host(cast(Host, was), confirmed)

    def _gone(self, was: AnyResource) -> None:
        asked = was.metadata.deletion_timestamp
        if isinstance(was, VirtualMachine) and asked is not None:
            seconds = (self._clock() - asked).total_seconds()
            self._metrics.observe(families.VM_DELETION_DURATION, max(seconds, 0.0))

    def _count_vm(self, was: VirtualMachine, vm: VirtualMachine) -> None:
        phase, changes = vm.status.phase, vm.status.phase_transitions
        if phase is None or phase == was.status.phase:
            return
        self._metrics.count(families.VM_TRANSITIONS, vm.namespace, was.status.phase or "", phase)
        if phase in BROKEN:
            ready = vm.status.condition("Ready")
            self._metrics.count(families.VM_CRASHES, vm.namespace, ready.reason if ready is not None else phase)
        created, reached = vm.metadata.creation_timestamp, [change.at for change in changes if change.phase == phase]
        # A list that is full may have lost the first time.
        if created is not None and len(reached) == 1 and len(changes) < MAX_PHASE_TRANSITIONS:
            seconds = (reached[0] - created).total_seconds()
            self._metrics.observe(families.VM_PHASE_TRANSITION_DURATION, max(seconds, 0.0), phase)

    def _count_host(self, was: Host, host: Host) -> None:
        fault = host.spec.fault.type
        if fault not in ("None", was.spec.fault.type):
            self._metrics.count(families.FAULTS_INJECTED, fault, Host.KIND)
