"""UsageRecord: each ended interval goes in once, gathered, and neither record nor namespace is held up by the other."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from checked import check_conditions
from metering import MONTH, entry, metered_vm, open_vm, record
from worlds import NOW, assert_settled, later, make, taken, world_of

from drover.api.meta import AnyResource, Key, dump
from drover.api.usagerecord import UsageRecord
from drover.control.metering.daily import rows_of_sums, sums_of_record
from drover.control.metering.pending import OFFERED, sums_of
from drover.control.outcome import Create
from drover.control.usagerecord.controller import CONTROLLER, PERIOD, URGENT_PERIOD, reconcile
from drover.control.world import World
from drover.model.usage import Line, Sums

TODAY = NOW.date()
VCPU, INSTANCE = Line("vcpu", "small", "Running"), Line("instance", "small", "Running")
UID = "virtualmachine-default-a"


def status_of(record: UsageRecord, world: World, now: datetime = NOW) -> Any:
    outcome = reconcile(record, world, now)
    assert outcome.status is not None
    check_conditions(record, outcome.status)
    return outcome.status


def namespace(name: str = "default", *, deleting: bool = False) -> AnyResource:
    return make("Namespace", name, {}, finalizer=False, deleting=deleting)


# What is added


def test_ended_intervals_are_added_and_named_as_settled_in_one_status() -> None:
    one = record()
    status = status_of(one, world_of(one, open_vm("a", entry(1), entry(2)), open_vm("b", entry(4))))
    rows = {(row.meter, row.sku, row.state): (row.total, row.days) for row in status.sums}
    assert rows == {
        ("instance", "small", "Running"): (30_000, (0, 30_000)),
        ("vcpu", "small", "Running"): (60_000, (0, 60_000)),
    }
    assert status.settled == {UID: 2, "virtualmachine-default-b": 4}
    assert (status.phase, status.last_update_time) == ("Open", NOW)


def test_what_is_settled_is_not_added_again() -> None:
    before = Counter({(TODAY, VCPU): 7})
    one = record(before, settled={UID: 2})
    assert reconcile(one, world_of(one, open_vm("a", entry(1), entry(2))), NOW).status is None
    status = status_of(one, world_of(one, open_vm("a", entry(1), entry(2), entry(3))))
    assert sums_of_record(record(settled={}).model_copy(update={"status": status})) == before + sums_of(entry(3))
    assert status.settled == {UID: 3}


def test_only_what_the_api_server_has_confirmed_is_added() -> None:
    one, vm = record(), open_vm("a", entry(1))
    world = world_of(one, open_vm("a"))
    world.assume(vm)
    assert reconcile(one, world, NOW).status is None


def test_an_entry_that_gathers_is_not_taken() -> None:
    one = record()
    entries = [entry(number) for number in range(1, OFFERED + 2)]
    status = status_of(one, world_of(one, open_vm("a", *entries)))
    assert status.settled == {UID: OFFERED}


def test_an_interval_over_a_months_edge_is_cut_and_each_record_takes_its_part() -> None:
    edge = datetime(2026, 12, 1, tzinfo=UTC)
    over = entry(1, since=edge - timedelta(seconds=20), seconds=60)
    november, december = record(month="2026-11"), record(month="2026-12")
    world = world_of(november, december, open_vm("a", over))
    parts = [status_of(one, world).sums for one in (november, december)]
    totals = [{row.meter: (row.total, len(row.days)) for row in rows} for rows in parts]
    assert totals[0] == {"instance": (20_000, 30), "vcpu": (40_000, 30)}
    assert totals[1] == {"instance": (40_000, 1), "vcpu": (80_000, 1)}


def test_totals_are_told_in_hours() -> None:
    one = record()
    status = status_of(one, world_of(one, open_vm("a", entry(1, seconds=5_400))))
    assert (status.totals.vcpu_hours, status.totals.instance_hours) == ("3", "1.5")
    assert status.totals.memory_gib_hours == "0"


def test_sums_survive_being_rows_of_a_record() -> None:
    sums = Counter({(date(2026, 11, 3), VCPU): 5, (date(2026, 11, 30), VCPU): 2**70, (date(2026, 11, 1), INSTANCE): 1})
    rows = rows_of_sums(sums)
    assert [len(row.days) for row in rows] == [1, 30]
    assert sums_of_record(record(sums)) == sums


# What a record goes on naming


@pytest.mark.parametrize(
    ("known", "settled"),
    [
        ([open_vm("a", entry(1))], {UID: 1}),
        ([open_vm("a", entry(2))], {UID: 2}),
        ([open_vm("a")], {}),
        ([], {}),
    ],
    ids=["still told of", "told of a later one", "nothing waits", "gone"],
)
def test_it_names_an_entry_as_settled_until_the_object_no_longer_tells_of_it(
    known: list[AnyResource], settled: dict[str, int]
) -> None:
    one = record(settled={UID: 1})
    status = status_of(one, world_of(one, open_vm("b", entry(1)), *known))
    assert status.settled == {"virtualmachine-default-b": 1} | settled


def test_an_entry_dropped_only_in_a_write_in_flight_is_named_on() -> None:
    one = record(settled={UID: 1})
    world = world_of(one, open_vm("a", entry(1)), open_vm("b", entry(1)))
    world.assume(open_vm("a"))
    assert status_of(one, world).settled == {UID: 1, "virtualmachine-default-b": 1}


# When


def test_it_is_written_at_most_once_a_minute() -> None:
    one = record(updated=NOW)
    world = world_of(one, open_vm("a", entry(1)))
    early = reconcile(one, world, later(59))
    assert (early.status, early.requeue_at) == (None, NOW + PERIOD)
    assert status_of(one, world, later(60)).settled == {UID: 1}


def test_a_clock_that_was_ahead_does_not_hold_a_record_up() -> None:
    one = record(updated=later(86_400))
    assert status_of(one, world_of(one, open_vm("a", entry(1)))).last_update_time == NOW


def test_what_is_being_deleted_waits_a_second_at_most() -> None:
    one = record(updated=NOW)
    world = world_of(one, metered_vm("a", entry(1), deleting=True))
    assert reconcile(one, world, later(0.5)).requeue_at == NOW + URGENT_PERIOD
    assert status_of(one, world, later(1)).settled == {UID: 1}


def test_a_new_record_is_written_at_once_and_rests_when_nothing_waits() -> None:
    one = make("UsageRecord", MONTH, {"month": MONTH})
    world = world_of(one, open_vm("a", entry(1)))
    assert_settled(reconcile, one, world, NOW)
    empty = record()
    assert reconcile(empty, world_of(empty, open_vm("a")), NOW) == reconcile(empty, world_of(empty), NOW)
    assert reconcile(empty, world_of(empty), NOW).status is None


def test_a_change_of_what_waits_wakes_the_records_of_its_months() -> None:
    watches = [watch for watch in CONTROLLER.watches if watch.kind == "VirtualMachine"]
    (watch,) = watches
    over = entry(1, since=datetime(2026, 11, 30, 23, tzinfo=UTC), seconds=7_200)
    before, after = open_vm("a"), open_vm("a", over)
    world = world_of(after)
    keys = [Key("UsageRecord", "default", "2026-11"), Key("UsageRecord", "default", "2026-12")]
    assert watch.affected(before, after, world) == keys
    assert watch.affected(after, after, world) == []
    assert watch.affected(after, None, world) == []
    assert 0 < watch.after <= 1


# Namespaces and records that go


def estate_key() -> Key:
    return Key("UsageRecord", "drover-system", f"{MONTH}.default")


def estate(sums: Sums | None = None, **fields: Any) -> UsageRecord:
    return record(sums, of="default", namespace="drover-system", **fields)


def test_a_record_that_is_deleted_first_sees_its_estate_created() -> None:
    going = record(Counter({(TODAY, VCPU): 5}), deleting=True)
    outcome = reconcile(going, world_of(going), NOW)
    (child,) = outcome.children
    assert isinstance(child, Create)
    assert child.resource.key == estate_key()
    assert dump(child.resource.spec) == {"month": MONTH, "namespace": "default"}
    assert (outcome.protect, child.resource.metadata.finalizers) == (None, ())


def test_the_estate_takes_over_the_sums_and_what_is_settled_and_then_the_record_goes() -> None:
    five = Counter({(TODAY, VCPU): 5})
    going = record(five, settled={UID: 1}, deleting=True)
    heir = estate(Counter({(TODAY, VCPU): 2}))
    world = world_of(going, heir, metered_vm("a", entry(1), deleting=True))
    assert reconcile(going, world, NOW).protect is None
    status = status_of(heir, world)
    assert sums_of_record(heir.model_copy(update={"status": status})) == Counter({(TODAY, VCPU): 7})
    assert status.settled == {UID: 1, going.uid: 1}
    after = taken(world, heir, reconcile(heir, world, NOW))
    assert reconcile(going, world, NOW).protect is False
    assert reconcile(after, world, later(3600)).status is None


def test_a_record_that_is_deleted_takes_nothing_more() -> None:
    going = record(Counter({(TODAY, VCPU): 5}), deleting=True)
    outcome = reconcile(going, world_of(going, estate(), metered_vm("a", entry(1), deleting=True)), NOW)
    assert outcome.status is None


def test_what_ends_in_a_namespace_that_is_going_is_added_to_its_estate() -> None:
    heir, vm = estate(), metered_vm("a", entry(1), deleting=True)
    assert status_of(heir, world_of(heir, vm, namespace(deleting=True))).settled == {UID: 1}
    assert reconcile(heir, world_of(heir, vm, namespace()), NOW).status is None


def test_an_estate_takes_nothing_while_the_namespace_has_a_record_of_its_own() -> None:
    own, heir = record(), estate()
    world = world_of(own, heir, open_vm("a", entry(1)), namespace(deleting=True))
    assert reconcile(heir, world, NOW).status is None
    assert status_of(own, world).settled == {UID: 1}


@pytest.mark.parametrize("going", [record(deleting=True), estate(Counter({(TODAY, VCPU): 1}), deleting=True)])
def test_a_record_without_sums_and_an_estate_go_at_once(going: UsageRecord) -> None:
    assert reconcile(going, world_of(going), NOW).protect is False


def test_a_record_whose_kind_is_being_deleted_waits_for_no_estate() -> None:
    going = record(Counter({(TODAY, VCPU): 5}), deleting=True)
    world = world_of(going)
    world.closed_kinds.add(UsageRecord.KIND)
    assert reconcile(going, world, NOW).protect is False
