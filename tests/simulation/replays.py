"""Generated workloads, and a pool that is watched."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from drover.sim.replay.pools import Pool
from drover.sim.replay.workload import CAPACITY, Workload

GIB = 2**30
Row = tuple[float, float, int, int]
"""When it comes and goes in hours, vCPUs, GiB."""

FLAVORS = ((1, 2), (2, 4), (4, 14), (8, 8), (16, 28))


def workload(rows: list[Row], end: float) -> Workload:
    """Times in hours."""
    comes, goes, vcpus, gib = np.array(rows, float).reshape(-1, 4).T
    sizes = np.array([vcpus * 1000, gib * GIB]).T.astype(np.int64)
    return Workload(comes * 3600, goes * 3600, sizes, end * 3600)


def generated(seed: int, machines: int = 300) -> Workload:
    """Bursts every quarter of an hour for ten hours; most stay for minutes, some for hours, a few for good."""
    rng = random.Random(seed)
    rows: list[Row] = []
    for _ in range(machines):
        comes = rng.randrange(40) / 4
        stays = rng.choice([rng.uniform(0.1, 0.6)] * 6 + [rng.uniform(1, 6)] * 3 + [math.inf])
        rows.append((comes, comes + stays, *rng.choice(FLAVORS)))
    return workload(sorted(rows, key=lambda row: row[0]), 11.0)


@dataclass
class Watched:
    """A pool whose hosts are counted on the side. Fails where one is filled above its capacity."""

    pool: Pool
    workload: Workload
    host: dict[int, int] = field(default_factory=dict)
    in_use: list[int] = field(default_factory=list)
    moves: int = 0

    def place(self, vm: int, now: float) -> int:
        self.host[vm] = self.pool.place(vm, now)
        self._check()
        return self.host[vm]

    def release(self, vm: int, host: int) -> None:
        assert self.host.pop(vm) == host
        self.pool.release(vm, host)
        self._check()

    def move(self, vm: int, source: int, target: int) -> None:
        assert self.host[vm] == source
        assert target in self.host.values(), "an empty host is nothing to move to"
        self.host[vm] = target
        self.pool.move(vm, source, target)
        self.moves += 1
        self._check()

    def _check(self) -> None:
        used: dict[int, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
        for vm, host in self.host.items():
            used[host] = used.get(host, 0) + self.workload.sizes[vm]
        assert all((amount <= CAPACITY).all() for amount in used.values())
        self.in_use.append(len(used))


def plain_first_fit(work: Workload) -> Iterator[int]:
    """The host of each that comes, by a loop over hosts."""
    room: list[list[int]] = []
    host: dict[int, int] = {}
    for vm, comes in zip(work.events().vm.tolist(), work.events().comes.tolist(), strict=True):
        size = work.sizes[vm].tolist()
        if not comes:
            room[host[vm]] = [a + b for a, b in zip(room[host[vm]], size, strict=True)]
            continue
        fitting = (number for number, free in enumerate(room) if all(a >= b for a, b in zip(free, size, strict=True)))
        host[vm] = next(fitting, len(room))
        if host[vm] == len(room):
            room.append(CAPACITY.tolist())
        room[host[vm]] = [a - b for a, b in zip(room[host[vm]], size, strict=True)]
        yield host[vm]
