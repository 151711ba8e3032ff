"""The usage interval of a volume or a network: opened, changed and closed with what it follows from."""

from __future__ import annotations

from datetime import datetime

from drover.api.usage import Charge, MeteredUsage, OpenCharge, PendingUsage
from drover.control.metering.pending import appended


def charged(usage: MeteredUsage | None, at: datetime, state: str, charges: tuple[Charge, ...]) -> MeteredUsage | None:
    """Charge this from ``at`` on, and nothing else. Going on with what is charged already opens nothing new."""
    opened = usage.open if usage is not None else None
    if opened is not None and (opened.state, opened.charges) == (state, charges):
        return usage
    if not charges:
        return ended(usage, at)
    since = max(opened.since, at) if opened is not None else at
    before = ended(usage, at) or MeteredUsage()
    after = OpenCharge(seq=before.through_seq + 1, since=since, state=state, charges=charges)
    return before.model_copy(update={"open": after})


def ended(usage: MeteredUsage | None, at: datetime) -> MeteredUsage | None:
    """Close what is open. It never ends before it began, even if the clock stepped back."""
    if usage is None or usage.open is None:
        return usage
    opened = usage.open
    entry = PendingUsage(
        seq=opened.seq,
        since=opened.since,
        until=max(opened.since, at),
        state=opened.state,
        charges=opened.charges,
    )
    return MeteredUsage(open=None, through_seq=opened.seq, pending=appended(usage.pending, entry))
