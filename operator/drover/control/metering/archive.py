"""The archive: what each object used on each day, kept after the object is gone. One row a day and line.

A row is written before the record that has it in its sums, so none is missing; one may be there twice, for a write that
was repeated, and counts once: `Entry` says by what. A record keeps the number of its rows and a checksum of them: the
sum of their SHA-256 modulo 2**256, which does not depend on their order and grows with the record. It tells damage; it
is no signature.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from drover.api.meta import Key
from drover.api.usagerecord import RowsChecksum, UsageRecord
from drover.control.metering.pending import Pending, part_of, rows_of
from drover.control.ports import Write
from drover.control.world import World

MODULUS = 2**256


class Entry(NamedTuple):
    """One row. All of it but the amount is its key."""

    namespace: str
    kind: str
    name: str
    uid: str
    seq: int
    day: str
    meter: str
    sku: str
    state: str
    amount: int
    """Rate times milliseconds; bytes for the meter migration."""

    @property
    def key(self) -> tuple[object, ...]:
        return self[:-1]


def entries_of(who: Key, uid: str, pending: Pending, month: str) -> list[Entry]:
    """The rows of what a record takes of an object."""
    return [
        Entry(who.namespace, who.kind, who.name, uid, one.seq, row.day, row.meter, row.sku, row.state, row.amount)
        for one in pending
        for row in rows_of(part_of(one, month))
    ]


def digest(row: Entry) -> bytes:
    """The SHA-256 of a row."""
    return sha256("\x1f".join(map(str, row)).encode()).digest()


def checksum(rows: Iterable[Entry]) -> RowsChecksum:
    """The checksum of these rows, each of which must be there once."""
    total = count = 0
    for row in rows:
        total += int.from_bytes(digest(row), "big")
        count += 1
    return RowsChecksum(rows=count, sha256_sum=f"{total % MODULUS:064x}")


def added(one: RowsChecksum | None, other: RowsChecksum | None) -> RowsChecksum:
    """Of the rows of both."""
    first, then = one or RowsChecksum(), other or RowsChecksum()
    total = (int(first.sha256_sum, 16) + int(then.sha256_sum, 16)) % MODULUS
    return RowsChecksum(rows=first.rows + then.rows, sha256_sum=f"{total:064x}")


def rows_for(write: Write, world: World) -> list[Entry]:
    """The rows that have to be in the archive before this write is sent: of what it settles and no record has yet."""
    record = world.confirmed(write.key)
    if not isinstance(record, UsageRecord) or write.verb != "status":
        return []
    rows = []
    for uid, seq in (write.body["status"].get("settled") or {}).items():
        holder = world.usage.holder(record.of, uid)
        if holder is None or seq is None:
            continue
        through = world.usage.settled(record.of, uid)(record.spec.month)
        taken = tuple(one for one in holder.pending if through < one.seq <= seq)
        rows += entries_of(holder.key, uid, taken, record.spec.month)
    return rows
