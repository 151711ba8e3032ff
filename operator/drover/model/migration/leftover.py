"""What a pass leaves to send: what it did not send, and what the guest wrote meanwhile, at the pace it was left."""

from __future__ import annotations

import math

from drover.model.migration.setting import Setting
from drover.model.migration.state import Left, Sent, State

XBZRLE_RATIO = 7 / 4104
"""A page that changed in one word, as a difference (measured with QEMU 7.2)."""
XBZRLE_FROM_PASS = 2
"""The first resend fills the cache; from the second on it helps."""


def kept(state: State, sent: Sent) -> Left:
    """What a pass leaves of what it began with, before the guest adds to it: the cold pages come first."""
    left, share = state.left, min(1.0, _ratio(sent.bytes, state.whole))
    spared = _ratio(left.cold + left.zero, left.pages)
    cold = max(0.0, 1 - share / spared) if spared else 0.0
    hot = min(1.0, _ratio((1 - share) * left.pages, sum(left.hot)))
    return Left(tuple([pages * hot for pages in left.hot]), left.cold * cold, left.zero * cold)


def dirtied(unsent: Left, begun: Left, given: Setting, seconds: float, size: float) -> Left:
    """What is left once the guest has written for `seconds`; never more than it has non-zero memory."""
    parts = zip(given.memory.dirty, unsent.hot, begun.hot, strict=True)
    hot = [pages + part.adds(pages, seconds, before, size) for part, pages, before in parts]
    room, wanted = given.memory.nonzero_pages - unsent.cold, sum(hot)
    if wanted > room:
        hot = [pages * room / wanted for pages in hot]
    return Left(tuple(hot), unsent.cold, unsent.zero)


def pace(state: State, given: Setting) -> float:
    """Share of its speed at which the guest writes: slowing it stretches its time."""
    aids, taken, needed = given.policy.aids, state.throttle.share, given.memory.cpu_bound
    awake = min(1.0, (1 - taken) / needed) if aids.auto_converge is not None and needed else 1.0
    stun = aids.stun * given.link.bandwidth if aids.stun is not None and state.stunned else math.inf
    clamp = aids.dirty_limit if aids.dirty_limit is not None and taken else math.inf
    most = given.memory.dirty_rate
    return min(awake, stun / most, clamp / most) if most else awake


def wire_bytes(left: Left, passes: int, given: Setting) -> float:
    """Bytes on the wire of what is left after so many passes."""
    memory, aids, ratio = given.memory, given.policy.aids, given.policy.aids.compression
    if aids.xbzrle_cache is not None and passes >= XBZRLE_FROM_PASS and memory.hot_pages:
        hits = min(1.0, aids.xbzrle_cache / (memory.hot_pages * memory.page_bytes))
        ratio *= 1 - hits * (1 - XBZRLE_RATIO)
    return left.nonzero * memory.wire_page * ratio + left.zero * memory.zero_page_bytes


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
