"""How fast migrations are estimated: 1,000 VMs of a drain that share one link, under each preset.

Once on a link on which most arrive, and once on one on which most never do: that must cost no more.

.venv/bin/python benchmarks/bench_migration.py
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter

from drover.model.migration import PRESETS, Cyclic, Link, Memory, Setting, Uniform, run

GIB = 1 << 30
PAGE = 4096


def memory(rng: random.Random) -> Memory:
    """1 to 64 GiB with a slow and a fast working set."""
    size = rng.choice((1, 2, 4, 8, 16, 32, 64)) * GIB
    slow = Cyclic(rng.uniform(0.02, 0.3) * size / PAGE, rng.uniform(0, 40e6) / PAGE)
    fast = Uniform(rng.uniform(1e6, 200e6) / PAGE, rng.uniform(0, 300e6) / PAGE)
    return Memory(size / PAGE, rng.uniform(0, 0.5) * size / PAGE, (slow, fast))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vms", type=int, default=1000)
    parser.add_argument("--parallel", type=int, default=5, help="VMs that have equal parts of the link at a time")
    parser.add_argument("--link", type=float, default=25e9 / 8, help="bytes a second")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    rng = random.Random(args.seed)
    vms = [memory(rng) for _ in range(args.vms)]
    for link in (args.link, args.link / 25):
        share = link / args.parallel
        print(f"{args.vms} VMs, each at {share / 1e6:.0f} MB/s")
        for name, policy in PRESETS.items():
            started = time.process_time()
            courses = [run(Setting(vm, Link(share, share, 2e-4), policy)) for vm in vms]
            seconds = time.process_time() - started
            verdicts = Counter(course.verdict for course in courses)
            passes = sum(len(course.passes) for course in courses) / len(courses)
            told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
            print(f"  {name:16} {seconds:6.2f} s   {passes:6.1f} passes a VM   {told}")


if __name__ == "__main__":
    main()
