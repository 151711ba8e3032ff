"""What to do between two passes: the rules of a stop policy, in order."""

from __future__ import annotations

import math
from dataclasses import dataclass

from drover.model.migration.limits import next_raise, pending, threshold
from drover.model.migration.rounds import CLOSE, shrinking, slowing_down, wanted_rate
from drover.model.migration.setting import Setting
from drover.model.migration.state import NOTHING, State
from drover.model.migration.stop import Exhausted, Reason

MOST_PASSES = 10_000
"""Passes after which a crawl counts as no end."""
NO_PAGES = 1e-3
"""Pages: so little of one is none, whatever the limit. Passes would shrink for ever where it is 0."""
POST_COPY_BUDGET = 2
"""Completion timeouts within which post-copy must end: it cannot be aborted (VEP 248)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How the passes end, and for which rule."""

    reason: Reason
    then: Exhausted


def decide(state: State, given: Setting) -> Decision | None:
    """The first rule to hit; None sends on. Amid a pass only the completion timeout is asked."""
    policy, rest = given.policy, state.remaining
    timeout = policy.completion_timeout(given.memory.bytes)
    if state.elapsed >= timeout * (1 - CLOSE):
        return _exhausted("CompletionTimeout", state, given)
    if state.partial != NOTHING:
        return None
    enough = threshold(state, given, state.rate)
    if enough is not None and pending(state, given) <= enough * (1 + CLOSE):
        return Decision("DowntimeLimit", "stopAndCopy")
    if _few(state, rest, given):
        return Decision("FewDirtyPages", "stopAndCopy")
    if state.watch.stalled is not None:
        return _stalled(state, rest, given)
    reason = _limit(state, given)
    return _exhausted(reason, state, given) if reason is not None else None


def _few(state: State, rest: float, given: Setting) -> bool:
    pages, count = given.policy.min_dirty_pages or NO_PAGES, given.policy.min_remaining_bytes
    return state.left.pages < pages or (count is not None and rest < count)


def _stalled(state: State, rest: float, given: Setting) -> Decision | None:
    """VEP 248, at a pass as good as it gets: pause if it fits the limit, else what is allowed, else give up.

    Where only a little is wanting the limit is raised, and it waits (`rounds`).
    """
    watch, stall, most = state.watch, given.policy.stall, given.policy.max_downtime
    assert stall is not None
    if watch.raised_at is not None:
        late = state.seconds - watch.raised_at >= stall.switchover_timeout
        return Decision("Stalled", "abort") if late else None
    if not watch.acts(rest, stall):
        return None
    implied = watch.implied(rest)
    if most is None or implied <= most:
        return Decision("Stalled", "stopAndCopy")
    if slowing_down(state, given):
        return None
    decision = _exhausted("Stalled", state, given)
    if decision.then != "abort":
        return decision
    return Decision("Hopeless", "abort") if implied > stall.hopeless_factor * most else None


def _limit(state: State, given: Setting) -> Reason | None:
    """The limit that is used up before the rest fits."""
    policy, best = given.policy, state.best
    if policy.progress_timeout is not None and best and state.seconds - best.seconds >= policy.progress_timeout:
        return "ProgressTimeout"
    if policy.non_shrinking and not shrinking(state):
        return "NotShrinking"
    if policy.rate is not None and wanted_rate(state, given) > policy.rate.most:
        return "MaxRateReached"
    if policy.max_passes is not None and state.passes >= policy.max_passes:
        return "MaxPasses"
    if policy.max_transfer_factor is not None and state.sent > policy.max_transfer_factor * given.memory.bytes:
        return "TransferLimit"
    return "NeverEnds" if settled(state, given) and next_change(state, given) == math.inf else None


def _exhausted(reason: Reason, state: State, given: Setting) -> Decision:
    """What is done about it; post-copy is begun only where it would end within twice the completion timeout."""
    timeout = given.policy.completion_timeout(given.memory.bytes)
    for then in given.policy.on_exhausted:
        pulling = state.remaining / given.link.line
        if then != "postCopy" or pulling <= POST_COPY_BUDGET * timeout - state.elapsed:
            return Decision(reason, then)
    return Decision(reason, "abort")


def settled(state: State, given: Setting) -> bool:
    """Whether passes only repeat: none was better for long, and no aid will shorten them."""
    best = state.best.passes if state.best else 0
    idle = state.passes - best >= given.patience and not slowing_down(state, given)
    return idle or state.passes >= MOST_PASSES


def next_change(state: State, given: Setting) -> float:
    """Seconds at which something may change though the passes repeat; infinite for never."""
    policy = given.policy
    changes = [next_raise(state, given), policy.completion_timeout(given.memory.bytes)]
    if policy.progress_timeout is not None and state.best:
        changes.append(state.best.seconds + policy.progress_timeout)
    if policy.stall is not None:
        changes.append(state.watch.next_change(policy.stall))
    return min(changes)
