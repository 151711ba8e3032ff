"""Failover capacity: what a pool holds back so that host failures can be survived (vSphere HA admission control)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from drover.model.placement.request import Request
from drover.model.placement.scoring import LARGEST, Amounts, IntArray, capped, cpu_in_use
from drover.model.placement.table import HostTable


class Reserve(NamedTuple):
    """What is held back of a pool's CPU and memory: as much as its largest hosts have, or a share."""

    host_failures: int = 0
    percent: int = 0

    def __str__(self) -> str:
        if self.percent:
            return f"held back for failover ({self.percent} % of the pool)"
        return f"held back for failover ({self.host_failures} host failure{'s' if self.host_failures > 1 else ''})"


def exceeded(table: HostTable, pool: str, reserve: Reserve, request: Request) -> bool:
    """Whether the request would take what the pool holds back."""
    return room(table, pool, reserve, request) < 1


def room(table: HostTable, pool: str, reserve: Reserve, request: Request) -> int:
    """How often the request goes into what the pool does not hold back.

    By sums over the pool: none where failover is impossible, and perhaps more than there is where fragments are too
    small; ``failover`` tells by trying.
    """
    open_hosts = table.open_slots(pool)
    if not len(open_hosts):
        return LARGEST
    limits, used = table.scores.limits(), table.scores.used
    need = Amounts(*capped(request.resources))
    nothing = Amounts(0, 0, 0, 0, 0)
    taken = cpu_in_use(used, limits, nothing)
    threads = -need.milli_threads * limits.ratio_numerator // limits.ratio_denominator
    most_cpu = need.milli_cpu - np.asarray(threads)[open_hosts].min()
    return min(
        _times(np.asarray(limit)[open_hosts], np.asarray(amount)[open_hosts], int(more), reserve)
        for limit, amount, more in ((limits.cpu, taken, most_cpu), (limits.memory, used.memory, need.memory))
    )


def _times(limit: IntArray, used: IntArray, need: int, reserve: Reserve) -> int:
    total = int(limit.sum())
    if reserve.percent:
        held_back = -(-total * reserve.percent // 100)
    else:
        largest: npt.NDArray[np.int64] = np.sort(limit)[::-1][: reserve.host_failures]
        held_back = int(largest.sum())
    return max(0, total - held_back - int(used.sum())) // need if need > 0 else LARGEST
