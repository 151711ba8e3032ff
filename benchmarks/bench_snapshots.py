"""Consolidation of a real fleet, as a distance from the proven optimum.

A trace of virtual machines is replayed by best fit on hosts of 64 vCPUs and 128 GiB, without migration, to 75 % and to
90 % of the time over which they arrive; what is there then is consolidated. The trace is a CSV of the columns
``arrive_s, vcpu, mem_gib, life_lo_s, life_hi_s, censored`` (Azure's VM trace of 2017 with binned lifetimes): a lifetime
is drawn uniformly from its bin, a censored machine stays. Figures are CPU time of one thread.
Run: ``python benchmarks/bench_snapshots.py azure2017.csv.gz``.
"""

from __future__ import annotations

import argparse
import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from drover.model.packing import Move, Snapshot, drain, resource_bound
from drover.model.packing.improve import improve
from drover.model.packing.patterns import optimum

CAPACITY = np.array([64, 128 * 1024], np.int64)
"""vCPUs and MiB."""
STOPS = (0.75, 0.9)
SMALL_BUDGET = 0.01
"""Of the virtual machines, where migrations are few."""


class Trace(NamedTuple):
    arrives: npt.NDArray[np.float64]
    leaves: npt.NDArray[np.float64]
    sizes: npt.NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=Path, nargs="?", help="the CSV file, as it is or compressed by gzip")
    path = parser.parse_args().trace
    if path is None or not path.exists():
        print("skipped: " + (f"{path} is not there" if path else "give the path of a trace"))
        return
    if find_spec("scipy") is None:
        print("skipped: the proven optimum needs scipy: pip install 'drover[trace]'")
        return
    for share, snapshot in zip(STOPS, replayed(read(path)), strict=True):
        report(share, snapshot)


def report(share: float, snapshot: Snapshot) -> None:
    vms = len(snapshot.host)
    began = time.process_time()
    best = optimum(Counter(map(tuple, snapshot.sizes.tolist())), tuple(CAPACITY.tolist()))
    seconds = time.process_time() - began
    print(f"{share:.0%} of the trace: {vms} virtual machines on {snapshot.hosts_in_use()} hosts")
    print(f"  bound by resources     {resource_bound(snapshot.sizes, CAPACITY):6}")
    print(f"  configuration LP       {best.lp:9.2f}")
    verdict = "proven" if best.proven else f"found; at least {best.bound} is proven"
    print(f"  optimum                {best.hosts:6}  {verdict}, in {seconds:.2f} s")
    small = int(SMALL_BUDGET * vms)
    ways: list[tuple[str, Callable[[], Sequence[Move]]]] = [
        ("no migration", tuple),
        ("drain, directly only", lambda: drain(snapshot, vms, exchange=False)),
        ("drain", lambda: drain(snapshot, vms)),
        (f"drain by {small} moves", lambda: drain(snapshot, small)),
    ]
    if find_spec("ortools") is not None:
        ways.append((f"CP-SAT by {small} moves", lambda: improve(snapshot, small)))
    for name, way in ways:
        began = time.process_time()
        moves = way()
        seconds = time.process_time() - began
        hosts = snapshot.after(moves).hosts_in_use()
        over = hosts / best.bound - 1
        print(f"  {name:22} {hosts:6}  {over:+6.1%}  {len(moves):5} migrations  {seconds:6.2f} s")


def read(path: Path) -> Trace:
    rows = np.genfromtxt(path, delimiter=",", names=True)
    drawn = np.random.default_rng(0).random(len(rows))
    life = rows["life_lo_s"] + drawn * (rows["life_hi_s"] - rows["life_lo_s"])
    leaves = np.where(rows["censored"] == 1, np.inf, rows["arrive_s"] + life)
    sizes = np.stack([rows["vcpu"], rows["mem_gib"] * 1024], axis=1)
    return Trace(rows["arrive_s"], leaves, np.rint(sizes).astype(np.int64))


def replayed(trace: Trace) -> Iterator[Snapshot]:
    """The fleet at each stop, with the hosts in use at that moment."""
    first, last = trace.arrives.min(), trace.arrives.max()
    stops = [first + share * (last - first) for share in STOPS]
    host = np.full(len(trace.arrives), -1)
    room = np.tile(CAPACITY[:, None], (1, len(host)))
    opened = 0
    leaving: list[tuple[float, int]] = []

    def leave_until(now: float) -> None:
        while leaving and leaving[0][0] <= now:
            vm = heapq.heappop(leaving)[1]
            room[:, host[vm]] += trace.sizes[vm]
            host[vm] = -1

    for vm in np.argsort(trace.arrives, kind="stable").tolist():
        now = float(trace.arrives[vm])
        while stops and now > stops[0]:
            leave_until(stops.pop(0))
            yield packed(trace.sizes, host)
        leave_until(now)
        host[vm] = best_fit(room[:, :opened], trace.sizes[vm])
        opened = max(opened, int(host[vm]) + 1)
        room[:, host[vm]] -= trace.sizes[vm]
        heapq.heappush(leaving, (float(trace.leaves[vm]), vm))


def best_fit(room: npt.NDArray[np.int64], size: npt.NDArray[np.int64]) -> int:
    """The host with the smallest sum of free fractions among those with room, or the next new one."""
    hosts = np.flatnonzero((room[0] >= size[0]) & (room[1] >= size[1]))
    if not len(hosts):
        return int(room.shape[1])
    return int(hosts[(room[0, hosts] / CAPACITY[0] + room[1, hosts] / CAPACITY[1]).argmin()])


def packed(sizes: npt.NDArray[np.int64], host: npt.NDArray[np.int64]) -> Snapshot:
    live = np.flatnonzero(host >= 0)
    used, numbers = np.unique(host[live], return_inverse=True)
    return Snapshot(np.tile(CAPACITY, (len(used), 1)), sizes[live], numbers)


if __name__ == "__main__":
    main()
