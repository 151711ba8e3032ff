"""What the end of the passes means to a user."""

from __future__ import annotations

from typing import Literal

from drover.model.migration.rules import Decision
from drover.model.migration.setting import Setting
from drover.model.migration.state import State
from drover.model.migration.units import rate, size, span

LONGER_FACTOR = 1.5
"""Up to so many times the limit a longer downtime is worth proposing (VEP 248, precopyPossibleFactor)."""

Verdict = Literal["Converges", "ConvergesWithLongerDowntime", "DoesNotConverge", "Blocked"]


def implied_downtime(rest: float, bandwidth: float) -> float:
    """Seconds the guest would pause if the passes ended now, for `rest` bytes left."""
    return rest / bandwidth


def judge(decision: Decision, state: State, given: Setting) -> tuple[Verdict, str]:
    """The verdict on a migration that ended so, with its figures. `advise` says what would help."""
    rest, limit, bandwidth = state.remaining, given.policy.max_downtime, given.link.bandwidth
    found = f"{size(rest)} remain after {state.passes} pass{'es' * (state.passes != 1)} at {rate(bandwidth)}"
    if decision.then == "postCopy":
        return "Converges", f"{found}; the target pulls them while the guest runs there"
    pause = implied_downtime(rest, given.link.line)
    if decision.then == "stopAndCopy":
        if limit is None or decision.reason in ("DowntimeLimit", "FewDirtyPages") or pause <= limit:
            return "Converges", found
        return "ConvergesWithLongerDowntime", f"{found}: a pause of {span(pause)}, maxDowntime {span(limit)}"
    if decision.reason == "CompletionTimeout":
        return "DoesNotConverge", f"{found}, completion timeout {span(state.elapsed)}"
    longer = _longer_limit(state, given)
    if limit is not None and limit < longer <= LONGER_FACTOR * limit:
        return "ConvergesWithLongerDowntime", f"{found}; needs maxDowntime {span(longer)} instead of {span(limit)}"
    allowed = f", maxDowntime {span(limit)}" if limit is not None else ""
    dirtied = f"; the guest dirties {size(state.whole)} in {span(state.last.seconds)}" if state.last else ""
    return "DoesNotConverge", f"{found}: a pause of {span(pause)}{allowed}{dirtied}"


def _longer_limit(state: State, given: Setting) -> float:
    """Seconds of downtime with which the passes would end.

    Passes that end with their last page shrink to the best they reached. Where they end at the threshold, a longer
    limit also makes them end sooner, and only the whole working set is sure to fit.
    """
    whole_passes = given.policy.end_pass_at == "zero"
    rest = state.best.bytes if whole_passes and state.best else given.memory.hot_pages * given.memory.wire_page
    at_line = given.policy.switchover_bandwidth == "line"
    return implied_downtime(rest, given.link.line if at_line else given.link.bandwidth)
