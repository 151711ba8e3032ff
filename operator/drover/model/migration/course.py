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

from drover.model.migration.rounds import State, begin, pass_rate, remaining, send_round
from drover.model.migration.rules import Decision, Verdict, decide, judge, skip_repeats
from drover.model.migration.setting import Setting
from drover.model.migration.stop import Exhausted, Reason

ROUND_TRIPS = 2
"""Source tells target to take over; target tells source that it has."""
SEND_BUFFER_BYTES = 4 << 20
"""What a full TCP connection still holds when its sender is done (Linux tcp_wmem, 4 MiB)."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass: bytes sent, how long it took, and the bytes it left to send.

    Where the index jumps, those in between were like it.
    """

    index: int
    bytes: float
    seconds: float
    remaining_bytes: float


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

    @property
    def cancellable_until(self) -> float:
        """Seconds from the start until which a cancelled move leaves the guest on its source, never paused."""
        return self.total - self.post_copy - self.downtime


def run(given: Setting) -> Course:
    """Pass after pass until a rule hits."""
    state = begin(given)
    whole = remaining(state, given)
    if given.link.bandwidth == 0:
        message = "no bandwidth between source and target: free or repair the migration link"
        return Course("Blocked", "NoBandwidth", message, whole, (), 0.0, 0.0, 0.0, 0.0)
    passes: list[Pass] = []
    while (decision := decide(state, given)) is None:
        state = skip_repeats(send_round(state, given), given)
        assert state.last is not None
        passes.append(Pass(state.passes, state.last.bytes, state.last.seconds, remaining(state, given)))
    verdict, message = judge(decision, state, given)
    seconds, sent = _until_timeout(decision, state, given)
    elapsed = given.hypervisor.setup + seconds
    course = Course(verdict, decision.reason, message, whole, tuple(passes), sent, elapsed, 0.0, 0.0)
    return _finish(course, decision.then, remaining(state, given), given)


def _until_timeout(decision: Decision, state: State, given: Setting) -> tuple[float, float]:
    """Seconds and bytes of the passes; one that is aborted at the completion timeout goes on sending until then."""
    timeout = given.policy.completion_timeout(given.memory.bytes)
    if timeout is None or decision != Decision("CompletionTimeout", "abort"):
        return state.seconds, state.sent
    return timeout, state.sent + (timeout - state.seconds) * pass_rate(state, given)


def _finish(course: Course, then: Exhausted, rest: float, given: Setting) -> Course:
    """What follows the passes of `course`, for `rest` bytes."""
    sending, hand_over = rest / given.link.line, given.hypervisor.device_state + ROUND_TRIPS * given.link.rtt
    queued = min(SEND_BUFFER_BYTES, rest) / given.link.line
    if then == "abort":
        return course
    pulling = sending if then == "postCopy" else 0.0
    downtime = hand_over + sending - pulling
    return replace(
        course,
        bytes=course.bytes + rest,
        total=course.total + downtime + pulling,
        downtime=downtime,
        blackout=downtime + queued,
        post_copy=pulling,
    )
