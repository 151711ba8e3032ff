"""What to do between two passes: the rules of a stop policy, in order, and what their outcome means to a user."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from drover.model.migration.rounds import (
    CLOSE,
    State,
    measured_rate,
    pass_seconds,
    pending,
    remaining,
    shrinking,
    threshold,
    wanted_rate,
)
from drover.model.migration.setting import Setting
from drover.model.migration.stop import Exhausted, Reason
from drover.model.migration.units import rate, size, span

HOPELESS_PASSES = 32
"""Passes without a new best after which none will come: the recurrence has settled."""
MOST_PASSES = 10_000
"""Passes after which a crawl counts as no end."""
LONGER_FACTOR = 1.5
"""Up to so many times the limit a longer downtime is worth proposing (VEP 248, precopyPossibleFactor)."""

Verdict = Literal["Converges", "ConvergesWithLongerDowntime", "DoesNotConverge", "Blocked"]


@dataclass(frozen=True, slots=True)
class Decision:
    """How the passes end, and for which rule."""

    reason: Reason
    then: Exhausted


def implied_downtime(rest: float, bandwidth: float) -> float:
    """Seconds the guest would pause if the passes ended now, for `rest` bytes left."""
    return rest / bandwidth


def decide(state: State, given: Setting) -> Decision | None:
    """The first rule to hit; None sends another pass."""
    enough = threshold(state, given, measured_rate(state))
    if enough is not None and pending(state, given) <= enough * (1 + CLOSE):
        return Decision("DowntimeLimit", "stopAndCopy")
    rest = remaining(state, given)
    if _few(state, rest, given):
        return Decision("FewDirtyPages", "stopAndCopy")
    if (stalled := _stalled(state, rest, given)) is not None:
        return stalled
    reason = _exhausted(state, given)
    return Decision(reason, _allowed(rest, given)) if reason is not None else None


def _few(state: State, rest: float, given: Setting) -> bool:
    pages, count = given.policy.min_dirty_pages, given.policy.min_remaining_bytes
    return (pages is not None and state.left.pages < pages) or (count is not None and rest < count)


def _stalled(state: State, rest: float, given: Setting) -> Decision | None:
    """VEP 248: switch over at a local minimum that is good enough, give up at a bad one, else wait on for a while."""
    stall, waited = given.policy.stall, state.seconds - state.best_at
    if stall is None or waited < stall.progress_timeout:
        return None
    implied = implied_downtime(rest, given.link.bandwidth)
    if implied <= stall.max_downtime:
        return Decision("Stalled", "stopAndCopy")
    if implied > stall.hopeless_factor * stall.max_downtime:
        return Decision("Hopeless", _allowed(rest, given))
    return Decision("Stalled", _allowed(rest, given)) if waited >= stall.patience else None


def _exhausted(state: State, given: Setting) -> Reason | None:
    """The limit that is used up before the rest fits."""
    policy, whole = given.policy, given.memory.bytes
    factor, timeout = policy.max_transfer_factor, policy.completion_timeout(whole)
    rules: tuple[tuple[Reason, bool], ...] = (
        ("NotShrinking", policy.non_shrinking and not shrinking(state)),
        ("MaxRateReached", policy.rate is not None and wanted_rate(state, given) > policy.rate.most),
        ("MaxPasses", policy.max_passes is not None and state.passes >= policy.max_passes),
        ("TransferLimit", factor is not None and state.sent > factor * whole),
        ("CompletionTimeout", timeout is not None and _too_late(state, given, timeout)),
        ("NeverEnds", _settled(state, given)),
    )
    return next((reason for reason, hit in rules if hit), None)


def skip_repeats(state: State, given: Setting) -> State:
    """Where passes only repeat until the downtime limit is raised: the state just before that."""
    until = given.policy.next_raise(state.seconds, given.memory.bytes)
    if until is None or state.last is None or not _repeating(state, given):
        return state
    times = max(0, math.ceil((until - state.seconds) / state.last.seconds))
    return replace(
        state,
        passes=state.passes + times,
        sent=state.sent + times * state.last.bytes,
        seconds=state.seconds + times * state.last.seconds,
        best_pass=state.passes + times,
    )


def _repeating(state: State, given: Setting) -> bool:
    """The passes have settled, and no aid will shorten them."""
    policy, aid = given.policy, given.policy.aids.auto_converge
    throttling = aid is not None and state.throttle.share < aid.most
    bounded = policy.stall is not None or policy.max_passes is not None
    return state.passes - state.best_pass >= HOPELESS_PASSES and not (throttling or bounded)


def _settled(state: State, given: Setting) -> bool:
    """The rest will never fit: neither the passes nor the limit change any more."""
    raising = given.policy.next_raise(state.seconds, given.memory.bytes) is not None
    return state.passes >= MOST_PASSES or (_repeating(state, given) and not raising)


def _too_late(state: State, given: Setting, timeout: float) -> bool:
    """The next pass would end after the timeout, or no pass will ever make a difference before it."""
    return state.seconds + pass_seconds(state, given) > timeout or _settled(state, given)


def _allowed(rest: float, given: Setting) -> Exhausted:
    """Post-copy is begun only where it ends in time."""
    policy, within = given.policy, given.policy.post_copy_within
    late = within is not None and rest / given.link.line > within
    return "abort" if policy.on_exhausted == "postCopy" and late else policy.on_exhausted


def judge(decision: Decision, state: State, given: Setting) -> tuple[Verdict, str]:
    """The verdict on a migration that ended so, with what would help."""
    rest, limit = remaining(state, given), given.policy.max_downtime
    found = f"{size(rest)} remain after {state.passes} passes at {rate(given.link.bandwidth)}"
    if decision.then == "postCopy":
        return "Converges", f"{found}; the target pulls them while the guest runs there"
    if decision.then == "stopAndCopy":
        pause = implied_downtime(rest, given.link.line)
        if limit is None or decision.reason == "DowntimeLimit" or pause <= limit:
            return "Converges", found
        return "ConvergesWithLongerDowntime", f"{found}: a pause of {span(pause)}, maxDowntime {span(limit)}"
    if decision.reason == "CompletionTimeout":
        allowed = given.policy.completion_timeout(given.memory.bytes) or 0.0
        needed = given.memory.dirty_rate + given.memory.nonzero_pages * given.memory.wire_page / allowed
        advice = f"needs {rate(needed)} or a longer completionTimeoutPerGiB"
        return "DoesNotConverge", f"{found}, completion timeout {span(allowed)}; {advice}"
    longer = _longer_limit(state, given)
    if limit is not None and longer <= LONGER_FACTOR * limit:
        return "ConvergesWithLongerDowntime", f"{found}; needs maxDowntime {span(longer)} instead of {span(limit)}"
    return "DoesNotConverge", f"{found}; {_knobs(given, longer)}"


def _longer_limit(state: State, given: Setting) -> float:
    """Seconds of downtime with which the passes would end.

    Passes that end with their last page shrink to the best they reached. Where they end at the threshold, a longer
    limit also makes them end sooner, and only the whole working set is sure to fit.
    """
    whole_passes = given.policy.end_pass_at == "zero"
    rest = state.best if whole_passes else given.memory.hot_pages * given.memory.wire_page
    at_line = given.policy.switchover_bandwidth == "line"
    return implied_downtime(rest, given.link.line if at_line else given.link.bandwidth)


def _knobs(given: Setting, longer: float) -> str:
    others = "auto-converge or post-copy"
    if given.memory.dirty_rate >= given.link.bandwidth:
        return (
            f"the guest dirties {rate(given.memory.dirty_rate)}: needs more bandwidth than that, "
            f"maxDowntime {span(longer)}, {others}"
        )
    return f"needs maxDowntime {span(longer)}, more bandwidth, {others}"
