"""What a migration will take, before it is begun: the play itself, over an ensemble of noise quantiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from drover.model.migration.guest import Guest, wire_bytes
from drover.model.migration.link import Link
from drover.model.migration.noise import latin_quantiles, quantile_noise
from drover.model.migration.precopy import GiveUp, Played, Policy, SwitchOver, play, shrinks_to
from drover.model.migration.units import rate, size, span

ENSEMBLE = 25
"""Plays behind an estimate. 25 strata have a midpoint at 0.5 and at 0.9: both quantiles are exact."""

Verdict = Literal["Converges", "DoesNotConverge", "Blocked"]
LimitedBy = Literal["Bandwidth", "DirtyRate", "None"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A forecast in bytes, bytes a second and seconds.

    Durations include the preparation of the target. A move that will be given up lasts until then and has no
    downtime, because its guest is never paused.
    """

    transfer_bytes: int
    duration_p50: float
    duration_p90: float
    downtime_p50: float
    downtime_p90: float
    passes: int
    bandwidth: float
    verdict: Verdict
    limited_by: LimitedBy
    warnings: tuple[str, ...]


def estimate(guest: Guest, link: Link, policy: Policy) -> Estimate:
    """Forecast a move: the verdict of most plays, and quantiles over the plays that agree with it."""
    if link.bandwidth == 0:
        warning = "no bandwidth between source and target; free or repair the migration link"
        return Estimate(0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, "Blocked", "Bandwidth", (warning,))
    plays = _ensemble(guest, link, policy)
    arrived = [played for played in plays if isinstance(played.end, SwitchOver)]
    failed = [played for played in plays if isinstance(played.end, GiveUp)]
    converges = len(arrived) > len(failed)
    agreeing = arrived if converges else failed
    return Estimate(
        transfer_bytes=round(_quantile([played.sent for played in agreeing], 0.5)),
        duration_p50=_quantile([played.duration for played in agreeing], 0.5),
        duration_p90=_quantile([played.duration for played in agreeing], 0.9),
        downtime_p50=_quantile([played.downtime for played in agreeing], 0.5),
        downtime_p90=_quantile([played.downtime for played in agreeing], 0.9),
        passes=round(_quantile([played.state.iteration for played in agreeing], 0.5)),
        bandwidth=link.bandwidth,
        verdict="Converges" if converges else "DoesNotConverge",
        limited_by="None" if converges else _limit(guest, link, policy),
        warnings=_warnings(guest, link, policy, failed, len(plays)),
    )


def _ensemble(guest: Guest, link: Link, policy: Policy) -> list[Played]:
    members = ENSEMBLE if guest.dirty_noise > 0 else 1

    def noise(member: int) -> Callable[[int], float]:
        return lambda i: quantile_noise(latin_quantiles(i, members)[member], guest.dirty_noise)

    return [play(guest, link, policy, noise(member)) for member in range(members)]


def _quantile(values: Sequence[float], share: float) -> float:
    """The least value that `share` of `values` do not exceed (inverted empirical distribution)."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def _limit(guest: Guest, link: Link, policy: Policy) -> LimitedBy:
    too_slow_for_one_pass = guest.first_pass_bytes / link.bandwidth > policy.completion_timeout(guest)
    return "Bandwidth" if too_slow_for_one_pass else "DirtyRate"


def _warnings(guest: Guest, link: Link, policy: Policy, failed: Sequence[Played], plays: int) -> tuple[str, ...]:
    """What stands in the way and what to change, with how sure that is where noise decides."""
    if not failed:
        return ()
    obstacle = _obstacle(guest, link, policy, max(failed, key=lambda played: played.state.remaining))
    if len(failed) == plays:
        return (obstacle,)
    return (f"fails in {len(failed)} of {plays} draws of the dirty noise {guest.dirty_noise:g}: {obstacle}",)


def _obstacle(guest: Guest, link: Link, policy: Policy, worst: Played) -> str:
    """Bounds solved from the recurrence: downtime from W/(1 - d/B) <= B*L, time from M/(B - d) <= timeout."""
    dirty_rate = wire_bytes(guest.dirty_rate)
    if isinstance(worst.end, GiveUp) and worst.end.reason == "CompletionTimeout":
        timeout = policy.completion_timeout(guest)
        needed = dirty_rate + guest.first_pass_bytes / timeout
        return (
            f"memory {size(guest.memory_bytes)} cannot be sent within the completion timeout {span(timeout)} "
            f"at {rate(link.bandwidth)}; needs {rate(needed)} or a longer completionTimeoutPerGiB"
        )
    rest = shrinks_to(guest, link)
    if rest <= link.bandwidth * policy.max_downtime:
        remaining = worst.state.remaining
        return (
            f"{size(remaining)} remain after {worst.state.iteration} passes at {rate(link.bandwidth)}; "
            f"needs more bandwidth or maxDowntime {span(remaining / link.bandwidth)}"
        )
    needed = dirty_rate + wire_bytes(guest.hot_set_bytes) / policy.max_downtime
    remedy = f"needs {rate(needed)} or maxDowntime {span(rest / link.bandwidth)}"
    if dirty_rate >= link.bandwidth:
        return f"dirty rate {rate(dirty_rate)} is not below the bandwidth {rate(link.bandwidth)}; {remedy}"
    return (
        f"hot set {size(guest.hot_set_bytes)} cannot be sent within {span(policy.max_downtime)} "
        f"at {rate(link.bandwidth)}; {remedy}"
    )
