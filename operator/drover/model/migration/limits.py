"""The downtime limit as it stands, and what fits it."""

from __future__ import annotations

import math

from drover.model.migration.setting import Setting
from drover.model.migration.state import State


def downtime_limit(state: State, given: Setting) -> float | None:
    """Seconds of downtime that are allowed at present; None = no limit."""
    policy, most = given.policy, given.policy.max_downtime
    if most is None or state.watch.raised_at is not None:
        return most
    if policy.downtime_steps is not None:
        return policy.downtime_steps.limit(most, state.seconds, given.memory.bytes)
    if policy.downtime_tuning is not None:
        since = state.seconds - state.ramp_from if state.ramp_from is not None else 0.0
        return policy.downtime_tuning.limit(most, since)
    return min(most, policy.stall.initial_limit) if policy.stall is not None else most


def next_raise(state: State, given: Setting) -> float:
    """Seconds at which the limit will next be another one if nothing else happens; infinite if it stays."""
    policy = given.policy
    if policy.max_downtime is None or state.watch.raised_at is not None:
        return math.inf
    if policy.downtime_steps is not None:
        return policy.downtime_steps.next_raise(state.seconds, given.memory.bytes)
    if policy.downtime_tuning is not None and state.ramp_from is not None:
        return state.ramp_from + policy.downtime_tuning.next_raise(state.seconds - state.ramp_from)
    return math.inf


def threshold(state: State, given: Setting, measured: float) -> float | None:
    """Bytes that fit the downtime limit at this moment, given the rate measured; None without a limit."""
    limit = downtime_limit(state, given)
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
    """Bytes of a pass that has not begun, as held against the threshold: QEMU, which measures, counts no headers."""
    measures = given.policy.switchover_bandwidth == "measured"
    return state.left.pages * given.memory.page_bytes if measures else state.whole
