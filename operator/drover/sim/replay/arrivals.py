"""A workload replayed on a pool that grows, with or without consolidation every hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from drover.model.packing import Snapshot, drain
from drover.sim.replay.pools import Pool
from drover.sim.replay.workload import CAPACITY, Events, IntArray, Usage, Workload

HOUR: Final = 3600.0
REPORT_EVERY: Final = 4096
"""Events between two reports of progress."""
_NOWHERE: Final = -1
_NOBODY: Final = -1

Progress = Callable[[float], None]
"""Takes the share that is done."""


class Replayed(NamedTuple):
    usage: Usage
    migrations: int


class _State:
    """Who is where, and how many hosts are in use."""

    def __init__(self, workload: Workload, pool: Pool) -> None:
        self.host: IntArray = np.full(len(workload), _NOWHERE, np.int64)
        self.in_use = 0
        self.migrations = 0
        self._sizes = workload.sizes
        self._pool = pool
        self._vms: list[int] = []

    def come(self, vm: int, now: float) -> None:
        self._put(vm, self._pool.place(vm, now))

    def go(self, vm: int) -> None:
        host = int(self.host[vm])
        self._pool.release(vm, host)
        self._take(vm, host)

    def consolidate(self, share: float) -> None:
        """Moves at most this share of the virtual machines, rounded down, to where hosts become empty by it."""
        live = np.flatnonzero(self.host != _NOWHERE)
        capacity = np.tile(CAPACITY, (len(self._vms), 1))
        snapshot = Snapshot(capacity, self._sizes[live], self.host[live])
        for move in drain(snapshot, int(share * len(live)), exchange=False):
            vm = int(live[move.vm])
            self._pool.move(vm, move.source, move.target)
            self._take(vm, move.source)
            self._put(vm, move.target)
            self.migrations += 1

    def _put(self, vm: int, host: int) -> None:
        if host == len(self._vms):
            self._vms.append(0)
        self.in_use += not self._vms[host]
        self._vms[host] += 1
        self.host[vm] = host

    def _take(self, vm: int, host: int) -> None:
        self._vms[host] -= 1
        self.in_use -= not self._vms[host]
        self.host[vm] = _NOWHERE


def replay(
    workload: Workload, pool: Pool, *, drain_budget: float = 0.0, progress: Progress = lambda _: None
) -> Replayed:
    """Replays everything. With a budget, each full hour ends with moving at most that share of who is there then."""
    state = _State(workload, pool)
    steps = _steps(workload, hourly=drain_budget > 0)
    hosts = np.zeros(len(steps.vm), np.int64)
    for number, (now, vm, comes) in enumerate(zip(*(column.tolist() for column in steps), strict=True)):
        if vm == _NOBODY:
            state.consolidate(drain_budget)
        elif comes:
            state.come(vm, now)
        else:
            state.go(vm)
        hosts[number] = state.in_use
        if number % REPORT_EVERY == 0:
            progress(number / len(hosts))
    progress(1.0)
    return Replayed(Usage(steps.seconds, hosts, workload.end), state.migrations)


def _steps(workload: Workload, *, hourly: bool) -> Events:
    """The events, and after those of every full hour since the first one a step of nobody."""
    events = workload.events()
    if not hourly or not len(events.seconds):
        return events
    hours = np.arange(events.seconds[0] + HOUR, workload.end, HOUR)
    seconds = np.concatenate([events.seconds, hours])
    order = np.argsort(seconds, kind="stable")
    vm = np.concatenate([events.vm, np.full(len(hours), _NOBODY)])
    return Events(seconds[order], vm[order], np.concatenate([events.comes, np.zeros(len(hours), np.bool_)])[order])
