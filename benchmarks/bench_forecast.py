"""How fast a plan is forecast: the drain of many VMs over the slots and the card of one host, with its band.

.venv/bin/python benchmarks/bench_forecast.py
"""

from __future__ import annotations

import argparse
import random
import time

from drover.model.migration import PRESETS, Card, Limits, Move, Route, forecast, guest_memory, is_better_alone

GIB = 1 << 30
MIB = 1 << 20
LINE = 1.25e9
"""10 Gbit/s."""


def card(name: str) -> Card:
    return Card(name, LINE, 0.8 * LINE)


def moves(count: int, hosts: int, rng: random.Random) -> list[Move]:
    """VMs of 1 to 16 GiB with hot sets from 16 to 256 MiB, all out of one host."""
    return [
        Move(
            name=f"vm-{number}",
            pool="p",
            source="h0",
            target=f"h{1 + number % hosts}",
            route=Route((card("h0/out"), card(f"h{1 + number % hosts}/in")), rtt=5e-4),
            memory=guest_memory(rng.choice((1, 2, 4, 8, 16)) * GIB, 0.05, rng.choice((16, 64, 256)) * MIB, 8 * MIB),
            policy=PRESETS["kubevirt"],
            dirty_noise=0.2,
        )
        for number in range(count)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    rng = random.Random(args.seed)
    for count in (1, 20, 100, 500, 1000):
        drained = moves(count, args.hosts, rng)
        started = time.process_time()
        made = forecast(drained, {"p": Limits()})
        alone = is_better_alone(drained, made)
        seconds = time.process_time() - started
        p10, p50, p90 = made.duration
        told = f"{p50:8.1f} s ({p10:.1f} to {p90:.1f}), {len(made.plays)} plays, {'serial' if alone else 'parallel'}"
        print(f"{count:5} VMs in {seconds:5.2f} s of CPU: {told}")


if __name__ == "__main__":
    main()
