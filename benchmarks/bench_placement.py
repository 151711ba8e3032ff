"""Placement over all hosts, against a plain Python loop over all hosts in the same run.

Each step releases one virtual machine and places another, on a pool that is 85 % full. Everything runs in this process
on the same pool; the figures are CPU time of one thread for the placement core, with no API server and no writes. The
ratio is what to compare: machines differ, and this one is noisy. Run: ``make bench-placement``.
"""

from __future__ import annotations

import argparse
import gc
import random
import subprocess
import sys
import time
from collections.abc import Callable, Hashable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from drover.model.placement import (
    AntiAffinity,
    HostRow,
    Ledger,
    Placed,
    Ratios,
    Refused,
    Request,
    Resources,
    Spread,
    decide,
    pick,
)
from drover.model.placement.claims import Load
from drover.model.placement.whatif import headroom

MB, GIB = 10**6, 2**30
HOST = Resources(64_000, 256 * GIB, 4_000 * GIB, 10_000 * MB)
RATIOS = Ratios(cpu=Fraction(2))
FILL = 0.85
SIZES = [
    Resources(1_000 * cpu, gib * cpu * GIB, disk * cpu * GIB, bandwidth * cpu * MB)
    for cpu in (1, 2, 4, 8)
    for gib, disk, bandwidth in ((1, 10, 50), (2, 20, 100), (4, 10, 50), (8, 40, 20), (2, 10, 200), (4, 60, 10))
]
ZONES, RACKS, GROUPS = 3, 250, 400
KINDS = ("plain", "host anti-affinity", "zone spread", "rack spread", "selector")
Group = tuple[str, int]


class Pool:
    """Hosts filled at random, and what runs on them: machine number to (host, request)."""

    def __init__(self, hosts: int, rng: random.Random) -> None:
        self.rng = rng
        self.ledger = Ledger()
        self.machines: list[tuple[str, Request] | None] = []
        for number in range(hosts):
            rack = number % RACKS
            labels = {"disk": "ssd" if number % 2 else "hdd"}
            row = HostRow(f"p1-{number}", "p1", HOST, ratios=RATIOS, strategy="Pack", labels=labels)
            self.ledger.upsert(replace(row, failure_domain=f"z{rack % ZONES}", rack=f"r{rack}"))
        for number in range(hosts):
            name = f"p1-{number}"
            while self.ledger.allocated(name).memory < FILL * HOST.memory:
                self.claim(len(self.machines), name, Request(rng.choice(SIZES), pool="p1"))

    def claim(self, machine: int, host: str | None, request: Request) -> None:
        if machine == len(self.machines):
            self.machines.append(None)
        self.machines[machine] = (host, request) if host is not None else None
        self.ledger.set_claims(machine, {(str(machine), host): request.claim()} if host is not None else {})

    def pairs(self, pairs: int, wanted: Callable[[random.Random], Request]) -> float:
        """Pairs a second through the whole ledger, claims and counts included."""
        started = time.process_time()
        for _ in range(pairs):
            machine = self.rng.randrange(len(self.machines))
            self.ledger.set_claims(machine, {})
            request = wanted(self.rng)
            self.claim(machine, pick(self.ledger, request), request)
        return pairs / (time.process_time() - started)


def core_pairs(pool: Pool, pairs: int) -> float:
    """Pairs a second of the core: the integer amounts of all hosts, the scores of all hosts, the choice."""
    table, rng = pool.ledger.table, pool.rng
    requests = [Request(size, pool="p1") for size in SIZES]
    placed = [(found[0], found[1].resources) if found else None for found in pool.machines]
    load = {row.name: table.load(row.name).resources for row in table.rows}
    started = time.process_time()
    for _ in range(pairs):
        machine = rng.randrange(len(placed))
        if (found := placed[machine]) is not None:
            host, size = found
            load[host] -= size
            table.charge(host, Load(load[host]))
        request = rng.choice(requests)
        chosen = pick(pool.ledger, request)
        placed[machine] = (chosen, request.resources) if chosen is not None else None
        if chosen is not None:
            load[chosen] += request.resources
            table.charge(chosen, Load(load[chosen]))
    rate = pairs / (time.process_time() - started)
    for row in table.rows:
        table.charge(row.name, Load(pool.ledger.allocated(row.name)))
    return rate


class PlainLoop:
    """The same choice as a loop over lists: no objects, no calls, one pass over all hosts."""

    def __init__(self, ledger: Ledger) -> None:
        rows = ledger.table.rows
        limits = [row.allocatable for row in rows]
        charged = [ledger.allocated(row.name) for row in rows]
        self.free = [[limit[r] - used[r] for limit, used in zip(limits, charged, strict=True)] for r in range(4)]
        self.cpu, self.memory = limits[0].milli_cpu, limits[0].memory

    def choose(self, size: Resources) -> int:
        need_cpu, need_memory, need_disk, need_bandwidth = size[:4]
        free_cpu, free_memory, free_disk, free_bandwidth = self.free
        all_cpu, all_memory = self.cpu, self.memory
        best, least = -1, 9.0
        for host in range(len(free_cpu)):
            cpu = free_cpu[host] - need_cpu
            if cpu < 0:
                continue
            memory = free_memory[host] - need_memory
            if memory < 0 or free_disk[host] < need_disk or free_bandwidth[host] < need_bandwidth:
                continue
            left_cpu, left_memory = cpu / all_cpu, memory / all_memory
            uneven = left_cpu - left_memory if left_cpu > left_memory else left_memory - left_cpu
            left = (left_cpu + left_memory) / 2 + 0.25 * uneven
            if left < least:
                best, least = host, left
        return best

    def pairs(self, pairs: int, rng: random.Random) -> float:
        placed: list[tuple[int, Resources]] = []
        started = time.process_time()
        for _ in range(pairs):
            size = rng.choice(SIZES)
            host = self.choose(size)
            if host < 0:
                continue
            for free, need in zip(self.free, size[:4], strict=True):
                free[host] -= need
            placed.append((host, size))
            released, size = placed.pop(rng.randrange(len(placed)))
            for free, need in zip(self.free, size[:4], strict=True):
                free[released] += need
        return pairs / (time.process_time() - started)


def plain_request(rng: random.Random) -> Request:
    return Request(rng.choice(SIZES), pool="p1")


def mixed_request(rng: random.Random) -> Request:
    """One of the kinds, for a member of one of the groups."""
    kind, group, size = rng.choice(KINDS), rng.randrange(GROUPS), rng.choice(SIZES)
    mark: Group = (kind, group)
    marks: frozenset[Hashable] = frozenset({mark})
    match kind:
        case "host anti-affinity":
            return Request(size, pool="p1", terms=(AntiAffinity(mark, "Host"),), marks=marks)
        case "zone spread":
            return Request(size, pool="p1", terms=(Spread(mark, "FailureDomain"),), marks=marks)
        case "rack spread":
            return Request(size, pool="p1", terms=(Spread(mark, "Rack", max_skew=2),), marks=marks)
        case "selector":
            return Request(size, pool="p1", node_selector={"disk": "ssd"})
        case _:
            return Request(size, pool="p1")


def microseconds(call: Callable[[], object], times: int) -> float:
    call()
    started = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - started) / times * 1e6


def agree(pool: Pool, plain: PlainLoop) -> int:
    """Of the sizes, how many the loop and the core choose a host of one score for."""
    same = 0
    for size in SIZES:
        request = Request(size, pool="p1")
        scores = pool.ledger.table.scores.row(request.signature)
        chosen, host = pick(pool.ledger, request), plain.choose(size)
        if chosen is None or host < 0:
            same += chosen is None and host < 0
        else:
            same += bool(np.isclose(scores[host], scores.max(), atol=1e-6))
    return same


def memory(hosts: int, machines: int) -> None:
    """Prints the peak of this process with so many hosts and machines placed; run it in a process of its own."""
    ledger, sizes = Ledger(), [Request(size, pool="p1") for size in SIZES]
    for number in range(hosts):
        ledger.upsert(HostRow(f"p1-{number}", "p1", HOST, ratios=RATIOS, failure_domain=f"z{number % ZONES}"))
    for request in sizes:
        pick(ledger, request)
    for machine in range(machines):
        pair = (f"{machine:032x}", f"p1-{machine % hosts}")
        ledger.set_claims(("VirtualMachine", "default", f"vm-{machine}"), {pair: sizes[machine % len(sizes)].claim()})
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) * 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--many-hosts", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=30_000)
    parser.add_argument("--plain-pairs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", nargs=2, type=int, metavar=("HOSTS", "VMS"), help="only this, in bytes")
    args = parser.parse_args()
    if args.memory:
        memory(*args.memory)
        return

    pool = Pool(args.hosts, random.Random(args.seed))
    plain = PlainLoop(pool.ledger)
    print(f"{args.hosts} hosts, {len(pool.machines)} virtual machines, 4 resources, {len(SIZES)} flavors", flush=True)
    print(f"the plain loop and the core choose alike for {agree(pool, plain)} of {len(SIZES)} flavors")
    quiet()
    pool.pairs(args.pairs // 3, plain_request)
    first = plain.pairs(args.plain_pairs, random.Random(1))
    core = core_pairs(pool, args.pairs)
    last = plain.pairs(args.plain_pairs, random.Random(1))
    loop = (first + last) / 2
    row("plain Python loop", f"{loop:,.0f} pairs/s")
    row("core, all hosts scored", f"{core:,.0f} pairs/s", f"{core / loop:.0f} x the loop", ">= 80")
    ledger = pool.pairs(args.pairs, plain_request)
    row("with the book of claims", f"{ledger:,.0f} pairs/s", f"{ledger / loop:.0f} x the loop")
    pool.pairs(args.pairs // 3, mixed_request)
    mixed = pool.pairs(args.pairs, mixed_request)
    row("and a mix of constraints", f"{mixed:,.0f} pairs/s", f"{mixed / ledger:.2f} of that", ">= 0.6")
    explained(pool)
    many = Pool(args.many_hosts, random.Random(args.seed))
    quiet()
    core_pairs(many, args.pairs // 3)
    wide = core_pairs(many, args.pairs)
    row(f"core at {args.many_hosts} hosts", f"{wide:,.0f} pairs/s", f"{wide / core:.2f} of the core's", ">= 0.45")
    del many
    peak = int(subprocess.check_output([sys.executable, __file__, "--memory", "100000", "1000000"], text=True))
    row("100,000 hosts, 1,000,000 VMs", f"{peak / GIB:.2f} GiB", "", "<= 1.5")


def explained(pool: Pool) -> None:
    """Times of single questions, each asked of a ledger that nothing has changed since."""
    huge = Request(replace_size(SIZES[0], 200_000), pool="p1", node_selector={"disk": "ssd"})
    refused, placed = decide(pool.ledger, huge), decide(pool.ledger, plain_request(pool.rng))
    assert isinstance(refused, Refused)
    assert isinstance(placed, Placed)
    row("refusal explained", f"{microseconds(lambda: decide(pool.ledger, huge), 500):,.0f} us", "", "<= 300")
    row(
        "decision with runners-up", f"{microseconds(lambda: decide(pool.ledger, plain_request(pool.rng)), 500):,.0f} us"
    )
    request = plain_request(pool.rng)
    row("headroom of a flavor", f"{microseconds(lambda: headroom(pool.ledger, request), 500):,.0f} us")
    row("copy of the ledger", f"{microseconds(pool.ledger.copy, 5) / 1e3:,.1f} ms")


def replace_size(size: Resources, milli_cpu: int) -> Resources:
    return size._replace(milli_cpu=milli_cpu)


def quiet() -> None:
    """As the operator does once it has listed everything: the collector need not look at what stays."""
    gc.collect()
    gc.freeze()
    gc.disable()


def row(what: str, figure: str, ratio: str = "", target: str = "") -> None:
    print(f"  {what:32} {figure:>18}  {ratio:22} {target}", flush=True)


if __name__ == "__main__":
    main()
