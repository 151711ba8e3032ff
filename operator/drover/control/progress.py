"""Progress told by quarters: often enough to see that something moves, few enough writes."""

from __future__ import annotations

from datetime import datetime, timedelta


def quarters(since: datetime, whole: timedelta, now: datetime) -> tuple[int, datetime | None]:
    """(percent told by ``now``: 0, 25, 50 or 75; when the next of these is due, None after the last).

    ``since`` is when the work began and ``whole`` the wall time all of it takes. That it is done is not for the clock
    to say: 100 comes with the driver's completion.
    """
    due = [since + whole * quarter / 4 for quarter in (1, 2, 3)]
    passed = sum(instant <= now for instant in due)
    return 25 * passed, due[passed] if passed < len(due) else None
