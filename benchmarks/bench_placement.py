"""Placement over all hosts, vectorised against a plain Python loop.

Each step releases one virtual machine and places another. Both ways run in this process on the same pool,
85 % full, and look at every host; the figures are CPU time of one thread for the placement core alone, with
no API server and no writes. Run: ``python benchmarks/bench_placement.py``.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from collections.abc import Callable
from fractions import Fraction

from drover.model.placement import HostRow, Ledger, Placed, Ratios, Request, Resources, decide

GIB = 2**30
HOST = Resources(64_000, 256 * GIB, 2_000 * GIB)
RATIOS = Ratios(cpu=Fraction(4))
FLAVORS = [Resources(1_000 * cpu, gib * cpu * GIB, 20 * cpu * GIB) for cpu in (1, 2, 4, 8) for gib in (1, 2, 4)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=2_000)
    parser.add_argument("--plain-pairs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    rng = random.Random(args.seed)
    ledger, machines = filled(args.hosts, rng)
    gc.collect()
    gc.freeze()
    gc.disable()
    started = time.process_time()
    ledger.copy()
    copied = time.process_time() - started
    vectorised = pairs_per_second(ledger, machines, decide_all, args.pairs, random.Random(1))
    plain = pairs_per_second(ledger, machines, decide_one_by_one, args.plain_pairs, random.Random(1))
    print(f"{args.hosts} hosts, {len(machines)} virtual machines, release + place, CPU time of one thread")
    print(f"  vectorised, all hosts   {vectorised:10,.0f} pairs/s")
    print(f"  plain Python, all hosts {plain:10,.0f} pairs/s")
    print(f"  ratio                   {vectorised / plain:10,.0f}")
    print(f"  copy of the ledger      {copied * 1e3:10,.1f} ms")


def filled(hosts: int, rng: random.Random) -> tuple[Ledger, list[tuple[str, Resources]]]:
    """A pool filled at random to 85 % of its memory, and its machines."""
    ledger = Ledger()
    machines: list[tuple[str, Resources]] = []
    for number in range(hosts):
        name = f"p1-{number + 1}"
        ledger.upsert(HostRow(name, "p1", HOST, ratios=RATIOS, strategy="Pack"))
        while ledger.allocated(name).memory < 0.85 * HOST.memory:
            flavor = rng.choice(FLAVORS)
            ledger.set_claims(len(machines), {(str(len(machines)), name): flavor})
            machines.append((name, flavor))
    return ledger, machines


def pairs_per_second(
    ledger: Ledger,
    machines: list[tuple[str, Resources]],
    choose: Callable[[Ledger, Resources], str | None],
    pairs: int,
    rng: random.Random,
) -> float:
    """Each pair gives one random machine up and places another one of a random flavor in its stead."""
    started = time.process_time()
    for _ in range(pairs):
        number = rng.randrange(len(machines))
        ledger.set_claims(number, {})
        flavor = rng.choice(FLAVORS)
        host = choose(ledger, flavor)
        if host is not None:
            ledger.set_claims(number, {(str(number), host): flavor})
    return pairs / (time.process_time() - started)


def decide_all(ledger: Ledger, need: Resources) -> str | None:
    decision = decide(ledger, Request(need, pool="p1"))
    return decision.host if isinstance(decision, Placed) else None


def decide_one_by_one(ledger: Ledger, need: Resources) -> str | None:
    """The same choice of the fullest, most balanced host, as a loop over hosts."""
    best, best_score = None, -1.0
    for slot in range(len(ledger)):
        row = ledger.table.row_at(slot)
        used, limit = ledger.allocated(row.name) + need, row.allocatable
        if used.milli_cpu <= limit.milli_cpu and used.memory <= limit.memory and used.disk <= limit.disk:
            cpu, memory = used.milli_cpu / limit.milli_cpu, used.memory / limit.memory
            score = (cpu + memory) / 2 - 0.25 * abs(cpu - memory)
            if score > best_score:
                best, best_score = row.name, score
    return best


if __name__ == "__main__":
    main()
