"""What KubeVirt's stall detector makes of the passes (VEP 248; virt-launcher, stall-detector.go).

watching --a pass leaves no less than one of `progress_timeout` ago--> stalled, with the best pass as a target
stalled --patience spent--> the best pass since becomes the target, and patience shrinks
stalled --a pass as good as the target, a little above the limit, nothing else to try--> the limit is raised
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

from drover.model.migration.stop import Stall, StopPolicy

GRAIN = 1.0
"""Seconds: of passes that end closer together only the best is kept, so that there are few to keep."""
KEPT = 8
"""Passes since the stall that are remembered: patience is spent before more are asked for."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """Since a stall was found."""

    target: float
    """Bytes to wait for."""
    patience: float
    """Seconds it is waited for."""
    until: float
    """When they end."""
    left: tuple[float, ...] = ()
    """Bytes that passes left since, the least first."""

    def after(self, seconds: float, rest: float, decay: float) -> Stalled:
        """With another pass, which ended at `seconds` and left `rest` bytes."""
        left = (*heapq.nsmallest(KEPT, (*self.left, rest)),)
        if seconds < self.until:
            return Stalled(self.target, self.patience, self.until, left)
        patience = self.patience * decay
        return Stalled(left[0], patience, seconds + patience, left[1:])


@dataclass(frozen=True, slots=True)
class Watch:
    """What has been seen so far; seconds since the first pass began, and bytes that passes left."""

    bandwidth: float = 0.0
    """Bytes a second, smoothed."""
    old: float | None = None
    """The least that passes left before the progress timeout."""
    recent: tuple[tuple[float, float], ...] = ()
    """Seconds and bytes of those since which left less than all before them."""
    stalled: Stalled | None = None
    raised_at: float | None = None
    """When the limit was raised for good."""

    def after(self, stall: Stall, seconds: float, rest: float, rate: float) -> Watch:
        """With another pass, which ended at `seconds`, left `rest` bytes and was sent at `rate`."""
        smooth = stall.ewma_alpha * rate + (1 - stall.ewma_alpha) * self.bandwidth if self.bandwidth else rate
        old, recent = self.old, self.recent
        while recent and seconds - recent[0][0] >= stall.progress_timeout:
            old, recent = recent[0][1] if old is None else min(old, recent[0][1]), recent[1:]
        if (old is None or rest <= old) and (not recent or rest < recent[-1][1]):
            recent = _with(recent, seconds, rest)
        if self.stalled is not None:
            stalled: Stalled | None = self.stalled.after(seconds, rest, stall.relax_decay)
        elif old is not None and rest >= old * (1 - stall.margin):
            best = min(old, recent[-1][1]) if recent else old
            stalled = Stalled(best, stall.progress_timeout, seconds + stall.progress_timeout)
        else:
            stalled = None
        return Watch(smooth, old, recent, stalled, self.raised_at)

    def raised(self, seconds: float) -> Watch:
        """With the limit raised."""
        return Watch(self.bandwidth, self.old, self.recent, self.stalled, seconds)

    def acts(self, rest: float, stall: Stall) -> bool:
        """Whether a pass that left `rest` bytes is as good as it can be expected to get."""
        if self.stalled is None:
            return False
        return not stall.search_local_minima or rest <= self.stalled.target * (1 + stall.margin)

    def implied(self, rest: float) -> float:
        """Seconds of downtime that `rest` bytes imply."""
        return rest / self.bandwidth if self.bandwidth else math.inf

    def next_change(self, stall: Stall) -> float:
        """Seconds at which it may see things differently though nothing changes; infinite for never."""
        if self.raised_at is not None:
            return self.raised_at + stall.switchover_timeout
        if self.stalled is not None:
            return self.stalled.until
        return self.recent[0][0] + stall.progress_timeout if self.recent else math.inf


UNSEEN = Watch()


def near_limit(watch: Watch, rest: float, policy: StopPolicy) -> bool:
    """Whether only a little is wanting: the limit is exceeded, and by no more than `hopeless_factor`."""
    stall, most = policy.stall, policy.max_downtime
    if stall is None or most is None or not watch.acts(rest, stall):
        return False
    return most < watch.implied(rest) <= stall.hopeless_factor * most


def _with(recent: tuple[tuple[float, float], ...], seconds: float, rest: float) -> tuple[tuple[float, float], ...]:
    if recent and seconds - recent[-1][0] < GRAIN:
        return (*recent[:-1], (recent[-1][0], rest))
    return (*recent, (seconds, rest))
