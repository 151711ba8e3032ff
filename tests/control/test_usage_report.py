"""Reports: the ledger's sums by namespace, flavor, day or VM, those of deleted VMs included."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from metering import GIB, entry, open_network, open_vm, open_volume, record
from worlds import NOW, later, vm, world_of

from drover.control.metering.report import Active, active, by_vm, daily, grouped
from drover.control.world import World
from drover.model.usage import Line

TODAY = NOW.date()
DELETED = Line("vcpu", "large", "Running")
HOUR = 3_600_000
FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)


def world() -> World:
    """A VM, a volume and a network, and a record of a VM that is gone; another namespace with one VM."""
    return world_of(
        record(Counter({(FIRST, DELETED): 5 * HOUR})),
        open_vm("a", entry(1)),
        open_volume(),
        open_network(),
        open_vm("b", namespace="other"),
    )


def report(by: Any, first: date = FIRST, last: date = LAST, namespace: str | None = None) -> dict[Any, Any]:
    rows = daily(world(), later(3600), first, last, namespace)
    return {share.labels: {m: n for m, n in share.amounts.items() if n} for share in grouped(rows, by)}


def test_by_namespace_it_is_the_sum_of_records_and_of_what_waits_and_runs() -> None:
    assert report("namespace") == {
        ("default",): {
            "vcpu": 5 * HOUR + 20_000 + 2 * HOUR,
            "memory": 4 * GIB * HOUR,
            "instance": 10_000 + HOUR,
            "volume": 30 * GIB * HOUR,
            "address": 3 * HOUR,
        },
        ("other",): {"vcpu": 2 * HOUR, "memory": 4 * GIB * HOUR, "instance": HOUR, "volume": 20 * GIB * HOUR},
    }


def test_by_flavor_a_deleted_vms_flavor_is_there_and_disks_go_by_their_class() -> None:
    found = report("flavor", namespace="default")
    assert {labels[1] for labels in found} == {"large", "small", "root", "standard", ""}
    assert found["default", "large"] == {"vcpu": 5 * HOUR}
    assert found["default", "root"] == {"volume": 20 * GIB * HOUR}


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [(FIRST, LAST, ["2026-11-01", "2026-11-02"]), (TODAY, TODAY, ["2026-11-02"]), (date(2026, 11, 3), LAST, [])],
    ids=["month", "one day", "later"],
)
def test_by_day_only_the_days_asked_for_count_both_ends_included(first: date, last: date, days: list[str]) -> None:
    assert list(report("day", first, last, "default")) == [("default", day) for day in days]


def test_what_runs_over_midnight_counts_on_both_days() -> None:
    evening = datetime(2026, 11, 2, 23, tzinfo=UTC)
    rows = daily(world_of(open_vm(since=evening)), evening + timedelta(hours=3), FIRST, LAST)
    shares = {share.labels[1]: share.amounts["instance"] for share in grouped(rows, "day")}
    assert shares == {"2026-11-02": HOUR, "2026-11-03": 2 * HOUR}


def test_by_vm_are_those_that_exist_and_have_used_something_since_their_creation() -> None:
    (share,) = by_vm(world_of(open_vm("a"), vm("waiting")), later(60))
    assert share.labels == ("default", "a", "small", "virtualmachine-default-a")
    assert (share.amounts["vcpu"], share.amounts["instance"]) == (120_000, 60_000)
    assert by_vm(world(), NOW, "nowhere") == []


def test_active_is_what_runs_now() -> None:
    assert active(world()) == Active(2, 8 * GIB)
    assert active(world(), "other") == Active(1, 4 * GIB)
