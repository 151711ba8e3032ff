"""The lines of the usage ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from drover.control.metering import UsageLedger
from drover.observe.families import Family
from drover.observe.families import ledger as families

BY_SKU_AND_STATE: Final = {
    "vcpu": families.USAGE_VCPU_SECONDS,
    "memory": families.USAGE_MEMORY_BYTE_SECONDS,
    "instance": families.USAGE_INSTANCE_SECONDS,
}
BY_SKU: Final = {"volume": families.USAGE_STORAGE_BYTE_SECONDS}
WHOLE: Final = {"address": families.USAGE_PUBLIC_IP_SECONDS, "migration": families.USAGE_MIGRATION_BYTES}
UNTIMED: Final = ("migration",)
"""Meters whose amounts are plain; the others are multiplied by milliseconds."""


def lines(ledger: UsageLedger, now: datetime) -> Iterator[tuple[Family, str]]:
    """Lines with their family, all for one instant."""
    sums: Counter[tuple[Family, tuple[str, ...], bool]] = Counter()
    for namespace, line, amount in ledger.counters(now):
        timed = line.meter not in UNTIMED
        if (family := BY_SKU_AND_STATE.get(line.meter)) is not None:
            sums[family, (namespace, line.sku, line.state), timed] += amount
        elif (family := BY_SKU.get(line.meter)) is not None:
            sums[family, (namespace, line.sku), timed] += amount
        else:
            sums[WHOLE[line.meter], (namespace,), timed] += amount
    for (family, labels, timed), amount in sums.items():
        yield family, family.line(_seconds(amount) if timed else amount, *labels)
    for kind, count in ledger.discrepancies.items():
        yield families.LEDGER_DISCREPANCIES, families.LEDGER_DISCREPANCIES.line(count, kind)
    yield families.LEDGER_RECORDS, families.LEDGER_RECORDS.line(ledger.records, "open")
    watermark = ledger.watermark(now).timestamp()
    yield families.LEDGER_WATERMARK, families.LEDGER_WATERMARK.line(watermark)


def _seconds(milliseconds: int) -> float:
    """Whole seconds stay whole: a float is exact to 2**53 only, which byte-seconds pass within hours."""
    seconds, rest = divmod(milliseconds, 1000)
    return seconds if not rest else milliseconds / 1000
