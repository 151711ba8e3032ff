"""Virtual machines that come and go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from drover.model.packing import bound_over_time
from drover.model.placement import Resources

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

HOST: Final = Resources(milli_cpu=64_000, memory=128 * 2**30)
"""Every host of the pool; nothing is reserved or overcommitted."""
CAPACITY: Final[IntArray] = np.array([HOST.milli_cpu, HOST.memory], np.int64)


class Events(NamedTuple):
    """What happens, in order: whoever goes at an instant has gone when others come, in the order of the workload."""

    seconds: FloatArray
    vm: IntArray
    comes: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """Virtual machines by number. Times are in seconds since any one instant."""

    comes: FloatArray
    goes: FloatArray
    """Infinity: stays."""
    sizes: IntArray
    """Shape (virtual machines, 2): thousandths of vCPUs, and bytes of memory."""
    end: float
    """When the trace ends."""

    def __len__(self) -> int:
        return len(self.comes)

    def events(self) -> Events:
        """Everything before the end. Who goes no later than it comes is left out."""
        coming = np.flatnonzero(self.comes < np.minimum(self.goes, self.end))
        going = coming[self.goes[coming] < self.end]
        seconds = np.concatenate([self.goes[going], self.comes[coming]])
        vm = np.concatenate([going, coming])
        comes = np.repeat([False, True], [len(going), len(coming)])
        order = np.lexsort((vm, comes, seconds))
        return Events(seconds[order], vm[order], comes[order])


@dataclass(frozen=True, slots=True, eq=False)
class Usage:
    """How many hosts are in use, as steps: ``hosts`` from each instant of ``seconds`` to the next, or to the end."""

    seconds: FloatArray
    hosts: IntArray
    end: float

    @property
    def host_hours(self) -> float:
        return float(self.hosts @ np.diff(self.seconds, append=self.end)) / 3600

    @property
    def peak(self) -> int:
        return int(self.hosts.max(initial=0))


def bound(workload: Workload) -> Usage:
    """No placement uses fewer hosts: at each instant the larger of ceil(demand / capacity) over CPU and memory."""
    events = workload.events()
    changes = np.where(events.comes, 1, -1)[:, None] * workload.sizes[events.vm]
    return Usage(events.seconds, bound_over_time(changes, CAPACITY), workload.end)
