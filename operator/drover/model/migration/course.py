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

from dataclasses import dataclass, replace

from drover.model.migration.ending import ending
from drover.model.migration.noise import Constant, quantile_noise
from drover.model.migration.repeats import repeat, repeats
from drover.model.migration.rounds import begin, send_round
from drover.model.migration.rules import decide
from drover.model.migration.setting import Setting
from drover.model.migration.state import NOTHING
from drover.model.migration.stop import Reason
from drover.model.migration.verdict import Verdict, judge

QUIET = 0.001
"""Quantile of the noise: where even passes that all are so quiet do not end, waiting for a quiet one is in vain."""
WAITS = 1000
"""Passes in which a pass that is so quiet is due."""


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
            state = repeat(state, repeats(earlier, state, given)) if decision is None else state
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


def arrives(course: Course) -> bool:
    """Whether the guest gets to its target."""
    return course.downtime > 0


def patience_with(given: Setting, sigma: float) -> int:
    """Passes without a better one after which none will come: more for a guest whom a quiet pass may help."""
    quietest = run(replace(given, noise=Constant(quantile_noise(QUIET, sigma))))
    return WAITS if arrives(quietest) else given.patience
