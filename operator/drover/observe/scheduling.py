"""Counts placement attempts, read off what the VM controller decides."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from drover.api.virtualmachine import VirtualMachine, VirtualMachineStatus
from drover.control.outcome import Outcome
from drover.control.virtualmachine.status import WAITING_PHASES
from drover.control.world import World
from drover.model.placement.refusal import TOO_SMALL, UNSATISFIED
from drover.model.placement.rules import SELECTOR
from drover.observe.families import process as families
from drover.observe.metrics import Metrics

MOST_ATTEMPTS = 16
"""Attempts that are told apart; kube-scheduler's bound."""
FILTERS: Final = (
    ("insufficient cpu", "cpu"),
    ("insufficient memory", "memory"),
    ("insufficient disk", "disk"),
    ("insufficient network", "network"),
    ("insufficient GPU", "gpu"),
    (TOO_SMALL, "size"),
    (SELECTOR, "selector"),
    ("lacking trait", "traits"),
    ("having forbidden trait", "traits"),
    ("unable to provide CPU model", "cpu_model"),
    ("with fewer than", "numa"),
    ("without a NUMA cell", "numa"),
    ("with taint", "taints"),
    (UNSATISFIED, "terms"),
    ("held back for failover", "failover"),
    ("kept until", "preemption"),
)
"""How a rejection's words begin, and the rule they stand for."""
UNAVAILABLE: Final = "unavailable"
"""Every other one is of a host that takes nothing new."""


class Scheduling:
    """Sees every reconcile of a VM before it is written."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        metrics.begin(families.SCHEDULER_PREEMPTIONS, "nominated")
        for rule in {UNAVAILABLE, *(rule for _, rule in FILTERS)}:
            metrics.begin(families.SCHEDULER_FILTER_REJECTIONS, rule)
        self._attempts: dict[str, int] = {}
        """By uid of a VM that waits for a host."""

    def seen(self, vm: VirtualMachine, world: World, outcome: Outcome, seconds: float, now: datetime) -> None:
        """One reconcile that took ``seconds``."""
        after = outcome.status
        if vm.deleting:
            self._attempts.pop(vm.uid, None)
        elif isinstance(after, VirtualMachineStatus) and (result := _result(vm.status, after)) is not None:
            self._attempt(vm, profile_of(vm, after, world), result, seconds)
            if result == "scheduled":
                self._bound(vm, now)
            else:
                self._refused(vm.status, after)

    def failed(self, vm: VirtualMachine, seconds: float) -> None:
        """The reconcile of a VM without a host raised."""
        if not vm.status.host_name:
            self._attempt(vm, "", "error", seconds)

    def _attempt(self, vm: VirtualMachine, profile: str, result: str, seconds: float) -> None:
        self._attempts[vm.uid] = self._attempts.get(vm.uid, 0) + 1
        self._metrics.count(families.SCHEDULER_ATTEMPTS, profile, result)
        self._metrics.observe(families.SCHEDULER_ATTEMPT_DURATION, seconds, profile, result)

    def _bound(self, vm: VirtualMachine, now: datetime) -> None:
        attempts = self._attempts.pop(vm.uid)
        told = str(attempts) if attempts < MOST_ATTEMPTS else f"{MOST_ATTEMPTS}+"
        seconds = (now - _waits_since(vm, now)).total_seconds()
        self._metrics.observe(families.SCHEDULER_E2E_DURATION, max(seconds, 0.0), told)

    def _refused(self, before: VirtualMachineStatus, after: VirtualMachineStatus) -> None:
        """The same refusal again is the same decision: its hosts count once."""
        if after.placement is None or after.placement == before.placement:
            return
        for words, hosts in after.placement.rejections.items():
            self._metrics.count(families.SCHEDULER_FILTER_REJECTIONS, filter_of(words), by=hosts)
        if after.placement.nominated_host_name:
            self._metrics.count(families.SCHEDULER_PREEMPTIONS, "nominated")


def filter_of(words: str) -> str:
    """The rule that a rejection's words stand for."""
    return next((rule for beginning, rule in FILTERS if words.startswith(beginning)), UNAVAILABLE)


def profile_of(vm: VirtualMachine, after: VirtualMachineStatus, world: World) -> str:
    """The strategy of the pool that was chosen, or asked for; empty where any would do and none did."""
    if after.host_name and after.placement is not None:
        return after.placement.strategy or ""
    pool = world.pool(vm.spec.placement.node_pool_name)
    return pool.spec.placement.strategy if pool is not None else ""


def _result(before: VirtualMachineStatus, after: VirtualMachineStatus) -> str | None:
    """None for a reconcile that did not try to place."""
    if after.phase == "Unschedulable":
        return "unschedulable"
    placed = after.placement is not None and after.placement.host_name is not None and after.phase == "Starting"
    return "scheduled" if placed and after.placement != before.placement else None


def _waits_since(vm: VirtualMachine, now: datetime) -> datetime:
    """Since when it has been without a host, waiting for one."""
    since = vm.metadata.creation_timestamp or now
    waiting = False
    for change in vm.status.phase_transitions:
        if change.phase not in WAITING_PHASES:
            waiting, since = False, now
        elif not waiting:
            waiting, since = True, change.at
    return since
