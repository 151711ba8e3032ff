"""Live migrations of QEMU 7.2 (TCG), measured with a guest that dirties a known working set at a known rate.

`qemu_measured.csv` has one row a migration: what was set and what came of it. A cap is in 1e6 bytes/s (0 = none), a
shaped line in Mbit/s (0 = loopback), `syncs` is QEMU's dirty-sync-count: two more than there were passes.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from drover.model.migration import (
    PRESETS,
    Aids,
    AutoConverge,
    Course,
    Cyclic,
    Link,
    Memory,
    Setting,
    StopPolicy,
    Uniform,
    in_mode,
    run,
)

PAGES_PER_MIB = 256
KERNEL_PAGES = 21_866
"""Not zero, of the guest's kernel."""
ROM_PAGES = 130
"""Migrated beside the guest's memory: BIOS and video."""
TOP_RATE = 65_000
"""Pages a second the guest reaches while it catches up after it was slowed down."""
LOOPBACK = 1.4e9
GOODPUT = 0.957
"""Of a shaped line."""


class Measured(NamedTuple):
    name: str
    memory_mib: int
    fill_mib: int
    working_set_mib: int
    rate: int
    pattern: str
    cap_mb: float
    line_mbit: int
    limit_ms: int
    caps: str
    concurrent: int
    status: str
    total_ms: float
    downtime_ms: float | None
    """None for those that were cancelled."""
    bytes: int
    syncs: int

    @property
    def course(self) -> Course:
        """What the model makes of it; VMs that share the line have equal parts of it."""
        pages, hot = self.memory_mib * PAGES_PER_MIB + ROM_PAGES, self.working_set_mib * PAGES_PER_MIB
        shape = Cyclic if self.pattern == "seq" else Uniform
        zero = pages - KERNEL_PAGES - self.fill_mib * PAGES_PER_MIB - hot
        line = self.line_mbit * 1e6 / 8 * GOODPUT if self.line_mbit else LOOPBACK
        link = Link(min(self.cap_mb * 1e6 or line, line) / self.concurrent, line / self.concurrent, rtt=0.0)
        memory = Memory(pages, zero, (shape(hot, self.rate),), cpu_bound=self.rate / TOP_RATE)
        return run(Setting(memory, link, self._policy()))

    def _policy(self) -> StopPolicy:
        policy = replace(PRESETS["qemu"], max_downtime=self.limit_ms / 1000)
        match self.caps:
            case "":
                return policy
            case "xbzrle":
                return replace(policy, aids=Aids(xbzrle_cache=512 << 20))
            case "auto-converge":
                return replace(policy, aids=Aids(auto_converge=AutoConverge()))
            case "postcopy-ram":
                return in_mode(policy, "hybrid")
        raise ValueError(self.caps)


def measured() -> list[Measured]:
    """All rows."""
    with (Path(__file__).parent / "qemu_measured.csv").open() as file:
        return [_row(row) for row in csv.DictReader(file)]


def _row(row: dict[str, str]) -> Measured:
    return Measured(
        name=row["name"],
        memory_mib=int(row["memory_mib"]),
        fill_mib=int(row["fill_mib"]),
        working_set_mib=int(row["working_set_mib"]),
        rate=int(row["rate"]),
        pattern=row["pattern"],
        cap_mb=float(row["cap_mb"]),
        line_mbit=int(row["line_mbit"]),
        limit_ms=int(row["limit_ms"]),
        caps=row["caps"],
        concurrent=int(row["concurrent"]),
        status=row["status"],
        total_ms=float(row["total_ms"]),
        downtime_ms=float(row["downtime_ms"]) if row["downtime_ms"] else None,
        bytes=int(row["bytes"]),
        syncs=int(row["syncs"]),
    )
