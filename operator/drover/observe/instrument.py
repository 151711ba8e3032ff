"""Controllers, their reconciles counted and timed."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import Any

from drover.api.virtualmachine import VirtualMachine
from drover.control.outcome import Controller, Outcome
from drover.control.world import World
from drover.observe.families import process as families
from drover.observe.metrics import Metrics
from drover.observe.scheduling import Scheduling
from drover.observe.workqueue import WorkQueue


class Instruments:
    """What is measured around every reconcile."""

    def __init__(self, metrics: Metrics, work: WorkQueue) -> None:
        self._metrics = metrics
        self._work = work
        self._scheduling = Scheduling(metrics)

    def around(self, controller: Controller) -> Controller:
        """The same controller, measured."""

        def reconcile(resource: Any, world: World, now: datetime) -> Outcome:
            begun = time.perf_counter()
            outcome: Outcome | None = None
            try:
                with self._work.working():
                    outcome = controller.reconcile(resource, world, now)
                return outcome
            finally:
                seconds = time.perf_counter() - begun
                self._metrics.count(families.RECONCILE, controller.kind, _result(outcome))
                self._metrics.observe(families.RECONCILE_DURATION, seconds, controller.kind)
                if isinstance(resource, VirtualMachine):
                    self._see(resource, world, outcome, seconds, now)

        return replace(controller, reconcile=reconcile)

    def _see(self, vm: VirtualMachine, world: World, outcome: Outcome | None, seconds: float, now: datetime) -> None:
        if outcome is None:
            self._scheduling.failed(vm, seconds)
        else:
            self._scheduling.seen(vm, world, outcome, seconds, now)


def _result(outcome: Outcome | None) -> str:
    if outcome is None:
        return "error"
    return "requeue" if outcome.requeue_at is not None else "success"
