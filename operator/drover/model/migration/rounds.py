"""One pass of a migration, as hypervisors send it: the step behind both the estimate and the play.

A textbook pass ends with the last page. QEMU's ends as soon as what is left would fit the downtime limit; the
rest is carried over, and partly dirtied again meanwhile. So a pass leaves

    left + D(t) * (1 - left/W)        pages of each working set W, of which it dirtied D(t) in its t seconds.

The first pass meets all kinds of pages alike; later ones begin where the last one stopped, with what was left.
Pages are counted, and bytes are those on the wire; times are seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from drover.model.migration.setting import Setting
from drover.model.migration.stop import AutoConverge

XBZRLE_RATIO = 7 / 4104
"""A page that changed in one word, as a difference (measured with QEMU 7.2)."""
XBZRLE_SPEED = 1.1e9
"""Bytes of memory a second that are compared with the cache (measured with QEMU 7.2)."""
XBZRLE_FROM_PASS = 2
"""The first resend fills the cache; from the second on it helps."""
STUN_MARGIN = 0.04
"""Passes that shrink by less are not shrinking enough to wait (KubeVirt VEP 248, stallMargin)."""
CLOSE = 1e-9
"""Two figures that differ by no more than this share are the same."""


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
    strikes: int = 0
    seconds: float = 0.0
    sent: float = 0.0
    dirtied: float = 0.0

    def after(self, aid: AutoConverge, sent: Sent, dirtied: float) -> Throttle:
        """Look once a period (QEMU `migration_trigger_throttle`): too many strikes are a step."""
        seen = replace(
            self,
            seconds=self.seconds + sent.seconds,
            sent=self.sent + sent.bytes,
            dirtied=self.dirtied + dirtied,
        )
        if seen.seconds < aid.min_period:
            return seen
        strikes = self.strikes + (seen.dirtied > aid.trigger * seen.sent)
        if strikes < aid.consecutive:
            return Throttle(self.share, strikes)
        step = aid.increment if self.share else aid.initial
        return Throttle(min(aid.most, self.share + step))


@dataclass(frozen=True, slots=True)
class State:
    """A migration between two passes."""

    left: Left
    passes: int = 0
    sent: float = 0.0
    seconds: float = 0.0
    last: Sent | None = None
    before: Sent | None = None
    """The pass before the last."""
    throttle: Throttle = Throttle()
    best: float = math.inf
    """The least bytes that remained after a pass."""
    best_at: float = 0.0
    """Seconds, when that was."""
    best_pass: int = 0
    stunned: bool = False
    """Whether passes have ever stopped to shrink."""


def begin(given: Setting) -> State:
    """Before the first pass: everything is dirty."""
    memory = given.memory
    return State(Left(tuple(part.working_set for part in memory.dirty), memory.cold_pages, memory.zero_pages))


def remaining(state: State, given: Setting) -> float:
    """Bytes on the wire of what is left."""
    nonzero = state.left.nonzero * given.memory.wire_page * _compression(state, given)
    return nonzero + state.left.zero * given.memory.zero_page_bytes


def pass_rate(state: State, given: Setting) -> float:
    """Bytes a second of the next pass, unless the sender's CPU is slower."""
    return min(given.link.bandwidth, wanted_rate(state, given))


def measured_rate(state: State) -> float:
    """Bytes a second of the last pass; 0 before the first, when nothing has been measured."""
    return state.last.bytes / state.last.seconds if state.last and state.last.seconds else 0.0


def shrinking(state: State, margin: float = 0.0) -> bool:
    """Whether the last pass sent no more than the one before it, less a share of that; true of the first."""
    return state.last is None or state.before is None or state.last.bytes <= state.before.bytes * (1 - margin)


def wanted_rate(state: State, given: Setting) -> float:
    """Bytes a second that an adaptive rate asks for, which may be more than its most; without one no limit."""
    if given.policy.rate is None:
        return math.inf
    if state.last is None:
        return given.policy.rate.start
    dirtying = remaining(state, given) / state.last.seconds if state.last.seconds else 0.0
    return max(given.policy.rate.start, dirtying + given.policy.rate.step)


def threshold(state: State, given: Setting, measured: float) -> float | None:
    """Bytes that fit the downtime limit at this moment, given the rate measured; None without a limit."""
    limit = given.policy.downtime_limit(state.seconds, given.memory.bytes)
    if limit is None:
        return None
    match given.policy.switchover_bandwidth:
        case "measured":
            return measured * limit
        case "line":
            return given.link.line * limit
        case bandwidth:
            return bandwidth * limit


def pending(state: State, given: Setting) -> float:
    """Bytes that are held against the threshold: QEMU, which measures, counts pages without headers."""
    if given.policy.switchover_bandwidth == "measured":
        return state.left.pages * given.memory.page_bytes
    return remaining(state, given)


def pass_seconds(state: State, given: Setting) -> float:
    """Seconds the next pass would take with everything that is left."""
    sending = remaining(state, given) / pass_rate(state, given)
    comparing = state.left.nonzero * given.memory.page_bytes / XBZRLE_SPEED if _differences(state, given) else 0.0
    return max(sending, comparing)


def send_round(state: State, given: Setting) -> State:
    """The state after the next pass."""
    share = _share(state, given)
    sent = Sent(share * remaining(state, given), share * pass_seconds(state, given))
    awake = sent.seconds * _pace(state, given)
    dirtied = sum(part.pages(awake) for part in given.memory.dirty) * given.memory.page_bytes
    aid = given.policy.aids.auto_converge
    after = replace(
        state,
        left=_after(_kept(state.left, share, first=state.passes == 0), state.left, given, awake),
        passes=state.passes + 1,
        sent=state.sent + sent.bytes,
        seconds=state.seconds + sent.seconds,
        last=sent,
        before=state.last,
        throttle=state.throttle.after(aid, sent, dirtied) if aid else state.throttle,
    )
    return _with_best(replace(after, stunned=state.stunned or not shrinking(after, STUN_MARGIN)), given)


def _share(state: State, given: Setting) -> float:
    """Share of what is left that the next pass sends: up to the threshold, in whole windows or bursts."""
    whole = pass_seconds(state, given)
    if given.policy.end_pass_at == "zero" or whole == 0:
        return 1.0
    speed = remaining(state, given) / whole
    enough = threshold(state, given, measured=speed) or 0.0
    share = max(0.0, 1 - enough / pending(state, given))
    quantum = given.policy.window if given.link.bandwidth < given.link.line else given.policy.burst
    if quantum == 0:
        return share
    looks = max(1, math.ceil(share * whole / quantum - CLOSE))
    return min(1.0, looks * quantum / whole)


def _kept(left: Left, share: float, first: bool) -> Left:
    """What a pass that sends a `share` leaves of what it began with, before the guest adds to it.

    After the first pass the cold pages are among those left by the last, and these come first.
    """
    spared = 1.0 if first else _ratio(left.cold + left.zero, left.pages)
    kept = max(0.0, 1 - share / spared) if spared else 0.0
    hot = 1 - share if first else min(1.0, _ratio((1 - share) * left.pages, sum(left.hot)))
    return Left(tuple(pages * hot for pages in left.hot), left.cold * kept, left.zero * kept)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _after(kept: Left, begun: Left, given: Setting, seconds: float) -> Left:
    """What is left once the guest has written for `seconds`; never more than it has non-zero memory."""
    parts = zip(given.memory.dirty, kept.hot, begun.hot, strict=True)
    hot = [pages + part.adds(pages, seconds, before) for part, pages, before in parts]
    fits = min(1.0, _ratio(given.memory.nonzero_pages - kept.cold, sum(hot))) if any(hot) else 1.0
    return replace(kept, hot=tuple(pages * fits for pages in hot))


def _pace(state: State, given: Setting) -> float:
    """Share of its speed at which the guest writes: slowing it stretches its time."""
    pace = 1 - state.throttle.share * given.memory.cpu_bound
    aids, most = given.policy.aids, given.memory.dirty_rate * pace
    stun = aids.stun * given.link.bandwidth if aids.stun is not None and state.stunned else None
    clamp = min(limit for limit in (most, aids.dirty_limit, stun) if limit is not None)
    return pace * clamp / most if most else pace


def _with_best(state: State, given: Setting) -> State:
    rest = remaining(state, given)
    margin = given.policy.stall.margin if given.policy.stall else 1e-6
    if rest < state.best * (1 - margin):
        return replace(state, best=rest, best_at=state.seconds, best_pass=state.passes)
    return state


def _differences(state: State, given: Setting) -> bool:
    return given.policy.aids.xbzrle_cache is not None and state.passes >= XBZRLE_FROM_PASS


def _compression(state: State, given: Setting) -> float:
    aids, hot = given.policy.aids, given.memory.hot_pages * given.memory.page_bytes
    if aids.xbzrle_cache is None or hot == 0 or not _differences(state, given):
        return aids.compression
    return aids.compression * (1 - min(1.0, aids.xbzrle_cache / hot) * (1 - XBZRLE_RATIO))
