"""Amounts in the units that people and bills use."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

from drover.api.usage import Meter

HOUR: Final = 3_600_000
"""Milliseconds."""
GIB: Final = 2**30

UNITS: Final[dict[Meter, tuple[str, int]]] = {
    "vcpu": ("vCPU-Hours", HOUR),
    "memory": ("GiB-Hours", HOUR * GIB),
    "instance": ("Instance-Hours", HOUR),
    "volume": ("GiB-Hours", HOUR * GIB),
    "address": ("Address-Hours", HOUR),
    "migration": ("GiB", GIB),
}
"""Of each meter its unit, and how much of a ledger amount makes one."""

DIGITS: Final = 9
"""Decimals that hours are told with where nothing may be lost: a millisecond is 278 billionths of an hour."""


def quantity(meter: Meter, amount: int, digits: int = DIGITS) -> Decimal:
    """An amount in the meter's unit, rounded to ``digits`` decimals, half to even."""
    scaled = round(Fraction(amount * 10**digits, UNITS[meter][1]))
    return Decimal(scaled).scaleb(-digits)


def plain(number: Decimal) -> str:
    """Without an exponent and without zeros at its end: ``1.5``, ``20``."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
