"""Placement quality on traces of real clouds, beside what is aimed at.

Replays the Azure trace of 2017 (``drover.sim.replay.azure``) and Huawei Cloud's topology set
(``drover.sim.replay.huawei``) through the operator's placement. Their paths are arguments; what is not
there is skipped.
Run: ``python benchmarks/bench_trace.py --azure2017 azure2017.csv.gz --huawei-topology FOLDER``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Final

from drover.cli.traces import read_azure, read_huawei
from drover.sim.replay.arrivals import replay
from drover.sim.replay.policies import POLICIES, Comparison
from drover.sim.replay.topology import replay as serve
from drover.sim.replay.workload import bound

BEST_FIT: Final = 16.7
"""Percent of host-hours over the bound: plain best fit on the Azure trace, without migration."""
AIMS: Final = {"Pack": (BEST_FIT, 0.0), "Pack, lifetimes": (BEST_FIT, 0.0), "Pack, drained": (12.5, 2.0)}
"""By policy: at most so many percent of host-hours over the bound, and so many percent of machines migrated."""
BUDGETS: Final = (0.005, 0.009)
"""Shares of the machines that an hourly drain may move."""
REFUSALS: Final = {"vm_data_c1": 98, "vm_data_c2": 110, "vm_data_c3": 108}
"""By case: fewer than so many."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--azure2017", type=Path, metavar="FILE", help="the CSV file, as it is or compressed by gzip")
    parser.add_argument("--huawei-topology", type=Path, metavar="FOLDER", help="the folder with its CSV files")
    args = parser.parse_args()
    for name, path, report in (
        ("azure2017", args.azure2017, report_azure),
        ("huawei-topology", args.huawei_topology, report_huawei),
    ):
        if path is None or not path.exists():
            print(f"{name}: skipped: " + (f"{path} is not there" if path else f"give its path with --{name}"))
        else:
            report(path)


def report_azure(path: Path) -> None:
    workload = read_azure(path)
    least = bound(workload)
    print(
        f"azure2017: {len(workload)} virtual machines, bound {least.host_hours:.0f} host-hours and {least.peak} hosts"
    )
    print(f"  {'policy':28} {'host-hours':>10} {'peak':>8} {'migrated':>9} {'CPU':>7}  aim")
    for policy in POLICIES:
        for budget in BUDGETS if policy.drains else (0.0,):
            began = time.process_time()
            replayed = replay(workload, policy.pool(workload), drain_budget=budget)
            seconds = time.process_time() - began
            (line,) = Comparison(len(workload), least, {policy.name: replayed}).figures()
            name = f"{line.policy} {budget:.1%} an hour" if budget else line.policy
            print(
                f"  {name:28} {line.host_hours_over_percent:+9.2f}% {line.peak_over_percent:+7.1f}% "
                f"{line.migrated_percent:8.2f}% {seconds:6.1f}s  "
                f"{_verdict(policy.name, line.host_hours_over_percent, line.migrated_percent)}"
            )


def _verdict(policy: str, over: float, migrated: float) -> str:
    """Figures count as the aims are given: to a tenth of a percent."""
    if policy not in AIMS:
        return "to compare with"
    most_over, most_migrated = AIMS[policy]
    met = round(over, 1) <= most_over and migrated <= most_migrated
    return f"<= {most_over:+.1f}%, <= {most_migrated:.0f}% migrated: {'met' if met else 'MISSED'}"


def report_huawei(folder: Path) -> None:
    hosts, cases = read_huawei(folder)
    print(f"huawei-topology: {len(hosts)} hosts, affinity read as one rack; requests refused by Pack")
    for case, asks in cases.items():
        alone, ahead = (sum(serve(hosts, asks, "Pack", look_ahead=ahead).values()) for ahead in (False, True))
        aim = REFUSALS.get(case)
        verdict = "" if aim is None else f"  < {aim}: {'met' if ahead < aim else 'MISSED'}"
        print(f"  {case}: {alone} of {len(asks)}; looking ahead on groups {ahead}{verdict}")


if __name__ == "__main__":
    main()
