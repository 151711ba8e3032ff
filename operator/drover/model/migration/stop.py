"""When passes end: one policy object for what hypervisors and their managers do.

A policy is asked between two passes (`rules.decide`); its first rule to hit is the reason that is recorded. `presets`
has those of the field.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
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
    "ProgressTimeout",
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

    def next_raise(self, seconds: float, memory_bytes: float) -> float:
        """Seconds at which the limit will next be another one; infinite if it stays."""
        return _next_step(seconds, self.delay(memory_bytes), self.steps)

    def delay(self, memory_bytes: float) -> float:
        """Seconds between two steps."""
        return self.delay_per_gib * max(self.min_gib, memory_bytes / GIB)


@dataclass(frozen=True, slots=True)
class DowntimeTuning:
    """Raise the limit in even steps from `initial` to `StopPolicy.max_downtime`, in seconds (KubeVirt VEP 291)."""

    initial: float = 0.15
    steps: int = 7
    start_after_pass: int = 3
    """The steps are counted from the beginning of this pass."""
    cooldown: float = 10.0
    """Seconds between two steps."""

    def limit(self, most: float, seconds: float) -> float:
        """Seconds of downtime allowed, `seconds` after that beginning."""
        step = min(self.steps, int(seconds / self.cooldown))
        return min(most, self.initial + step * (most - self.initial) / self.steps)

    def next_raise(self, seconds: float) -> float:
        """Seconds after it at which the limit will next be another one; infinite if it stays."""
        return _next_step(seconds, self.cooldown, self.steps)


@dataclass(frozen=True, slots=True)
class Stall:
    """The stall detector of KubeVirt VEP 248: until it acts, the downtime limit is the hypervisor's."""

    progress_timeout: float = 40.0
    """Seconds: a pass that leaves no less than one that is older is stalled."""
    margin: float = 0.04
    """No less by this share; and as good as the best pass by this share."""
    switchover_timeout: float = 60.0
    """Seconds until it gives up, once it has raised the limit to `StopPolicy.max_downtime`."""
    ewma_alpha: float = 0.4
    """Weight of the newest bandwidth in the smoothed one."""
    hopeless_factor: float = 1.5
    """Give up at once beyond this multiple of `StopPolicy.max_downtime` (precopyPossibleFactor)."""
    relax_decay: float = 0.5
    """Each time it settles for less it waits on for this share of the last wait (patienceWindowDecayFactor)."""
    search_local_minima: bool = True
    """Wait for a pass as good as the best before doing anything."""
    initial_limit: float = 0.3
    """Seconds of downtime that are allowed before, at most (QEMU's downtime-limit)."""


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
    """Clamp the dirty rate to so many bytes a second, once auto-converge would begin (QEMU dirty-limit)."""
    stun: float | None = None
    """Clamp the dirty rate to this share of the bandwidth once passes stop shrinking (vSphere SDPS)."""
    xbzrle_cache: float | None = None
    """Bytes of old pages kept, to send the difference."""
    compression: float = 1.0
    """Bytes on the wire for each byte of memory (multifd with zlib or zstd)."""

    @property
    def trigger(self) -> AutoConverge | None:
        """When the guest is slowed down, by whichever of the two; None for never."""
        return AutoConverge() if self.auto_converge is None and self.dirty_limit is not None else self.auto_converge


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
    progress_timeout: float | None = None
    """Seconds without a pass that left less than all before it."""
    completion_timeout_per_gib: float | None = None
    """Seconds for each GiB of memory; less than 1 GiB has the time of 1 GiB."""
    on_exhausted: tuple[Exhausted, ...] = ("abort",)
    """What follows when a limit is hit before the rest fits: the first of these that can be done in time, or abort."""
    downtime_steps: DowntimeSteps | None = None
    downtime_tuning: DowntimeTuning | None = None
    rate: AdaptiveRate | None = None
    aids: Aids = field(default_factory=Aids)
    window: float = 0.0
    """Seconds between two looks at what remains while a rate cap is in force; 0 = at every page."""
    burst: float = 0.0
    """The same without a cap."""

    def __post_init__(self) -> None:
        if self.max_downtime is not None and self.max_downtime < 0:
            raise ValueError(f"maxDowntime must not be below 0 s, not {self.max_downtime:g}")
        if self.max_passes is not None and self.max_passes < 0:
            raise ValueError(f"maxPasses must not be below 0, not {self.max_passes}")

    def completion_timeout(self, memory_bytes: float) -> float:
        """Seconds until the passes must have ended; infinite without such a limit."""
        if self.completion_timeout_per_gib is None:
            return math.inf
        return self.completion_timeout_per_gib * max(1.0, memory_bytes / GIB)


def _next_step(seconds: float, delay: float, steps: int) -> float:
    step = int(seconds / delay) + 1
    return step * delay if step <= steps else math.inf
