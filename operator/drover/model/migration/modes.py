"""Other ways to move a guest than pre-copy, as policies where they are one, and the bandwidth of a long path."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from drover.model.migration.course import Course, run
from drover.model.migration.link import Link
from drover.model.migration.memory import Memory
from drover.model.migration.setting import Hypervisor, Setting
from drover.model.migration.stop import StopPolicy
from drover.model.migration.units import rate, span

Mode = Literal["pre-copy", "post-copy", "hybrid", "suspend-and-copy"]

IN_SYNC = StopPolicy(max_downtime=None, min_remaining_bytes=10 << 20)
"""A mirror is in sync once what remains fits its buffer (QEMU block/mirror.c, 10 MiB)."""
MATHIS = 1.22
"""Mathis et al., "The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm", 1997: sqrt(3/2)."""
MSS_BYTES = 1460.0
"""Of TCP over an MTU of 1500 without options."""


def in_mode(policy: StopPolicy, mode: Mode) -> StopPolicy:
    """`policy` for another way to move: how many passes come first, and what follows them.

    Post-copy pulls all pages, hybrid what one pass left; suspend-and-copy pauses the guest throughout.
    """
    match mode:
        case "pre-copy":
            return policy
        case "post-copy":
            return replace(policy, max_downtime=None, max_passes=0, on_exhausted=("postCopy",))
        case "hybrid":
            return replace(policy, max_passes=1, on_exhausted=("postCopy",))
        case "suspend-and-copy":
            return replace(policy, max_downtime=None, max_passes=0, on_exhausted=("stopAndCopy",))


def cold(disk_bytes: float, link: Link, stop: float, boot: float) -> Course:
    """Shut down, copy the allocated disk (0 bytes if it is shared), boot: the guest is away throughout, in seconds."""
    seconds = stop + disk_bytes / link.line + boot
    message = f"shut down, copied at {rate(link.line)} and booted in {span(seconds)}"
    return Course("Converges", "Stopped", message, disk_bytes, (), disk_bytes, seconds, seconds, seconds)


@dataclass(frozen=True, slots=True)
class StorageMove:
    """A disk's mirror, and then the memory's move beside it. `memory` is None where the mirror never gets in sync."""

    mirror: Course
    memory: Course | None

    @property
    def total(self) -> float:
        """Seconds."""
        return self.mirror.total + (self.memory.total if self.memory else 0.0)

    @property
    def bytes(self) -> float:
        return self.mirror.bytes + (self.memory.bytes if self.memory else 0.0)


def with_storage(
    disk: Memory,
    disk_rate: float,
    given: Setting,
    write_blocking: bool = False,
    timeout_per_gib: float | None = None,
) -> StorageMove:
    """Mirror a disk, then move the memory on what its standing flow of new writes leaves of the link.

    `disk_rate` is the slower of reading here and writing there, in bytes a second. A write-blocking mirror sends
    each write before it is acknowledged: nothing is dirtied again, and guest and copy share the rate fairly. The
    mirror has a timeout of its own, in seconds for each GiB of the disk: the memory's does not run meanwhile.
    """
    link, bulk = given.link, min(disk_rate, given.link.bandwidth)
    writes = min(disk.dirty_rate, bulk / 2) if write_blocking else disk.dirty_rate
    copied = replace(disk, dirty=()) if write_blocking else disk
    copying = replace(link, bandwidth=bulk - writes if write_blocking else bulk)
    policy = replace(IN_SYNC, completion_timeout_per_gib=timeout_per_gib)
    mirror = run(Setting(copied, copying, policy, Hypervisor(0.0, 0.0)))
    if mirror.verdict != "Converges":
        return StorageMove(mirror, None)
    beside = replace(link, bandwidth=max(0.0, link.bandwidth - writes))
    return StorageMove(replace(mirror, downtime=0.0, blackout=0.0), run(replace(given, link=beside)))


def path_bandwidth(
    line: float,
    rtt: float,
    window: float = math.inf,
    streams: int = 1,
    loss: float = 0.0,
    mss: float = MSS_BYTES,
) -> float:
    """Bytes a second of `streams` TCP connections with a `window` in bytes, `rtt` in seconds, `loss` as a share.

    The least of the line, a window each round trip, and what congestion avoidance settles at (Mathis).
    """
    if rtt == 0:
        return line
    congested = MATHIS * mss / (rtt * math.sqrt(loss)) if loss else math.inf
    return min(line, streams * window / rtt, streams * congested)


@dataclass(frozen=True, slots=True)
class WanLimits:
    """Paths over which a live migration is not begun (vSphere long-distance vMotion: 150 ms, 250 Mbit/s)."""

    max_rtt: float = 0.150
    """Seconds."""
    min_bandwidth: float = 250e6 / 8
    """Bytes a second."""

    def refusal(self, link: Link) -> str | None:
        """Why a move over `link` is refused; None if it is not."""
        if link.rtt > self.max_rtt:
            return f"round trip {span(link.rtt)} is above {span(self.max_rtt)}: choose a nearer pool"
        if link.bandwidth < self.min_bandwidth:
            return f"bandwidth {rate(link.bandwidth)} is below {rate(self.min_bandwidth)}: needs more or a nearer pool"
        return None
