"""Passes that only repeat until something else changes: waiting for that costs nothing if they are counted at once."""

from __future__ import annotations

import math
from dataclasses import replace

from drover.model.migration.leftover import XBZRLE_FROM_PASS
from drover.model.migration.limits import downtime_limit
from drover.model.migration.rules import next_change, settled
from drover.model.migration.setting import Setting
from drover.model.migration.state import State

ALIKE = 1e-4
"""Share by which two passes that are alike may differ."""


def repeats(earlier: State, state: State, given: Setting) -> int:
    """How many more passes will be like the last, which led from `earlier` to `state`: up to the next change."""
    bounded = given.policy.max_passes is not None or given.policy.max_transfer_factor is not None
    if bounded or state.last is None or not state.last.seconds:
        return 0
    if not _alike(earlier, state) and not settled(state, given):
        return 0
    if downtime_limit(state, given) != downtime_limit(earlier, given):
        return 0
    until = next_change(state, given)
    waits = math.ceil((until - state.seconds) / state.last.seconds) - 1 if until < math.inf else given.patience
    return max(0, waits)


def repeat(state: State, times: int) -> State:
    """The state after so many more passes like the last."""
    if not times or state.last is None:
        return state
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
