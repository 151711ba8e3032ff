"""Pre-copy migration, pass by pass: the one step function behind both the estimate and the play.

The textbook recurrence (Clark et al., "Live Migration of Virtual Machines", NSDI 2005, section 3): a pass
sends what is remaining, R bytes, in t = R/B seconds; meanwhile the guest dirties D(t): the next pass. Then

    +--------------------+  R <= B * max_downtime   +---------------+
    | PreCopy: send_pass | -----------------------> | stop_and_copy |
    +--------------------+        SwitchOver        +---------------+
      |   ^   | GiveUp: NotConverging, CompletionTimeout
      +---+   +-> the guest stays on its source, never paused
     Continue

All sizes are bytes on the wire (page headers included), all times seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from drover.model.migration.guest import Guest, wire_bytes
from drover.model.migration.link import Link
from drover.model.migration.noise import quantile_noise
from drover.model.migration.units import rate, size, span

GIB = 1 << 30
SHRINK_MARGIN = 0.04
"""A pass that would be less than this share smaller does not shrink (KubeVirt VEP 248, stallMargin)."""
QUIET_QUANTILE = 0.01
"""Noise of a pass so quiet that waiting for a better one is in vain."""
SWITCHOVER_ROUND_TRIPS = 2
"""Source tells target to take over; target tells source that it has."""

GiveUpReason = Literal["NotConverging", "CompletionTimeout"]


@dataclass(frozen=True, slots=True)
class Policy:
    """When to switch over, when to give up, and the fixed times around the passes, in seconds."""

    max_downtime: float = 0.3
    """Switch over once the rest can be sent in this time (QEMU 7.2 downtime-limit: 300 ms)."""
    max_passes: int = 30
    """Give up after so many (Xen's xc_domain_save.c: 29 and a final one)."""
    completion_timeout_per_gib: float = 150.0
    """Give up after so long for each GiB of memory (KubeVirt completionTimeoutPerGiB)."""
    target_preparation: float = 2.0
    """Modelled set-up of the target before the first pass."""
    device_state: float = 0.004
    """Saving and loading device state while paused (measured with QEMU 7.2: about 4 ms)."""
    activation: float = 0.05
    """Announcing the guest's addresses on the target (QEMU announce-initial: 50 ms)."""

    def completion_timeout(self, guest: Guest) -> float:
        """Seconds the passes may take; a guest below 1 GiB is given the time of 1 GiB, as in KubeVirt."""
        return self.completion_timeout_per_gib * max(1.0, guest.memory_bytes / GIB)


@dataclass(frozen=True, slots=True)
class PassState:
    """A migration between two passes."""

    iteration: int
    """Passes sent so far."""
    remaining: float
    """Bytes the next pass, or the last phase, has to send."""
    sent: float
    """Bytes sent so far."""
    elapsed: float
    """Seconds since the first pass began."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Send another pass."""


@dataclass(frozen=True, slots=True)
class SwitchOver:
    """Pause the guest and send the rest."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Leave the guest on its source; `message` has the numbers."""

    reason: GiveUpReason
    message: str


class StopAndCopy(NamedTuple):
    """The last phase."""

    downtime: float
    """Seconds the guest is not reachable: paused, and until it is announced on the target."""
    paused: float
    """Seconds of that for which it does not run."""
    sent: float
    """Bytes sent while it is paused."""


class Played(NamedTuple):
    """A whole migration. One that was given up has no downtime."""

    end: SwitchOver | GiveUp
    state: PassState
    """As the passes ended, before the last phase."""
    sent: float
    duration: float
    downtime: float


def first_pass(guest: Guest) -> PassState:
    """The state before anything was sent: the whole memory remains."""
    return PassState(iteration=0, remaining=guest.first_pass_bytes, sent=0.0, elapsed=0.0)


def pass_duration(state: PassState, link: Link) -> float:
    """Seconds the next pass takes. Raises ValueError if the link carries nothing."""
    if link.bandwidth == 0:
        raise ValueError("no pass ends on a link without bandwidth")
    return state.remaining / link.bandwidth


def send_pass(state: PassState, guest: Guest, link: Link, noise: float = 1.0) -> PassState:
    """The state after the next pass, which takes `pass_duration`; `noise` scales the hot set."""
    seconds = pass_duration(state, link)
    return PassState(
        iteration=state.iteration + 1,
        remaining=wire_bytes(guest.dirtied(seconds, noise)),
        sent=state.sent + state.remaining,
        elapsed=state.elapsed + seconds,
    )


def next_step(state: PassState, guest: Guest, link: Link, policy: Policy) -> Continue | SwitchOver | GiveUp:
    """What to do between two passes. The first rule to hit decides; without one the next pass is sent.

    The whole memory is sent once before any switch-over, however small it is: pre-copy does not pause a guest
    before its first pass. A pass that would end past the completion timeout is not begun.
    Raises ValueError if the link carries nothing.
    """
    begun = state.iteration > 0
    if begun and state.remaining <= link.bandwidth * policy.max_downtime:
        return SwitchOver()
    if state.elapsed + pass_duration(state, link) > policy.completion_timeout(guest):
        return GiveUp("CompletionTimeout", _timed_out(state, guest, link, policy))
    hopeless = begun and _stalled(state, guest, link) and _hopeless(guest, link, policy)
    if hopeless or state.iteration >= policy.max_passes:
        return GiveUp("NotConverging", _not_converging(state, link, policy))
    return Continue()


def stop_and_copy(state: PassState, link: Link, policy: Policy) -> StopAndCopy:
    """The last phase from `state`: the rest at line rate, device state and the hand-over."""
    paused = state.remaining / link.line + policy.device_state + SWITCHOVER_ROUND_TRIPS * link.rtt
    return StopAndCopy(downtime=paused + policy.activation, paused=paused, sent=state.remaining)


def play(guest: Guest, link: Link, policy: Policy, noise: Callable[[int], float]) -> Played:
    """Step through a whole migration; `noise` gives each pass its factor on the hot set, from pass 0."""
    state = first_pass(guest)
    while isinstance(step := next_step(state, guest, link, policy), Continue):
        state = send_pass(state, guest, link, noise(state.iteration))
    duration = policy.target_preparation + state.elapsed
    if isinstance(step, GiveUp):
        return Played(step, state, state.sent, duration, downtime=0.0)
    last = stop_and_copy(state, link, policy)
    return Played(step, state, state.sent + last.sent, duration + last.downtime, last.downtime)


def shrinks_to(guest: Guest, link: Link, noise: float = 1.0) -> float:
    """Bytes the passes shrink towards and never get below: the greatest fixed point of R -> D(R/B).

    From the whole memory the recurrence falls monotonically to it: to W/(1 - d/B) for a hot set W and a dirty
    rate d below the bandwidth B, else to all non-zero memory.
    """
    most = wire_bytes(guest.nonzero_bytes)
    spare = link.bandwidth - wire_bytes(guest.dirty_rate)
    if spare <= 0:
        return most
    return min(most, wire_bytes(noise * guest.hot_set_bytes) * link.bandwidth / spare)


def _stalled(state: PassState, guest: Guest, link: Link) -> bool:
    following = send_pass(state, guest, link).remaining
    return following >= (1 - SHRINK_MARGIN) * state.remaining


def _hopeless(guest: Guest, link: Link, policy: Policy) -> bool:
    quiet = quantile_noise(QUIET_QUANTILE, guest.dirty_noise)
    return shrinks_to(guest, link, quiet) > link.bandwidth * policy.max_downtime


def _timed_out(state: PassState, guest: Guest, link: Link, policy: Policy) -> str:
    return (
        f"pass {state.iteration + 1} would end after {span(state.elapsed + pass_duration(state, link))} "
        f"at {rate(link.bandwidth)}, completion timeout {span(policy.completion_timeout(guest))}"
    )


def _not_converging(state: PassState, link: Link, policy: Policy) -> str:
    needed = span(state.remaining / link.bandwidth)
    return (
        f"{size(state.remaining)} remain after {state.iteration} passes: {needed} at {rate(link.bandwidth)}, "
        f"maxDowntime {span(policy.max_downtime)}"
    )
