"""Usage of virtual machines: intervals in, sums out.

A machine's usage is a chain of half-open intervals ``[since, end)`` during which its rates are constant. What
changes a rate closes one interval and opens the next at the very same end. Arithmetic is in integers, so that
no way of cutting a stretch of time into intervals changes its sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Interval:
    """An open interval: since when, and what is used meanwhile."""

    since: int
    """Milliseconds since the Unix epoch."""
    vcpus: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0
    instances: int = 0
    """1 while the machine is charged as running, 0 while only its disks are."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Amounts times milliseconds, exact."""

    vcpu_millis: int = 0
    memory_byte_millis: int = 0
    disk_byte_millis: int = 0
    instance_millis: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.vcpu_millis + other.vcpu_millis,
            self.memory_byte_millis + other.memory_byte_millis,
            self.disk_byte_millis + other.disk_byte_millis,
            self.instance_millis + other.instance_millis,
        )


def end(interval: Interval, now: int) -> int:
    """Where the interval ends if closed now: never before it began, even if the clock stepped back.

    The next interval opens here and not at ``now``, so that the two neither overlap nor leave a hole.
    """
    return max(interval.since, now)


def close(interval: Interval, now: int) -> Totals:
    """What the interval adds to the totals if closed now."""
    duration = end(interval, now) - interval.since
    return Totals(
        interval.vcpus * duration,
        interval.memory_bytes * duration,
        interval.disk_bytes * duration,
        interval.instances * duration,
    )


def milliseconds(instant: datetime) -> int:
    """An aware instant in whole milliseconds since the Unix epoch, rounded down."""
    return (instant - _EPOCH) // _MILLISECOND


def instant(unix_milliseconds: int) -> datetime:
    """The inverse of `milliseconds`, in UTC."""
    return _EPOCH + unix_milliseconds * _MILLISECOND
