"""The lines of the usage ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Final

from drover.control.metering.ledger import UsageLedger
from drover.model.usage import Line
from drover.observe.families import Family
from drover.observe.families import ledger as families

BY_SKU_AND_STATE: Final = {
    "vcpu": families.USAGE_VCPU_SECONDS,
    "memory": families.USAGE_MEMORY_BYTE_SECONDS,
    "instance": families.USAGE_INSTANCE_SECONDS,
}
BY_SKU: Final = {"volume": families.USAGE_STORAGE_BYTE_SECONDS}
WHOLE: Final = {"address": families.USAGE_PUBLIC_IP_SECONDS, "migration": families.USAGE_MIGRATION_BYTES}


Place = tuple[Family, str]
"""A family, and a sample of it without its value."""


class UsageLines:
    """Keeps all of a counter's line but the amount, which is another at every scrape."""

    def __init__(self, ledger: UsageLedger) -> None:
        self._ledger = ledger
        self._places: dict[tuple[str, Line], Place] = {}

    def at(self, now: datetime) -> Iterator[tuple[Family, str]]:
        """Lines with their family, a little at a time and all for one instant."""
        for _, counters in groupby(self._ledger.counters(now), key=itemgetter(0)):
            sums: dict[Place, int] = {}
            for namespace, line, amount in counters:
                place = self._places.get((namespace, line)) or self._place(namespace, line)
                sums[place] = sums.get(place, 0) + amount
            for (family, prefix), amount in sums.items():
                # Rates times milliseconds, but for the bytes of migrations.
                told = amount if family is families.USAGE_MIGRATION_BYTES else _seconds(amount)
                yield family, f"{prefix}{told}\n"
        yield from _state(self._ledger, now)

    def _place(self, namespace: str, line: Line) -> Place:
        if (family := BY_SKU_AND_STATE.get(line.meter)) is not None:
            prefix = family.prefix(namespace, line.sku, line.state)
        elif (family := BY_SKU.get(line.meter)) is not None:
            prefix = family.prefix(namespace, line.sku)
        else:
            family = WHOLE[line.meter]
            prefix = family.prefix(namespace)
        self._places[namespace, line] = family, prefix
        return family, prefix


def _state(ledger: UsageLedger, now: datetime) -> Iterator[tuple[Family, str]]:
    for kind, count in ledger.discrepancies.items():
        yield families.LEDGER_DISCREPANCIES, families.LEDGER_DISCREPANCIES.line(count, kind)
    yield families.LEDGER_RECORDS, families.LEDGER_RECORDS.line(ledger.records, "open")
    watermark = ledger.watermark(now).timestamp()
    yield families.LEDGER_WATERMARK, families.LEDGER_WATERMARK.line(watermark)


def _seconds(milliseconds: int) -> float:
    """Whole seconds stay whole: a float is exact to 2**53 only, which byte-seconds pass within hours."""
    seconds, rest = divmod(milliseconds, 1000)
    return seconds if not rest else milliseconds / 1000
