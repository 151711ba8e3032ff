"""/metrics/state at 100,000 samples: against prometheus_client's own collector in the same run, and how long one step
holds the event loop. Seconds are CPU time of the one thread, so that others on the machine do not count.

Run: python benchmarks/bench_metrics.py [VMS]
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import prometheus_client
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from drover.api.kinds import parse
from drover.api.meta import AnyResource
from drover.control.world import World
from drover.observe.state import StatePage

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
CHANGED = 10
"""Percent of the VMs that have changed between two scrapes."""
SERIES_A_VM = 6
ROUNDS = 3
"""The best of so many counts, but of how long the loop is held the worst."""
HOST_OF = 40
"""VMs a host."""


NAMESPACES = 500
FLAVORS = 7


def vm(number: int, version: int) -> AnyResource:
    size = {"flavor": f"small-{number % FLAVORS}", "vcpus": 2, "memoryBytes": 2**31}
    status = {
        "phase": "Running",
        "hostName": f"host-{number // HOST_OF}",
        "failureDomain": f"z{number % 3}",
        "flavor": {"name": "small", "vcpus": 2, "memoryBytes": 2**31},
        "usage": {"open": {"seq": 1, "since": "2026-11-21T08:00:00Z", "phase": "Running", **size}},
        "phaseTransitions": [{"phase": "Running", "at": f"2026-11-21T08:{version % 60:02}:00Z"}],
    }
    return _made("VirtualMachine", f"vm-{number}", version, status, f"team-{number % NAMESPACES}")


def host(number: int) -> AnyResource:
    return _made("Host", f"host-{number}", 1, {"capacity": {"cpu": "128", "memory": "1Ti", "disk": "1Ti"}}, "")


SPECS = {
    "VirtualMachine": {"flavorRef": {"name": "small"}, "imageRef": {"name": "debian"}},
    "Host": {
        "poolRef": {"name": "p"},
        "hardware": {"cpu": {"coresPerSocket": 32}, "memory": "1Ti", "disk": "1Ti"},
    },
}


def _made(kind: str, name: str, version: int, status: dict[str, object], namespace: str) -> AnyResource:
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"0b5e1f6c-7d2f-4b57-9c31-{name:0>12}",
        "resourceVersion": str(version),
        "creationTimestamp": "2026-11-21T08:00:00Z",
    }
    return parse({"kind": kind, "metadata": metadata, "spec": SPECS[kind], "status": status})


class Collector:
    """The same samples as the client library wants them."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            made = GaugeMetricFamily(family.name, family.documentation, labels=_labels(family))
            for sample in family.samples:
                made.add_metric(list(sample.labels.values()), sample.value)
            yield made


def _labels(family: Metric) -> list[str]:
    return list(family.samples[0].labels) if family.samples else []


class Timed(NamedTuple):
    """One page, and what it took."""

    body: bytes
    seconds: float
    held: float
    """Seconds for which the event loop was held at most."""


def _seconds_of(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


async def timed(page: StatePage) -> Timed:
    held, running = 0.0, True

    async def beat() -> None:
        nonlocal held
        while running:
            begun = time.thread_time()
            await asyncio.sleep(0)
            held = max(held, time.thread_time() - begun)

    heart = asyncio.create_task(beat())
    await asyncio.sleep(0)
    begun = time.thread_time()
    parts = await page.render()
    seconds = time.thread_time() - begun
    running = False
    await heart
    return Timed(b"".join(parts), seconds, held)


async def main(vms: int) -> None:
    world = World()
    for number in range(vms // HOST_OF + 1):
        world.observe(host(number))
    for number in range(vms):
        world.observe(vm(number, 1))
    gc.collect()
    gc.freeze()  # as the operator does once it has listed everything
    colds, warms, idles = [], [], []
    for round_ in range(ROUNDS):
        page = StatePage(world, lambda: NOW)
        colds.append(await timed(page))
        for number in range(0, vms, 100 // CHANGED):
            world.observe(vm(number, 2 + round_))
        warms.append(await timed(page))
        idles.append(await timed(page))
    body = warms[-1].body
    samples = sum(not line.startswith(b"#") for line in body.splitlines())
    registry = CollectorRegistry()
    registry.register(Collector(text_string_to_metric_families(body.decode())))
    library = min(_seconds_of(lambda: prometheus_client.generate_latest(registry)) for _ in range(ROUNDS))
    print(f"{samples} samples of {vms} VMs, {len(body) / 1e6:.1f} MB")
    print(f"{'':32}{'seconds':>9}{'faster':>9}{'loop held':>12}")
    print(f"{'prometheus_client collector':32}{library:9.3f}{1:8.0f}x{library * 1000:9.1f} ms")
    rows = (("everything new", colds), (f"{CHANGED} % of the VMs changed", warms), ("nothing changed", idles))
    for what, runs in rows:
        seconds, held = min(run.seconds for run in runs), max(run.held for run in runs)
        print(f"{what:32}{seconds:9.4f}{library / seconds:8.0f}x{held * 1000:9.1f} ms")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000 // SERIES_A_VM))
