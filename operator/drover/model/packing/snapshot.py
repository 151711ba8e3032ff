"""What consolidation and balance start from, and what they answer with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

Allowed = Callable[[int, IntArray], BoolArray]
"""Which of some hosts a virtual machine may run on, size aside: (vm, host indices) -> mask over those indices.

It is asked about one machine at a time and must not depend on where the others are. What does (anti-affinity, spread)
is the caller's to keep, for example by allowing such machines no host at all, which pins them.
"""


class Move(NamedTuple):
    """One migration; all three are indices into the snapshot's arrays."""

    vm: int
    source: int
    target: int


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Where every virtual machine is. Amounts of a resource are integers of one unit throughout.

    Raises ValueError where the shapes do not agree, an amount is below 0 or a host does not exist.
    """

    capacity: IntArray
    """Shape (hosts, resources): what may be allocated on each host."""
    sizes: IntArray
    """Shape (virtual machines, resources)."""
    host: IntArray
    """Shape (virtual machines,): the index of the host each runs on."""

    def __post_init__(self) -> None:
        if self.capacity.ndim != 2 or self.sizes.shape != (len(self.host), self.capacity.shape[1]):
            raise ValueError(
                f"capacity {self.capacity.shape}, sizes {self.sizes.shape} and host {self.host.shape} do not agree: "
                "they must be (hosts, resources), (VMs, resources) and (VMs,)"
            )
        if min(self.capacity.min(initial=0), self.sizes.min(initial=0)) < 0:
            raise ValueError("capacity and sizes must not be below 0")
        if len(self.host) and not 0 <= self.host.min() <= self.host.max() < len(self.capacity):
            raise ValueError(f"host must lie in 0..{len(self.capacity) - 1}, not {self.host.min()}..{self.host.max()}")

    def after(self, moves: Sequence[Move]) -> Snapshot:
        """The snapshot once the moves are done. Raises ValueError for a move from where its machine is not."""
        host = self.host.copy()
        for move in moves:
            if host[move.vm] != move.source:
                raise ValueError(f"VM {move.vm} is on host {host[move.vm]}, not {move.source}")
            host[move.vm] = move.target
        return replace(self, host=host)

    def used(self) -> IntArray:
        """Shape (hosts, resources): what is allocated on each host."""
        used = np.zeros_like(self.capacity)
        np.add.at(used, self.host, self.sizes)
        return used

    def hosts_in_use(self) -> int:
        """How many hosts run at least one virtual machine."""
        return len(np.unique(self.host))
