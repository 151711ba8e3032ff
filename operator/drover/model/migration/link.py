"""The path between two hosts, and how flows share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """What one migration gets of the network between its hosts.

    `bandwidth` and `line` differ because a rate cap shapes the passes only: QEMU lifts it for the last phase,
    so a model with one figure is wrong about downtime several times over.
    Raises ValueError for a bandwidth below 0 or above the line, or an RTT below 0.
    """

    bandwidth: float
    """Bytes a second the passes may use; 0 = nothing can be sent."""
    line: float
    """Bytes a second of the last phase, while the guest is paused."""
    rtt: float
    """Round-trip time in seconds."""

    def __post_init__(self) -> None:
        if self.bandwidth < 0 or self.rtt < 0:
            raise ValueError("bandwidth and RTT must not be below 0")
        if self.bandwidth > self.line:
            raise ValueError(f"bandwidth {self.bandwidth} must not be above the line rate {self.line}")


def max_min_fair(capacities: Mapping[str, float], flows: Sequence[tuple[str, ...]]) -> list[float]:
    """Rate of each flow (the resources it crosses) by progressive filling.

    Every flow grows alike until a resource on its way is full; that is its bottleneck, where no flow gets
    more (Bertsekas and Gallager, "Data Networks", section 6.5.2). Rates are in the unit of `capacities`.
    Raises ValueError for a flow that crosses nothing (its rate would have no bound) and KeyError for an
    unknown resource.
    """
    if not all(flows):
        raise ValueError("a flow must cross at least one resource")
    left = dict(capacities)
    crossing: dict[str, set[int]] = {name: set() for name in capacities}
    for flow, resources in enumerate(flows):
        for name in resources:
            crossing[name].add(flow)
    rates = [0.0] * len(flows)
    while busy := [name for name, growing in crossing.items() if growing]:
        bottleneck = min(busy, key=lambda name: left[name] / len(crossing[name]))
        share = max(0.0, left[bottleneck] / len(crossing[bottleneck]))
        for flow in tuple(crossing[bottleneck]):
            rates[flow] = share
            for name in set(flows[flow]):
                crossing[name].discard(flow)
                left[name] -= share
    return rates
