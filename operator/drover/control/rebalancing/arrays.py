"""A pool as the arrays that consolidation and balance work on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from fractions import Fraction
from math import ceil

import numpy as np

from drover.control.rebalancing.trying import Moves
from drover.model.packing import Move, Snapshot
from drover.model.packing.snapshot import BoolArray, IntArray
from drover.model.placement import HostRow, Ledger, Resources
from drover.model.placement.decide import candidates
from drover.model.placement.request import Signature
from drover.model.placement.scoring import INFEASIBLE

ALL = 4
"""cpu, memory, disk and network count."""
LOAD = 2
"""cpu and memory alone: what the load of a host is the larger fraction of."""


class Arrays:
    """Hosts and what is charged to them, by index.

    Terms beside other VMs and NUMA cells are not in here: what they forbid shows when a move is tried, and is then
    told by ``forbid``.
    """

    def __init__(
        self, rows: Sequence[HostRow], moves: Moves, movable: Set[str], closed: Set[str], resources: int
    ) -> None:
        """``rows`` in natural order. ``movable``: uids. ``closed``: hosts that nothing may go to."""
        self._rows = rows
        self._names = [row.name for row in rows]
        self._moves = moves
        self._movable = movable
        self._open = np.array([row.name not in closed for row in rows], np.bool_)
        self._resources = resources
        self._ratio = max((row.ratios.cpu for row in rows), default=Fraction(1))
        self._empty = Ledger()
        for row in rows:
            self._empty.upsert(row)
        self._fitting: dict[Signature, BoolArray] = {}
        self._forbidden: dict[str, set[int]] = defaultdict(set)
        self._uids: list[str] = []

    def snapshot(self) -> Snapshot:
        """What is charged now, each VM on each host it is charged to. Indices of VMs hold until the next one."""
        ledger = self._moves.ledger
        charges = [
            (uid, claim.resources, host)
            for host, name in enumerate(self._names)
            for uid, claim in ledger.claims_on(name).items()
        ]
        self._uids = [uid for uid, _, _ in charges]
        return self._snapshot([size for _, size, _ in charges], [host for _, _, host in charges])

    def totals(self) -> Snapshot:
        """What is charged now, as if each host ran one VM of that size: enough for its load."""
        ledger = self._moves.ledger
        return self._snapshot([ledger.allocated(name) for name in self._names], range(len(self._names)))

    def _snapshot(self, sizes: Sequence[Resources], hosts: Sequence[int]) -> Snapshot:
        shape = -1, self._resources
        return Snapshot(
            np.array([row.allocatable[: self._resources] for row in self._rows], np.int64).reshape(shape),
            np.array([self._amounts(size) for size in sizes], np.int64).reshape(shape),
            np.array(hosts, np.int64),
        )

    def _amounts(self, size: Resources) -> tuple[int, ...]:
        """Whole threads count as the vCPUs that the host of the highest ratio would promise for them."""
        cpu = size.milli_cpu + ceil(size.milli_threads * self._ratio)
        return (cpu, size.memory, size.disk, size.bandwidth)[: self._resources]

    def in_use(self) -> int:
        """Hosts with anything charged to them."""
        return sum(bool(self._moves.ledger.claims_on(name)) for name in self._names)

    def allowed(self, vm: int, hosts: IntArray) -> BoolArray:
        """``packing.Allowed``: the hosts that would take the VM if they were empty; none for one that has moved."""
        uid = self._uids[vm]
        if uid not in self._movable or self._moves.has_moved(uid):
            return np.zeros(len(hosts), np.bool_)
        may = (self._would_take(uid) & self._open)[hosts]
        if uid in self._forbidden:
            may &= ~np.isin(hosts, list(self._forbidden[uid]))
        return may

    def _would_take(self, uid: str) -> BoolArray:
        request = self._moves.request(uid)
        if request.signature not in self._fitting:
            alone = replace(request, terms=(), leaves=None, lease=None)
            self._fitting[request.signature] = candidates(self._empty, alone) > INFEASIBLE
        return self._fitting[request.signature]

    def targets(self, moves: Iterable[Move]) -> Mapping[str, str]:
        """Where each VM of the last snapshot ends, by uid: one move a VM, in the order of the last ones."""
        found: dict[str, str] = {}
        for move in moves:
            uid = self._uids[move.vm]
            found.pop(uid, None)
            found[uid] = self._names[move.target]
        return {uid: name for uid, name in found.items() if name != self._moves.request(uid).leaves}

    def forbid(self, uid: str, host: str) -> None:
        """The VM may not go there, as has been tried."""
        self._forbidden[uid].add(self._names.index(host))
