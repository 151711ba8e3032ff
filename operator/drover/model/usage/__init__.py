"""Usage: half-open intervals during which rates are constant, and the sums of them.

``intervals`` closes one interval, ``lines`` cuts it at the edges of UTC days and tells amounts apart by meter, flavor
or class, and state, ``accrual`` adds up what has ended and what still runs. All in integers: no way of cutting a
stretch of time changes its sum.
"""

from drover.model.usage.accrual import NOTHING, Accrual, ended, running
from drover.model.usage.intervals import Interval, Totals, close, end, instant, milliseconds
from drover.model.usage.lines import (
    METERS,
    Line,
    Rates,
    Sums,
    amounts,
    day_of,
    days,
    month_of,
)

__all__ = [
    "METERS",
    "NOTHING",
    "Accrual",
    "Interval",
    "Line",
    "Rates",
    "Sums",
    "Totals",
    "amounts",
    "close",
    "day_of",
    "days",
    "end",
    "ended",
    "instant",
    "milliseconds",
    "month_of",
    "running",
]
