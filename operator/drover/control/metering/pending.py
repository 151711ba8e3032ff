"""Usage that has ended, on its way from an object's status into a UsageRecord.

::

    interval ends --PATCH of the transition--> pending --PATCH of the record--> settled --next PATCH of the object--> -

The first `OFFERED` of an object's pending entries never change, so a record may take them: it adds an entry and names
(uid, seq) as settled in one PATCH. While a record lags, one more entry gathers what follows, as sums by day. That one
no record takes, until entries before it are gone and it has moved up. So nothing is lost, nothing is taken twice, and
the list stays short however long it waits.
"""

from __future__ import annotations

from collections import Counter
from datetime import date

from drover.api.usage import Charge, DayAmount, PendingUsage
from drover.model.usage import Line, Rates, Sums, amounts, milliseconds, month_of

OFFERED = 8
"""Entries that a record may take; the next one gathers."""

Pending = tuple[PendingUsage, ...]


def rates_of(charges: tuple[Charge, ...], state: str) -> Rates:
    return {Line(charge.meter, charge.sku, state): charge.rate for charge in charges}


def sums_of(entry: PendingUsage) -> Sums:
    """What the entry adds to each day."""
    sums = amounts(milliseconds(entry.since), milliseconds(entry.until), rates_of(entry.charges, entry.state))
    for row in entry.amounts:
        sums[date.fromisoformat(row.day), Line(row.meter, row.sku, row.state)] += row.amount
    return sums


def months_of(entry: PendingUsage) -> list[str]:
    """The months whose records take a part of the entry."""
    return sorted({month_of(day) for day, _ in sums_of(entry)})


def appended(pending: Pending, entry: PendingUsage) -> Pending:
    """With an interval that has ended; one that adds nothing is left out."""
    if not sums_of(entry):
        return pending
    if len(pending) <= OFFERED:
        return (*pending, entry)
    return (*pending[:OFFERED], gathered(pending[OFFERED], entry))


def gathered(first: PendingUsage, then: PendingUsage) -> PendingUsage:
    """Both as one entry, which has the number of the later one."""
    return PendingUsage(
        seq=then.seq,
        since=first.since,
        until=then.until,
        state=then.state,
        amounts=rows_of(sums_of(first) + sums_of(then)),
    )


def rows_of(sums: Sums) -> tuple[DayAmount, ...]:
    return tuple(
        DayAmount(day=day.isoformat(), meter=line.meter, sku=line.sku, state=line.state, amount=amount)
        for (day, line), amount in sorted(sums.items())
    )


def part_of(entry: PendingUsage, month: str) -> Sums:
    """What the entry adds to the days of one month."""
    return Counter({(day, line): value for (day, line), value in sums_of(entry).items() if month_of(day) == month})
