"""A working copy of a snapshot: every move is checked, logged and can be undone."""

from __future__ import annotations

import numpy as np

from drover.model.packing.snapshot import Allowed, BoolArray, FloatArray, IntArray, Move, Snapshot


class Fleet:
    """Hosts, the room they have left, and who is where."""

    def __init__(self, snapshot: Snapshot, allowed: Allowed | None = None) -> None:
        self.sizes = snapshot.sizes
        self.host: IntArray = snapshot.host.copy()
        self.capacity: IntArray = snapshot.capacity.T
        """Shape (resources, hosts)."""
        self.room: IntArray = np.ascontiguousarray((snapshot.capacity - snapshot.used()).T)
        """Shape (resources, hosts); negative where a host's capacity shrank below what it runs."""
        self.inverse: FloatArray = 1 / np.maximum(snapshot.capacity.T, 1)
        """Shape (resources, hosts): turns an amount into the fraction of a host."""
        self.vms: IntArray = np.bincount(self.host, minlength=len(snapshot.capacity)).astype(np.int64)
        """How many virtual machines each host runs."""
        self.moves: list[Move] = []
        self._used_at_first = self.vms > 0
        self._allowed = allowed

    def on(self, host: int) -> IntArray:
        """The virtual machines of a host."""
        return np.flatnonzero(self.host == host)

    def largest_first(self, host: int) -> list[int]:
        """The virtual machines of a host by the sum of the fractions of it they take."""
        vms = self.on(host)
        fractions: FloatArray = self.sizes[vms] @ self.inverse[:, host]
        ordered: list[int] = vms[np.argsort(-fractions, kind="stable")].tolist()
        return ordered

    def vacated(self) -> IntArray:
        """Hosts that were in use at first and are empty now."""
        return np.flatnonzero(self._used_at_first & (self.vms == 0))

    def admitted(self, vm: int, hosts: IntArray) -> IntArray:
        """Those of the hosts the virtual machine may run on, whatever room they have."""
        return hosts[self._allowed(vm, hosts)] if self._allowed and len(hosts) else hosts

    def admission(self, vms: IntArray) -> BoolArray:
        """Shape (virtual machines, hosts): who may run where, whatever room there is."""
        hosts = np.arange(len(self.vms))
        if self._allowed is None:
            return np.ones((len(vms), len(hosts)), np.bool_)
        return np.array([self._allowed(vm, hosts) for vm in vms.tolist()], np.bool_).reshape(len(vms), len(hosts))

    def admits(self, vm: int, host: int) -> bool:
        return len(self.admitted(vm, np.array([host]))) > 0

    def fits(self, vm: int, host: int) -> bool:
        return bool((self.room[:, host] >= self.sizes[vm]).all())

    def best_fit(self, vm: int, but: int) -> int | None:
        """The host in use, other than one, that is left with the smallest sum of free fractions; None if none fits."""
        need = self.sizes[vm]
        mask = self.vms > 0
        mask[but] = False
        for room, amount in zip(self.room, need, strict=True):
            mask &= room >= amount
        hosts = self.admitted(vm, np.flatnonzero(mask))
        if not len(hosts):
            return None
        rest = ((self.room[:, hosts] - need[:, None]) * self.inverse[:, hosts]).sum(axis=0)
        return int(hosts[rest.argmin()])

    def move(self, vm: int, target: int) -> None:
        """Moves a virtual machine. Raises ValueError where the target has no room for it."""
        if not self.fits(vm, target):
            raise ValueError(f"VM {vm} of size {self.sizes[vm]} does not fit host {target} with {self.room[:, target]}")
        self.moves.append(Move(vm, int(self.host[vm]), target))
        self._put(vm, target)

    def undo(self, length: int) -> None:
        """Takes back the latest moves, so that only the first ones remain."""
        while len(self.moves) > length:
            vm, source, _ = self.moves.pop()
            self._put(vm, source)

    def _put(self, vm: int, target: int) -> None:
        source, size = self.host[vm], self.sizes[vm]
        self.room[:, source] += size
        self.room[:, target] -= size
        self.vms[source] -= 1
        self.vms[target] += 1
        self.host[vm] = target
