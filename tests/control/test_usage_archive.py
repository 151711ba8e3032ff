"""Rows of the archive are written before what settles them, and a record can tell whether they are all there."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metering import MONTH, entry, metered_vm, open_vm, record
from worlds import NOW, later, world_of

from drover.api.meta import dump
from drover.api.usagerecord import RowsChecksum
from drover.control.engine.patch import merge_patch
from drover.control.metering.archive import Entry, added, checksum, entries_of, rows_for
from drover.control.metering.report import by_vm_between, damage, live
from drover.control.ports import Write
from drover.control.usagerecord.controller import reconcile

TODAY = NOW.date()
UID = "virtualmachine-default-a"
ROWS = st.lists(
    st.builds(
        Entry,
        *(st.just(text) for text in ("default", "VirtualMachine", "a", UID)),
        st.integers(1, 99),
        *(st.just(text) for text in ("2026-11-02", "vcpu", "small", "Running")),
        st.integers(1, 10**20),
    ),
    unique_by=lambda row: row.key,
)


def row(seq: int, *, name: str = "a", meter: str = "instance", sku: str = "small", day: date = TODAY) -> Entry:
    return Entry("default", "VirtualMachine", name, f"uid-{name}", seq, f"{day}", meter, sku, "Running", 3_600_000)


def test_what_a_write_settles_is_archived_before_it_is_sent_and_nothing_else() -> None:
    one = record(settled={UID: 1})
    world = world_of(one, open_vm("a", entry(1), entry(2)), metered_vm("b", entry(5), deleting=True))
    status = reconcile(one, world, NOW).status
    assert status is not None
    patch = {"status": merge_patch(dump(one.status), dump(status))}
    rows = rows_for(Write(1, "status", one.key, patch, "1", one.uid), world)
    assert {(r.name, r.seq, r.meter, r.amount) for r in rows} == {
        ("a", 2, "instance", 10_000),
        ("a", 2, "vcpu", 20_000),
        ("b", 5, "instance", 10_000),
        ("b", 5, "vcpu", 20_000),
    }
    assert status.archive == checksum(rows)
    assert rows_for(Write(2, "metadata", one.key, {"metadata": {}}, "1", one.uid), world) == []


def test_rows_of_an_object_at_rest_are_not_archived_again() -> None:
    one = record(settled={UID: 2})
    world = world_of(one, open_vm("a", entry(1), entry(2)))
    assert rows_for(Write(1, "status", one.key, {"status": {"settled": {UID: 2, "gone": None}}}), world) == []


@given(ROWS)
def test_a_checksum_depends_on_the_rows_and_not_on_their_order_or_batches(rows: list[Entry]) -> None:
    half = len(rows) // 2
    whole = checksum(rows)
    assert checksum(rows[::-1]) == whole == added(checksum(rows[:half]), checksum(rows[half:]))
    assert added(whole, None) == whole == added(None, whole)
    if rows:
        changed = [rows[0]._replace(amount=rows[0].amount + 1), *rows[1:]]
        assert checksum(changed) != whole
        assert checksum(rows[1:]) != whole


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([row(1), row(2)], ""),
        ([row(2), row(1)], ""),
        ([row(1), row(2), row(3)], ""),
        ([row(1)], "has 1 rows, its UsageRecord tells of 2: restore"),
        ([row(1), row(3)], "is damaged: its checksum is not that of its UsageRecord"),
    ],
    ids=["whole", "in any order", "more to come", "lost", "changed"],
)
def test_damage_of_an_archive_is_told(rows: list[Entry], told: str) -> None:
    one = record()
    one = one.model_copy(update={"status": one.status.model_copy(update={"archive": checksum([row(1), row(2)])})})
    assert told in damage(one, rows)
    assert bool(damage(one, rows)) == bool(told)
    assert not damage(record(), [])
    assert RowsChecksum() == checksum([])


def test_by_vm_of_certain_days_deleted_ones_are_there_and_no_row_counts_twice() -> None:
    alive = open_vm("a", entry(1), since=later(20))
    archived = [
        *entries_of(alive.key, alive.uid, (entry(1),), MONTH),
        row(1, name="gone"),
        row(2, name="gone", sku="large"),
        row(3, name="gone", day=date(2026, 11, 3)),
        row(1, name="disk")._replace(kind="Volume"),
    ]
    shares = by_vm_between(archived, live(world_of(alive), later(100)), TODAY, TODAY)
    assert [(share.labels, share.amounts["instance"]) for share in shares] == [
        (("default", "a", "small", UID), 10_000 + 80_000),
        (("default", "gone", "large small", "uid-gone"), 7_200_000),
    ]
    assert shares[0].amounts["vcpu"] == 2 * (10_000 + 80_000)
    assert shares[1].amounts == Counter({"instance": 7_200_000})
