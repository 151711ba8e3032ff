"""Amounts by day and line: an interval cut at midnight UTC, its rates multiplied by the milliseconds in each day.

Day and month edges are computed here and written nowhere: midnight costs nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Final, NamedTuple, get_args

from drover.api.usage import Meter

METERS: Final[tuple[Meter, ...]] = get_args(Meter)

DAY: Final = 86_400_000
"""Milliseconds in a UTC day: Unix time has no leap seconds."""
_FIRST_DAY: Final = date(1970, 1, 1)


class Line(NamedTuple):
    """What an amount is of; amounts of one line add up."""

    meter: Meter
    sku: str
    """The flavor of a VM's vCPUs, memory and instance; the storage class of a volume; else empty."""
    state: str
    """What the object was meanwhile: a VM's phase, Provisioned, Allocated."""


Rates = Mapping[Line, int]
"""What is used at each moment: vCPUs, bytes, instances, addresses."""

Sums = Counter[tuple[date, Line]]
"""Amounts by UTC day and line."""


def day_of(instant: int) -> date:
    """The UTC day of an instant in Unix milliseconds."""
    return _FIRST_DAY + timedelta(days=instant // DAY)


def month_of(day: date) -> str:
    """``2026-11``: the name of the month a day is in."""
    return f"{day.year:04d}-{day.month:02d}"


def days(since: int, until: int) -> Iterator[tuple[date, int]]:
    """The days that ``[since, until)`` touches (Unix milliseconds), with the milliseconds of it in each."""
    for number in range(since // DAY, -(-until // DAY)):
        inside = min(until, (number + 1) * DAY) - max(since, number * DAY)
        if inside > 0:
            yield _FIRST_DAY + timedelta(days=number), inside


def amounts(since: int, until: int, rates: Rates) -> Sums:
    """What ``[since, until)`` adds to the sums of each day at constant rates."""
    return Counter(
        {(day, line): rate * inside for day, inside in days(since, until) for line, rate in rates.items() if rate}
    )
