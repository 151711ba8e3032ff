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
from drover.model.placement.reserve import room
from drover.model.placement.scoring import INFEASIBLE, LARGEST, Amounts, IntArray, Limits, capped

MOST: Final = 1_000_000
"""Nobody counts further."""


@dataclass(frozen=True, slots=True)
class Headroom:
    fits: int
    """How many more fit, one after another; terms beside other virtual machines are not looked at."""
    limiting: str | None
    """The resource that runs out first on most of the hosts that have room, or where none has, on those that lack
    nothing else; None where there are none of these either."""


def headroom(ledger: Ledger, request: Request) -> Headroom:
    """Counts on every host, exactly, but for GPUs and NUMA cells: there what one host holds is counted by trying.

    What pools hold back for failover is left out by sums, as ``reserve`` does.
    """
    names, limits = _by_resource(ledger, request)
    open_hosts = candidates(ledger, request) > INFEASIBLE
    considered = open_hosts if open_hosts.any() else _suitable(ledger, request)
    if not considered.any():
        return Headroom(0, None)
    votes = np.bincount(np.argmin(limits[:, considered], axis=0), minlength=len(names))
    fits = _not_held_back(ledger, request, _where(open_hosts, limits))
    return Headroom(min(fits, MOST), names[int(votes.argmax())])


def room_by_host(ledger: Ledger, request: Request) -> IntArray:
    """How many more fit on each host, by slot."""
    return _where(candidates(ledger, request) > INFEASIBLE, _by_resource(ledger, request)[1])


def _suitable(ledger: Ledger, request: Request) -> npt.NDArray[np.bool_]:
    """The hosts that the request may go to, had they room, by slot."""
    objections, character_of = ledger.table.scores.objections(request.signature.constraints)
    suitable: npt.NDArray[np.bool_] = np.array([found is None for found in objections], np.bool_)[character_of]
    return suitable


def _where(open_hosts: npt.NDArray[np.bool_], limits: IntArray) -> IntArray:
    fits: IntArray = np.where(open_hosts, np.minimum(limits.min(axis=0), MOST), 0)
    return fits


def _not_held_back(ledger: Ledger, request: Request, times: IntArray) -> int:
    """The sum over all hosts, less what would go into what their pools hold back for failover."""
    fits = int(times.sum())
    for pool, reserve in ledger.reserves.items() if not request.unreserved else ():
        here = int(times[ledger.table.slots_in_pool(pool)].sum())
        fits -= max(0, here - room(ledger.table, pool, reserve, request))
    return fits


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
    if request.numa_nodes and (size.milli_cpu or size.milli_threads or size.memory):
        names.append("NUMA cells")
        rows.append(_cell_times(ledger, request))
    return names, np.array(rows)


def _cpu_times(used: Amounts, limits: Limits, need: Amounts) -> IntArray:
    """The largest n with ``used + n x vCPUs <= (threads left - n x threads) x ratio``."""
    ratio, per = limits.ratio_numerator, limits.ratio_denominator
    free = (limits.threads - used.milli_threads) * ratio - used.milli_cpu * per
    return _times(free, need.milli_cpu * per + need.milli_threads * ratio)


def _times(free: IntArray | int, need: IntArray | int) -> npt.NDArray[np.int64]:
    return np.where(np.equal(need, 0), LARGEST, np.maximum(free, 0) // np.maximum(need, 1))


def _free_gpus(ledger: Ledger, device: str) -> npt.NDArray[np.int64]:
    loads = ((row, ledger.table.load(row.name).resources.gpus) for row in ledger.table.rows)
    return np.array([dict(row.allocatable.gpus).get(device, 0) - dict(used).get(device, 0) for row, used in loads])


def _cell_times(ledger: Ledger, request: Request) -> npt.NDArray[np.int64]:
    loads = ((row.shape, ledger.table.load(row.name).cells) for row in ledger.table.rows)
    return np.array([times(shape, load, request.resources, request.numa_nodes) for shape, load in loads])
