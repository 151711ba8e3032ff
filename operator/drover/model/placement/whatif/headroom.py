"""How many more virtual machines of one kind fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from drover.model.placement.cells import times
from drover.model.placement.decide import candidates
from drover.model.placement.ledger import Ledger
from drover.model.placement.request import Request
from drover.model.placement.scoring import INFEASIBLE, LARGEST, Amounts, IntArray, Limits, capped, cpu_in_use

MOST: Final = 1_000_000
"""Nobody counts further."""
_NOTHING: Final = Amounts(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Headroom:
    fits: int
    """How many more fit, one after another; terms beside other virtual machines are not looked at."""
    limiting: str | None
    """The resource that runs out on most of the hosts that have room, or of all hosts where none has."""


def headroom(ledger: Ledger, request: Request) -> Headroom:
    """Counts on every host, exactly, but for GPUs and NUMA cells: there what one host holds is counted by trying."""
    if not len(ledger):
        return Headroom(0, None)
    counts, limits = _by_resource(ledger, request)
    open_hosts = candidates(ledger, request) > INFEASIBLE
    least = np.where(open_hosts, np.min(limits, axis=0), 0)
    fits = int(np.minimum(least, MOST).sum())
    considered = open_hosts if open_hosts.any() else np.ones_like(open_hosts)
    votes = np.bincount(np.argmin(limits[:, considered], axis=0), minlength=len(counts))
    return Headroom(min(fits, MOST), counts[int(votes.argmax())])


def _by_resource(ledger: Ledger, request: Request) -> tuple[list[str], IntArray]:
    """How often the request goes into what each host has left of each resource."""
    table = ledger.table
    used, limits, size = table.scores.used, table.scores.limits(), request.resources
    need = Amounts(*capped(size))
    names, rows = ["cpu"], [_cpu_times(used, limits, need)]
    for name, limit, taken, amount in (
        ("memory", limits.memory, used.memory, need.memory),
        ("disk", limits.disk, used.disk, need.disk),
        ("network", limits.bandwidth, used.bandwidth, need.bandwidth),
    ):
        names.append(name)
        rows.append(_times(limit - taken, amount))
    for device, count in size.gpus:
        names.append(device)
        rows.append(_times(_free_gpus(ledger, device), count))
    if request.numa_nodes:
        names.append("NUMA cells")
        rows.append(_cell_times(ledger, request))
    return names, np.array(rows)


def _cpu_times(used: Amounts, limits: Limits, need: Amounts) -> IntArray:
    if not need.milli_threads:
        return _times(limits.cpu - cpu_in_use(used, limits, _NOTHING), need.milli_cpu)
    ratio, per = limits.ratio_numerator, limits.ratio_denominator
    whole: IntArray = np.asarray(limits.threads * ratio - used.milli_cpu * per) // np.asarray(ratio)
    return _times(whole - used.milli_threads, need.milli_threads)


def _times(free: IntArray | int, need: IntArray | int) -> npt.NDArray[np.int64]:
    return np.where(np.equal(need, 0), LARGEST, np.maximum(free, 0) // np.maximum(need, 1))


def _free_gpus(ledger: Ledger, device: str) -> npt.NDArray[np.int64]:
    loads = ((row, ledger.table.load(row.name).resources.gpus) for row in ledger.table.rows)
    return np.array([dict(row.allocatable.gpus).get(device, 0) - dict(used).get(device, 0) for row, used in loads])


def _cell_times(ledger: Ledger, request: Request) -> npt.NDArray[np.int64]:
    loads = ((row.shape, ledger.table.load(row.name).cells) for row in ledger.table.rows)
    return np.array([times(shape, load, request.resources, request.numa_nodes) for shape, load in loads])
