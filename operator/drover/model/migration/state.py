"""A migration in pre-copy, as it stands.

Plain figures throughout, so that it can be kept as JSON and gone on with later. Pages are counted, and bytes are those
on the wire; times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from drover.model.migration.stall import UNSEEN, Watch
from drover.model.migration.stop import AutoConverge


@dataclass(frozen=True, slots=True)
class Left:
    """Pages that have to be sent; `hot` has one entry for each working set."""

    hot: tuple[float, ...]
    cold: float
    zero: float

    @property
    def nonzero(self) -> float:
        return self.cold + sum(self.hot)

    @property
    def pages(self) -> float:
        return self.nonzero + self.zero


@dataclass(frozen=True, slots=True)
class Sent:
    """A pass."""

    bytes: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Throttle:
    """How far auto-converge has gone, and what it has seen since it looked last."""

    share: float = 0.0
    """Of the guest's CPU time that is taken away."""
    passes: int = 0
    """Sent since that was raised last."""
    strikes: int = 0
    seconds: float = 0.0
    sent: float = 0.0
    dirtied: float = 0.0

    def after(self, aid: AutoConverge, sent: Sent, dirtied: float) -> Throttle:
        """Look once a period (QEMU `migration_trigger_throttle`): too many strikes are a step."""
        seconds, passes = self.seconds + sent.seconds, self.passes + 1
        all_sent, all_dirtied = self.sent + sent.bytes, self.dirtied + dirtied
        if seconds < aid.min_period:
            return Throttle(self.share, passes, self.strikes, seconds, all_sent, all_dirtied)
        strikes = self.strikes + (all_dirtied > aid.trigger * all_sent)
        if strikes < aid.consecutive or self.share >= aid.most:
            return Throttle(self.share, passes, strikes)
        step = aid.increment if self.share else aid.initial
        return Throttle(min(aid.most, self.share + step))


@dataclass(frozen=True, slots=True)
class Best:
    """The least bytes that remained after a pass, and when that was."""

    bytes: float
    seconds: float
    passes: int


NOTHING = Sent(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class State:
    """Between two passes, or amid one."""

    left: Left
    """To send as the pass under way began."""
    whole: float
    """Bytes of that on the wire."""
    passes: int = 0
    sent: float = 0.0
    """Bytes of the passes that have ended."""
    seconds: float = 0.0
    """They took."""
    partial: Sent = NOTHING
    """Of the pass under way."""
    last: Sent | None = None
    before: Sent | None = None
    """The pass before the last."""
    rate: float = 0.0
    """Bytes a second at the end of the last pass; 0 before the first, when nothing has been measured."""
    throttle: Throttle = Throttle()
    watch: Watch = UNSEEN
    ramp_from: float | None = None
    """Seconds, when the downtime limit began to be raised (`StopPolicy.downtime_tuning`)."""
    best: Best | None = None
    stunned: bool = False
    """Whether passes have ever stopped to shrink."""

    @property
    def remaining(self) -> float:
        """Bytes on the wire that the pass under way has still to send, or the last phase if it were next."""
        return max(0.0, self.whole - self.partial.bytes)

    @property
    def elapsed(self) -> float:
        """Seconds since the first pass began."""
        return self.seconds + self.partial.seconds

    @property
    def processed(self) -> float:
        """Bytes sent in that time."""
        return self.sent + self.partial.bytes
