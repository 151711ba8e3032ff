"""Pools that grow: a host is added when a virtual machine fits on none."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from drover.model.placement import HostRow, Ledger, Request, Resources, Strategy, pick
from drover.model.placement.lifetimes import Ends, Lease
from drover.sim.replay.workload import CAPACITY, HOST, IntArray, Workload


class Pool(Protocol):
    """Hosts and virtual machines go by number."""

    def place(self, vm: int, now: float) -> int:
        """The host it was given."""

    def release(self, vm: int, host: int) -> None: ...

    def move(self, vm: int, source: int, target: int) -> None: ...


class DroverPool:
    """Placement as the operator does it: a ledger, a request, the best host, a claim."""

    def __init__(self, workload: Workload, strategy: Strategy, ends: Ends | None = None) -> None:
        """With ``ends``, virtual machines declare when they will go."""
        self.ledger = Ledger()
        self._strategy = strategy
        self._ends = ends
        self._goes = workload.goes
        requests = {size: Request(Resources(*size)) for size in set(map(tuple, workload.sizes.tolist()))}
        self._requests = [requests[size] for size in map(tuple, workload.sizes.tolist())]

    def place(self, vm: int, now: float) -> int:
        request = self._request(vm, now)
        name = pick(self.ledger, request)
        host = self._add_host() if name is None else int(name)
        self._claim(vm, host)
        return host

    def release(self, vm: int, host: int) -> None:
        self.ledger.set_claims(vm, {})
        if self._ends is not None:
            self._ends.remove(str(vm), str(host))

    def move(self, vm: int, source: int, target: int) -> None:
        self.release(vm, source)
        self._claim(vm, target)

    def _request(self, vm: int, now: float) -> Request:
        request = self._requests[vm]
        if self._ends is None:
            return request
        return Request(request.resources, lease=Lease(now, float(self._goes[vm]), self._ends))

    def _add_host(self) -> int:
        host = len(self.ledger)
        self.ledger.upsert(HostRow(str(host), "", HOST, strategy=self._strategy))
        return host

    def _claim(self, vm: int, host: int) -> None:
        self.ledger.set_claims(vm, {(str(vm), str(host)): self._requests[vm].claim()})
        if self._ends is not None:
            self._ends.add(str(vm), str(host), float(self._goes[vm]))


class FirstFit:
    """The plainest policy there is, to compare with: the host that was added first among those that fit."""

    def __init__(self, workload: Workload) -> None:
        self._sizes = workload.sizes
        self._room: IntArray = np.zeros((0, 2), np.int64)

    def place(self, vm: int, now: float) -> int:  # noqa: ARG002  # all instants are alike to it
        fits = (self._room >= self._sizes[vm]).all(axis=1)
        host = int(fits.argmax()) if fits.any() else self._add_host()
        self._room[host] -= self._sizes[vm]
        return host

    def release(self, vm: int, host: int) -> None:
        self._room[host] += self._sizes[vm]

    def move(self, vm: int, source: int, target: int) -> None:
        self._room[source] += self._sizes[vm]
        self._room[target] -= self._sizes[vm]

    def _add_host(self) -> int:
        self._room = np.vstack([self._room, CAPACITY])
        return len(self._room) - 1
