"""Usage as statuses hold it: the interval that runs, and the ended ones that are not in a UsageRecord yet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from drover.api.meta import Model, Time
from drover.api.quantity import BigInteger
from drover.api.schema import Bytes, Count, ShortName

MAX_PENDING = 16

Meter = Literal["vcpu", "memory", "instance", "volume", "address", "migration"]
"""What is counted. An amount is vCPU-, byte-, instance- or address-milliseconds; for "migration" plain bytes."""

Sku = Annotated[str, Field(max_length=253)]
"""Name of a flavor or of a storage class; empty for what has neither."""
Day = Annotated[str, Field(max_length=10, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
"""A UTC day, such as 2026-11-21."""


class Charge(Model):
    """One thing that is used at a constant rate."""

    meter: Meter
    """What is counted."""
    sku: Sku = ""
    """Of which flavor or storage class."""
    rate: Bytes
    """vCPUs, bytes, instances or addresses at each moment."""


class DayAmount(Model):
    """What was used on one day."""

    day: Day
    """The UTC day."""
    meter: Meter
    """What is counted."""
    sku: Sku = ""
    """Of which flavor or storage class."""
    state: ShortName
    """What the object was meanwhile."""
    amount: BigInteger
    """Rate times milliseconds; bytes for the meter migration."""


class PendingUsage(Model):
    """Usage that has ended and is not in a UsageRecord yet. (uid of the object, seq) is its key for ever."""

    seq: Count
    """Number of the interval, of the last one where it stands for several."""
    since: Time
    """Its start."""
    until: Time
    """Its end, which is not part of it."""
    state: ShortName
    """What the object was meanwhile."""
    charges: Annotated[tuple[Charge, ...], Field(max_length=8)] = ()
    """What was used from since to until."""
    amounts: Annotated[tuple[DayAmount, ...], Field(max_length=4096)] = ()
    """What was used beside that: bytes of a migration, and the sums of several intervals that wait as one."""


class OpenCharge(Model):
    """The usage interval that is running."""

    seq: Count
    """Number of the interval; (uid of the object, seq) is its key for ever."""
    since: Time
    """Its start; it ends where the next one starts."""
    state: ShortName
    """What the object is meanwhile."""
    charges: Annotated[tuple[Charge, ...], Field(max_length=8)]
    """What is used."""


class MeteredUsage(Model):
    """What the object used, written in the same PATCH as what it follows from."""

    open: OpenCharge | None = None
    """The interval that is running."""
    through_seq: Count = 0
    """The last interval that has ended."""
    pending: Annotated[tuple[PendingUsage, ...], Field(max_length=MAX_PENDING)] = ()
    """Intervals that have ended and are not in a UsageRecord yet, oldest first; normally none."""
