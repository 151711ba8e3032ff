"""When passes end: one policy object, and what the hypervisors and their managers do with it, as data.

A policy is asked between two passes (`verdict.decide`); its first rule to hit is the reason that
is recorded. Sources: QEMU 7.2 migration/migration.c; Xen xc_domain_save.c and xg_sr_save.c; Clark et al., NSDI
2005, section 5; nova/conf/libvirt.py; KubeVirt VEP 248. What vMotion and Hyper-V do is not published in full:
their presets are modelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

GIB = 1 << 30

Exhausted = Literal["stopAndCopy", "postCopy", "abort"]
Reason = Literal[
    "DowntimeLimit",
    "FewDirtyPages",
    "NotShrinking",
    "MaxRateReached",
    "MaxPasses",
    "TransferLimit",
    "Stalled",
    "Hopeless",
    "CompletionTimeout",
    "NeverEnds",
    "NoBandwidth",
    "Stopped",
]
"""Rules in words; `NeverEnds` is the model's own: no rule of the policy would ever hit."""


@dataclass(frozen=True, slots=True)
class DowntimeSteps:
    """Raise the limit in even steps to `StopPolicy.max_downtime`, from a step's share of it (Nova `downtime_steps`)."""

    steps: int
    delay_per_gib: float
    """Seconds between two steps, for each GiB of memory."""
    min_gib: float = 2.0

    def limit(self, most: float, seconds: float, memory_bytes: float) -> float:
        """Seconds of downtime allowed after `seconds`."""
        step = min(self.steps, int(seconds / self.delay(memory_bytes)))
        first = most / self.steps
        return first + step * (most - first) / self.steps

    def delay(self, memory_bytes: float) -> float:
        """Seconds between two steps."""
        return self.delay_per_gib * max(self.min_gib, memory_bytes / GIB)


@dataclass(frozen=True, slots=True)
class Stall:
    """The stall detector of KubeVirt VEP 248."""

    progress_timeout: float = 60.0
    """Seconds without a new best before it acts."""
    margin: float = 0.04
    """A new best is smaller by this share."""
    relax_decay: float = 0.5
    """Each time it waits on, it does so for this share of the last wait."""
    max_downtime: float = 0.9
    """Switch over at a local minimum that implies no more than this, in seconds."""
    hopeless_factor: float = 1.5
    """Give up at once beyond this multiple of it."""

    @property
    def patience(self) -> float:
        """Seconds without a new best that all waits come to."""
        return self.progress_timeout / (1 - self.relax_decay)


@dataclass(frozen=True, slots=True)
class AdaptiveRate:
    """Send a step faster than the guest dirtied in the pass before, in bytes a second (Clark et al., 5.2)."""

    start: float
    step: float
    most: float


@dataclass(frozen=True, slots=True)
class AutoConverge:
    """QEMU's x-cpu-throttle-*: slow the guest's CPUs while it dirties more than a share of what is sent."""

    trigger: float = 0.5
    consecutive: int = 2
    min_period: float = 1.0
    initial: float = 0.20
    increment: float = 0.10
    most: float = 0.99


@dataclass(frozen=True, slots=True)
class Aids:
    """What helps a migration converge. None and 1 = off."""

    auto_converge: AutoConverge | None = None
    dirty_limit: float | None = None
    """Clamp the dirty rate to so many bytes a second."""
    stun: float | None = None
    """Clamp the dirty rate to this share of the bandwidth once passes stop shrinking (vSphere SDPS)."""
    xbzrle_cache: float | None = None
    """Bytes of old pages kept, to send the difference."""
    compression: float = 1.0
    """Bytes on the wire for each byte of memory (multifd with zlib or zstd)."""


@dataclass(frozen=True, slots=True)
class StopPolicy:
    """Rules in the order they are asked. None = no such rule. Raises ValueError for limits that mean nothing."""

    max_downtime: float | None = 0.3
    """Switch over once the rest can be sent within so many seconds."""
    end_pass_at: Literal["threshold", "zero"] = "zero"
    """Whether a pass ends as soon as the rest would fit the limit, or with the last page."""
    switchover_bandwidth: Literal["measured", "line"] | float = "line"
    """What the limit is multiplied with: as sent lately (known from the first pass on), the line, or bytes a second."""
    min_dirty_pages: float | None = None
    min_remaining_bytes: float | None = None
    non_shrinking: bool = False
    """Stop when a pass sent more than the one before."""
    max_passes: int | None = None
    max_transfer_factor: float | None = None
    """Stop once so many times the memory was sent."""
    stall: Stall | None = None
    completion_timeout_per_gib: float | None = None
    """Seconds for each GiB of memory; less than 1 GiB has the time of 1 GiB."""
    on_exhausted: Exhausted = "abort"
    """What follows when a limit is hit before the rest fits."""
    downtime_steps: DowntimeSteps | None = None
    rate: AdaptiveRate | None = None
    aids: Aids = field(default_factory=Aids)
    post_copy_within: float | None = None
    """Begin post-copy only if it ends within so many seconds: a failure while it lasts loses the guest."""
    window: float = 0.0
    """Seconds between two looks at what remains while a rate cap is in force; 0 = at every page."""
    burst: float = 0.0
    """The same without a cap."""

    def __post_init__(self) -> None:
        if self.max_downtime is not None and self.max_downtime < 0:
            raise ValueError(f"maxDowntime must not be below 0 s, not {self.max_downtime:g}")
        if self.max_passes is not None and self.max_passes < 0:
            raise ValueError(f"maxPasses must not be below 0, not {self.max_passes}")

    def downtime_limit(self, seconds: float, memory_bytes: float) -> float | None:
        """Seconds of downtime allowed after `seconds`."""
        if self.max_downtime is None or self.downtime_steps is None:
            return self.max_downtime
        return self.downtime_steps.limit(self.max_downtime, seconds, memory_bytes)

    def next_raise(self, seconds: float, memory_bytes: float) -> float | None:
        """Seconds at which the limit will next be another one; None if it stays."""
        if self.max_downtime is None or self.downtime_steps is None:
            return None
        delay = self.downtime_steps.delay(memory_bytes)
        step = int(seconds / delay) + 1
        return step * delay if step <= self.downtime_steps.steps else None

    def completion_timeout(self, memory_bytes: float) -> float | None:
        """Seconds until the passes must have ended."""
        if self.completion_timeout_per_gib is None:
            return None
        return self.completion_timeout_per_gib * max(1.0, memory_bytes / GIB)


_MBIT = 1e6 / 8
_QEMU = StopPolicy(end_pass_at="threshold", switchover_bandwidth="measured", window=0.1, burst=0.05)
"""BUFFER_DELAY and MAX_WAIT: a rate cap counts in windows of 100 ms, a pass looks up after each burst of 50 ms."""

PRESETS: Mapping[str, StopPolicy] = MappingProxyType(
    {
        "textbook": StopPolicy(),
        "xen-legacy": StopPolicy(
            max_downtime=None,
            min_dirty_pages=50,
            non_shrinking=True,
            max_passes=29,
            max_transfer_factor=3.0,
            on_exhausted="stopAndCopy",
        ),
        "xen": StopPolicy(max_downtime=None, min_dirty_pages=50, max_passes=5, on_exhausted="stopAndCopy"),
        "qemu": _QEMU,
        "vmotion": StopPolicy(max_downtime=0.5, aids=Aids(stun=0.9)),
        "hyperv": StopPolicy(max_downtime=None, min_dirty_pages=50, max_passes=10, on_exhausted="stopAndCopy"),
        "clark": StopPolicy(
            max_downtime=None,
            min_remaining_bytes=256 << 10,
            rate=AdaptiveRate(start=100 * _MBIT, step=50 * _MBIT, most=500 * _MBIT),
            on_exhausted="stopAndCopy",
        ),
        "nova": replace(
            _QEMU,
            max_downtime=0.5,
            completion_timeout_per_gib=800.0,
            downtime_steps=DowntimeSteps(steps=10, delay_per_gib=75.0),
        ),
        "kubevirt-vep248": replace(_QEMU, stall=Stall(), completion_timeout_per_gib=150.0),
    }
)
