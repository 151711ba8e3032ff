"""A whole migration, pass by pass, under a stop policy: what it takes, and whether it ends.

    +----------+  a rule hits  +-------------+
    | pre-copy | ------+-----> | stopAndCopy |  the guest is paused and the rest sent at line rate
    +----------+       |       +-------------+
      |     ^          +-----> | postCopy    |  the guest runs on the target and pulls the rest
      +-----+          |       +-------------+
     send_round        +-----> | abort       |  the guest stays on its source, never paused
                               +-------------+

A rate cap shapes the passes and not the last phase. Three figures are kept apart: downtime as the source sees
it, blackout (with the bytes that still queue on the link when the source is done) and total time, in seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from drover.model.migration.ending import ending
from drover.model.migration.leftover import XBZRLE_FROM_PASS
from drover.model.migration.limits import downtime_limit
from drover.model.migration.rounds import begin, send_round
from drover.model.migration.rules import decide, next_change, settled
from drover.model.migration.setting import Setting
from drover.model.migration.state import NOTHING, State
from drover.model.migration.stop import Reason
from drover.model.migration.verdict import Verdict, judge

ALIKE = 1e-4
"""Share by which two passes that are alike may differ."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass: bytes sent, how long it took, and the bytes it left to send."""

    index: int
    bytes: float
    seconds: float
    remaining_bytes: float
    times: int = 1
    """Of the passes up to this one, those that were alike: where it is not 1 the index jumps."""


@dataclass(frozen=True, slots=True)
class Course:
    """A migration as it went. One that was aborted has no downtime: its guest was never paused."""

    verdict: Verdict
    reason: Reason
    """The rule that ended the passes."""
    message: str
    """With numbers, and what would help."""
    whole: float
    """Bytes to send before the first pass."""
    passes: tuple[Pass, ...]
    bytes: float
    total: float
    downtime: float
    blackout: float
    post_copy: float = 0.0
    """Seconds in which the guest runs on the target without all of its memory: cancelling is refused."""
    slowdown: float = 0.0
    """Share of those in which it waits for pages."""

    @property
    def cancellable_until(self) -> float:
        """Seconds from the start until which a cancelled move leaves the guest on its source, never paused."""
        return self.total - self.post_copy - self.downtime


def run(given: Setting) -> Course:
    """Pass after pass until a rule hits."""
    state = begin(given)
    whole = state.remaining
    if given.link.bandwidth == 0:
        message = "no bandwidth between source and target: free or repair the migration link"
        return Course("Blocked", "NoBandwidth", message, whole, (), 0.0, 0.0, 0.0, 0.0)
    passes: list[Pass] = []
    decision = decide(state, given)
    while decision is None:
        earlier, state = state, send_round(state, given)
        decision, last = decide(state, given), state.last
        if state.partial == NOTHING and last is not None:
            state = _skip_repeats(earlier, state, given) if decision is None else state
            passes.append(Pass(state.passes, last.bytes, last.seconds, state.remaining, state.passes - earlier.passes))
    verdict, message = judge(decision, state, given)
    end = ending(state, decision, given)
    return Course(
        verdict,
        decision.reason,
        message,
        whole,
        tuple(passes),
        bytes=state.processed + end.bytes,
        total=given.hypervisor.setup + state.elapsed + end.downtime + end.pulling,
        downtime=end.downtime,
        blackout=end.blackout,
        post_copy=end.pulling,
        slowdown=end.slowdown,
    )


def _skip_repeats(earlier: State, state: State, given: Setting) -> State:
    """Where passes only repeat until something changes: the state just before that, so that waiting costs nothing."""
    bounded = given.policy.max_passes is not None or given.policy.max_transfer_factor is not None
    if bounded or state.last is None or not state.last.seconds:
        return state
    if not _alike(earlier, state) and not settled(state, given):
        return state
    if downtime_limit(state, given) != downtime_limit(earlier, given):
        return state
    until = next_change(state, given)
    waits = math.ceil((until - state.seconds) / state.last.seconds) - 1 if until < math.inf else given.patience
    times = max(0, waits)
    return replace(
        state,
        passes=state.passes + times,
        sent=state.sent + times * state.last.bytes,
        seconds=state.seconds + times * state.last.seconds,
    )


def _alike(earlier: State, state: State) -> bool:
    """Whether a pass was like the one before it, and left as much."""
    if state.last is None or earlier.last is None:
        return False
    if (earlier.throttle, earlier.stunned) != (state.throttle, state.stunned) or earlier.passes < XBZRLE_FROM_PASS:
        return False
    return (
        abs(state.last.seconds - earlier.last.seconds) <= ALIKE * state.last.seconds
        and abs(state.whole - earlier.whole) <= ALIKE * state.whole
    )
