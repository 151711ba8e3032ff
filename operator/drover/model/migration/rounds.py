"""One pass of a migration, as hypervisors send it: the step behind both the estimate and the play.

A textbook pass ends with the last page. QEMU's ends as soon as what is left would fit the downtime limit; the
rest is carried over, and partly dirtied again meanwhile. So a pass leaves

    left + D(t) * (1 - left/W)        pages of each working set W, of which it dirtied D(t) in its t seconds.

Where the first pass stops depends on where the pages lie (`firstpass`); later ones begin there, with what was left.
A pass may stand half-way, and go on at another rate: the link may differ from one call to the next, as others begin
and end beside it. What the guest dirtied meanwhile is counted as the pass ends.
"""

from __future__ import annotations

import math
from dataclasses import replace

from drover.model.migration.firstpass import first_fits, first_left
from drover.model.migration.leftover import XBZRLE_FROM_PASS, dirtied, kept, pace, wire_bytes
from drover.model.migration.limits import pending, threshold
from drover.model.migration.setting import Setting
from drover.model.migration.stall import Watch, near_limit
from drover.model.migration.state import Best, Left, Sent, State

XBZRLE_SPEED = 1.1e9
"""Bytes of memory a second that are compared with the cache (measured with QEMU 7.2)."""
STUN_MARGIN = 0.04
"""Passes that shrink by less are not shrinking enough to wait (KubeVirt VEP 248, stallMargin)."""
SHOWS = 3
"""Passes after which a slower guest shows: one sent at its new pace, and two for their leftovers."""
PROGRESS = 1e-6
"""A pass that leaves less by no more than this share is not better."""
CLOSE = 1e-9
"""Two figures that differ by no more than this share are the same."""


def begin(given: Setting) -> State:
    """Before the first pass: everything is dirty."""
    memory, tuning = given.memory, given.policy.downtime_tuning
    left = Left(tuple(part.working_set for part in memory.dirty), memory.cold_pages, memory.zero_pages)
    ramp_from = 0.0 if tuning is not None and tuning.start_after_pass <= 1 else None
    return State(left, wire_bytes(left, 0, given), ramp_from=ramp_from)


def resumed(state: State, given: Setting) -> State:
    """A state that was kept, for a guest whose workload may have changed since.

    Where what is left does not fit it any more, that is spread evenly over the memory as it is now.
    """
    left, memory = state.left, given.memory
    if len(left.hot) == len(memory.dirty) and left.nonzero <= memory.nonzero_pages * (1 + CLOSE):
        return state
    share = min(1.0, left.nonzero / memory.nonzero_pages) if memory.nonzero_pages else 0.0
    hot = tuple(share * part.working_set for part in memory.dirty)
    spread = Left(hot, share * max(0.0, memory.cold_pages), min(left.zero, memory.zero_pages))
    return replace(state, left=spread, whole=wire_bytes(spread, state.passes, given))


def send_rate(state: State, given: Setting) -> float:
    """Bytes a second of the pass under way: the least of link, sender, what the policy asks, and comparing pages."""
    wire, aids = min(given.link.bandwidth, given.hypervisor.ceiling), given.policy.aids
    if given.policy.rate is not None:
        wire = min(wire, wanted_rate(state, given))
    if aids.xbzrle_cache is not None and state.passes >= XBZRLE_FROM_PASS and state.left.nonzero:
        return min(wire, XBZRLE_SPEED * state.whole / (state.left.nonzero * given.memory.page_bytes))
    return wire


def shrinking(state: State, margin: float = 0.0) -> bool:
    """Whether the last pass sent no more than the one before it, less a share of that; true of the first."""
    return state.last is None or state.before is None or state.last.bytes <= state.before.bytes * (1 - margin)


def wanted_rate(state: State, given: Setting) -> float:
    """Bytes a second that an adaptive rate asks for, which may be more than its most; without one no limit."""
    if given.policy.rate is None:
        return math.inf
    if state.last is None:
        return given.policy.rate.start
    dirtying = state.whole / state.last.seconds if state.last.seconds else 0.0
    return max(given.policy.rate.start, dirtying + given.policy.rate.step)


def pass_left(state: State, given: Setting) -> float:
    """Seconds until the next look at the rules, at the link's present rate; infinite where nothing can be sent.

    That is when the pass under way ends, or at the completion timeout if that is sooner.
    """
    return min(_pass_ends(state, given, send_rate(state, given)), _time_left(state, given))


def advance(state: State, given: Setting, seconds: float) -> State:
    """The state `seconds` later, which must not be past `pass_left`; there a pass that is done has ended."""
    speed = send_rate(state, given)
    return _go_on(state, given, seconds, speed, _pass_ends(state, given, speed))


def send_round(state: State, given: Setting) -> State:
    """The state at the next look at the rules."""
    speed = send_rate(state, given)
    ends = _pass_ends(state, given, speed)
    return _go_on(state, given, min(ends, _time_left(state, given)), speed, ends)


def slowing_down(state: State, given: Setting) -> bool:
    """Whether auto-converge can still slow the guest's CPUs further, or its last step may still help."""
    aid, throttle = given.policy.aids.auto_converge, state.throttle
    if aid is None:
        return False
    helps = state.best is not None and state.best.passes == state.passes
    return throttle.share < aid.most or throttle.passes < SHOWS or helps


def _time_left(state: State, given: Setting) -> float:
    return max(0.0, given.policy.completion_timeout(given.memory.bytes) - state.elapsed)


def _pass_ends(state: State, given: Setting, speed: float) -> float:
    """Seconds: with the last page, or at the first look after the rest fits the threshold."""
    done, rest = state.partial, state.remaining
    if rest == 0:
        return 0.0
    if speed == 0:
        return math.inf
    if given.policy.end_pass_at == "zero":
        return rest / speed
    enough = threshold(state, given, speed) or 0.0
    fits = first_fits(state, enough, given) if state.passes == 0 else _fits(state, enough, given)
    until = done.seconds + max(0.0, fits - done.bytes) / speed
    quantum = given.policy.window if given.link.bandwidth < given.link.line else given.policy.burst
    if quantum:
        until = quantum * max(1, math.ceil(until / quantum - CLOSE), math.ceil(done.seconds / quantum - CLOSE))
    return min(rest / speed, until - done.seconds)


def _fits(state: State, enough: float, given: Setting) -> float:
    """Bytes after which what is left fits `enough`."""
    return max(0.0, 1 - enough / pending(state, given)) * state.whole


def _go_on(state: State, given: Setting, seconds: float, speed: float, ends: float) -> State:
    done = state.partial
    if seconds < ends * (1 - CLOSE):
        return replace(state, partial=Sent(done.bytes + seconds * speed, done.seconds + seconds))
    return _end_pass(state, given, Sent(done.bytes + ends * speed, done.seconds + ends), speed)


def _end_pass(state: State, given: Setting, sent: Sent, speed: float) -> State:
    policy, aids, tuning, passes = given.policy, given.policy.aids, given.policy.downtime_tuning, state.passes + 1
    awake = sent.seconds * pace(state, given)
    size = given.noise.factor(state.passes)
    unsent = kept(state, sent) if state.passes else first_left(state, sent.bytes, given)
    left = dirtied(unsent, state.left, given, awake, size)
    whole, seconds = wire_bytes(left, passes, given), state.seconds + sent.seconds
    watch, throttle, ramp_from = state.watch, state.throttle, state.ramp_from
    if policy.stall is not None:
        watch = _watched(state, seconds, whole, speed, given)
    if aids.trigger is not None and (policy.stall is None or watch.stalled is not None):
        written = sum(part.pages(awake, size) for part in given.memory.dirty) * given.memory.page_bytes
        throttle = throttle.after(aids.trigger, sent, written)
    if tuning is not None and ramp_from is None and passes + 1 >= tuning.start_after_pass:
        ramp_from = seconds
    is_best = state.best is None or whole < state.best.bytes * (1 - PROGRESS)
    grows = aids.stun is not None and state.last is not None and sent.bytes > state.last.bytes * (1 - STUN_MARGIN)
    return State(
        left=left,
        whole=whole,
        passes=passes,
        sent=state.sent + sent.bytes,
        seconds=seconds,
        last=sent,
        before=state.last,
        rate=speed,
        throttle=throttle,
        watch=watch,
        ramp_from=ramp_from,
        best=Best(whole, seconds, passes) if is_best else state.best,
        stunned=state.stunned or grows,
    )


def _watched(state: State, seconds: float, rest: float, speed: float, given: Setting) -> Watch:
    """With the pass that has just ended; the limit is raised for good where nothing else is left to try."""
    policy = given.policy
    assert policy.stall is not None
    watch = state.watch.after(policy.stall, seconds, rest, speed)
    if watch.stalled is None or watch.raised_at is not None or slowing_down(state, given):
        return watch
    may_abort_only = all(then == "abort" for then in policy.on_exhausted)
    return watch.raised(seconds) if may_abort_only and near_limit(watch, rest, policy) else watch
