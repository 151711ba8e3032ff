"""Daily sums: as a UsageRecord keeps them, and of what an object has used beside that."""

from __future__ import annotations

from collections import Counter
from datetime import date

from drover.api.usagerecord import UsageRecord, UsageSum
from drover.control.metering.holders import Holder
from drover.model.usage import Line, Sums, amounts


def sums_of_record(record: UsageRecord) -> Sums:
    """The daily sums that a record has."""
    year, month = map(int, record.spec.month.split("-"))
    return Counter(
        {
            (date(year, month, number), Line(row.meter, row.sku, row.state)): amount
            for row in record.status.sums
            for number, amount in enumerate(row.days, start=1)
            if amount
        }
    )


def rows_of_sums(sums: Sums) -> tuple[UsageSum, ...]:
    """Daily sums of one month as a record keeps them."""
    days: dict[Line, list[int]] = {}
    for (day, line), amount in sorted(sums.items()):
        row = days.setdefault(line, [])
        row += [0] * (day.day - 1 - len(row)) + [amount]
    return tuple(
        UsageSum(meter=line.meter, sku=line.sku, state=line.state, total=sum(row), days=tuple(row))
        for line, row in sorted(days.items())
    )


def sums_of_running(holder: Holder, now: int) -> Sums:
    """What runs, up to an instant in Unix milliseconds."""
    return amounts(holder.since, now, holder.rates)
