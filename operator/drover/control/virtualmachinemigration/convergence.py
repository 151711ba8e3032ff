"""Whether a copy gets nearer to its end, in words: the Converging condition, and the events on the way."""

from __future__ import annotations

from drover.api.meta import Condition
from drover.api.virtualmachinemigration import MigrationProgress
from drover.control.conditions import Verdict, false, true
from drover.control.driver import Copying
from drover.control.outcome import Event, warning
from drover.model import migration as model
from drover.model.migration.units import rate, size, span

PASS_EVENT_EVERY = 10
"""Wall seconds between two events that tell of passes."""
STALLED_AFTER = 10.0
"""Model seconds without a better pass after which a copy is called stalled; its policy may wait for longer."""


def converging(report: Copying) -> Verdict:
    told, state, best = _figures(report), report.state, report.state.best
    if report.decision is None and best is not None and state.seconds - best.seconds > STALLED_AFTER:
        waited = span(state.seconds - best.seconds)
        return false("Converging", "Stalled", f"{told}; no pass has been better than {size(best.bytes)} for {waited}")
    return true("Converging", "Converging", told)


def _figures(report: Copying) -> str:
    state, given = report.state, report.setting
    rest, limit = state.remaining, model.downtime_limit(state, given)
    pause, speed = span(rest / given.link.line), rate(given.link.bandwidth)
    allowed = f", allowed {span(limit)}" if limit is not None else ""
    return f"{size(rest)} remain in pass {state.passes + 1} at {speed}: a pause of {pause}{allowed}"


def noteworthy(
    before: MigrationProgress, after: MigrationProgress, report: Copying, known: Condition | None
) -> tuple[Event, ...]:
    """What has changed since the report before."""
    events: list[Event] = []
    if _is_due(before, after):
        events.append(Event("PreCopyPass", _figures(report)))
    if after.throttle_percent > before.throttle_percent:
        slowed = f"the guest's CPUs are slowed by {after.throttle_percent} % so that it dirties less memory"
        events.append(warning("AutoConverge", slowed))
    was, now = before.downtime_limit_milliseconds, after.downtime_limit_milliseconds
    if was is not None and now is not None and now > was:
        events.append(Event("DowntimeRaised", f"the guest may pause for {now:.0f} ms instead of {was:.0f} ms"))
    verdict = converging(report)
    if verdict.reason == "Stalled" and (known is None or known.reason != "Stalled"):
        events.append(warning("StallDetected", verdict.message))
    return tuple(events)


def _is_due(before: MigrationProgress, after: MigrationProgress) -> bool:
    """Whether one of the instants at which passes are told of lies between the reports."""
    was, now = before.last_update_time, after.last_update_time
    if was is None or now is None or after.iteration == before.iteration:
        return False
    return int(was.timestamp()) // PASS_EVENT_EVERY != int(now.timestamp()) // PASS_EVENT_EVERY
