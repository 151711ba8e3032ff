"""Totals that grow: what has ended is an amount, what runs is a rate, and both together are a straight line in time.

    amount at t  =  sum of what has ended + sum of rate x (t - since)  =  base + rate x t

so that the total of any number of running intervals is two integers, whenever it is asked for.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Accrual(NamedTuple):
    """An amount as a function of time."""

    base: int
    rate: int
    """Per millisecond."""

    def at(self, instant: int) -> int:
        """The amount at an instant in Unix milliseconds, which must not be before what runs has begun."""
        return self.base + self.rate * instant

    def plus(self, other: Accrual) -> Accrual:
        return Accrual(self.base + other.base, self.rate + other.rate)

    def minus(self, other: Accrual) -> Accrual:
        return Accrual(self.base - other.base, self.rate - other.rate)


NOTHING: Final = Accrual(0, 0)


def ended(amount: int) -> Accrual:
    return Accrual(amount, 0)


def running(since: int, rate: int) -> Accrual:
    """What has run at ``rate`` since an instant in Unix milliseconds."""
    return Accrual(-rate * since, rate)
