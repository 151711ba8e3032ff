"""Around the controllers of what is metered: settled entries are dropped for nothing, and nothing goes unsettled."""

from __future__ import annotations

from typing import Any

import pytest
from metering import MONTH, entry, metered_vm, open_network, open_vm, open_volume, record
from worlds import NOW, later, migration, moving, taken, vm, world_of

from drover.api.meta import AnyResource, Key
from drover.api.virtualmachine import MigrationSummary, VirtualMachine, VirtualMachineStatus
from drover.control import network as networks
from drover.control import volume as volumes
from drover.control.metering.metered import CROWD, metered
from drover.control.metering.pending import OFFERED
from drover.control.outcome import Controller, Create, Outcome

UID = "virtualmachine-default-a"


def around(resource: AnyResource, outcome: Outcome, *others: AnyResource) -> Outcome:
    """What becomes of a controller's outcome."""
    controller = metered(Controller(resource.KIND, lambda *_: outcome))
    return controller.reconcile(resource, world_of(resource, *others), later(100))


def seqs(outcome: Outcome) -> list[int]:
    assert isinstance(outcome.status, VirtualMachineStatus)
    assert outcome.status.usage is not None
    return [one.seq for one in outcome.status.usage.pending]


def changed(vm: VirtualMachine) -> Outcome:
    return Outcome(status=vm.status.model_copy(update={"restarts": 7}))


# Staying


def test_a_write_for_any_reason_drops_what_is_settled() -> None:
    one = open_vm("a", entry(1), entry(2), entry(3))
    outcome = around(one, changed(one), record(settled={UID: 2}))
    assert seqs(outcome) == [3]
    assert outcome.status is not None
    assert getattr(outcome.status, "restarts", None) == 7


def test_nothing_is_written_for_the_sake_of_what_is_settled() -> None:
    one = open_vm("a", entry(1))
    assert around(one, Outcome(), record(settled={UID: 1})) == Outcome()
    same = around(one, Outcome(status=one.status), record(settled={UID: 1}))
    assert same.status == one.status


def test_a_record_that_names_very_many_is_made_shorter_by_those_at_rest() -> None:
    one = open_vm("a", entry(1))
    others = {f"uid-{number}": 1 for number in range(CROWD)}
    assert seqs(around(one, Outcome(), record(settled={UID: 1} | others))) == []


def test_a_record_that_an_interval_needs_is_created_once() -> None:
    one = open_vm("a", entry(1))
    (child,) = around(one, Outcome()).children
    assert isinstance(child, Create)
    assert child.resource.key == Key("UsageRecord", "default", MONTH)
    assert child.resource.metadata.finalizers == ("drover.dev/protect",)
    assert around(one, Outcome(), record()).children == ()
    assert around(open_vm("a"), Outcome()) == Outcome()


# Leaving


def test_a_vm_goes_when_all_it_used_is_in_records_and_not_before() -> None:
    leaving = metered_vm("a", entry(1), entry(2), deleting=True)
    released = Outcome(protect=False)
    assert around(leaving, released, record(settled={UID: 1})) == Outcome()
    assert around(leaving, released, record(settled={UID: 2})) == released
    (child,) = around(leaving, released).children
    assert isinstance(child, Create)


def test_a_vm_waits_for_no_record_when_their_kind_is_being_deleted() -> None:
    leaving, released = metered_vm("a", entry(1), deleting=True), Outcome(protect=False)
    world = world_of(leaving)
    world.closed_kinds.add("UsageRecord")
    assert metered(Controller(leaving.KIND, lambda *_: released)).reconcile(leaving, world, NOW) == released


def test_an_interval_only_assumed_to_be_settled_holds_a_vm() -> None:
    leaving, before = metered_vm("a", entry(1), deleting=True), record()
    world = world_of(leaving, before)
    world.assume(record(settled={UID: 1}))
    controller = metered(Controller(leaving.KIND, lambda *_: Outcome(protect=False)))
    assert controller.reconcile(leaving, world, NOW).protect is None


def test_what_gathers_moves_up_before_its_vm_goes() -> None:
    entries = [entry(number) for number in range(1, OFFERED + 2)]
    leaving = metered_vm("a", *entries, deleting=True)
    outcome = around(leaving, Outcome(protect=False), record(settled={UID: OFFERED}))
    assert seqs(outcome) == [OFFERED + 1]
    assert outcome.protect is None


def test_what_never_used_anything_goes_at_once() -> None:
    leaving = vm("a", deleting=True)
    assert around(leaving, Outcome(protect=False)) == Outcome(protect=False)


@pytest.mark.parametrize(
    ("made", "controller"),
    [(open_volume(deleting=True), volumes.CONTROLLER), (open_network(deleting=True), networks.CONTROLLER)],
    ids=["volume", "network"],
)
def test_a_volume_or_network_is_charged_until_it_goes_and_goes_when_that_is_recorded(
    made: AnyResource, controller: Controller
) -> None:
    world, reconcile = world_of(made), metered(controller).reconcile
    closing = reconcile(made, world, later(10))
    assert closing.protect is None
    written = taken(world, made, closing)
    (pending,) = written.status.usage.pending
    assert written.status.usage.open is None
    assert (pending.since, pending.until) == (NOW, later(10))
    waits = reconcile(written, world, later(11))
    assert (waits.status, waits.protect) == (None, None)
    world.observe(record(settled={made.uid: pending.seq}))
    assert reconcile(written, world, later(12)).protect is False


# Migrations


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        ({"result": {"downtimeMilliseconds": 9, "durationSeconds": 3, "transferredBytes": 5_000}}, 5_000),
        ({"progress": {"processedBytes": 700}}, 700),
        ({}, 0),
    ],
    ids=["ended", "broke off", "never began"],
)
def test_what_a_migration_sent_is_charged_when_the_vm_tells_it_is_over(told: dict[str, Any], sent: int) -> None:
    move = migration("a-1", status=moving("p1-1", phase="Failed", **told))
    one = open_vm("a")
    under_way = one.status.model_copy(update={"migration": MigrationSummary(current="a-1")})
    one = one.model_copy(update={"status": under_way})
    over = Outcome(status=under_way.model_copy(update={"migration": MigrationSummary(last="a-1")}))
    outcome = around(one, over, move, record())
    assert isinstance(outcome.status, VirtualMachineStatus)
    usage = outcome.status.usage
    assert usage is not None
    assert usage.open is not None
    assert usage.closed.migration_bytes == sent
    amounts = [(row.meter, row.sku, row.state, row.amount) for one in usage.pending for row in one.amounts]
    assert amounts == ([("migration", "small", "Migrating", sent)] if sent else [])
    assert usage.open.since == (later(100) if sent else NOW)
    assert around(one, changed(one), move, record()).status == changed(one).status


# Who is woken


def test_a_record_wakes_the_objects_whose_intervals_it_has_settled() -> None:
    (watch,) = metered(Controller("VirtualMachine", lambda *_: Outcome())).watches
    before, after = record(), record(settled={UID: 1})
    world = world_of(open_vm("a", entry(1)), open_vm("b", entry(1)), after)
    assert watch.affected(before, after, world) == [Key("VirtualMachine", "default", "a")]
    assert watch.affected(after, after, world) == []
    everyone = [Key("VirtualMachine", "default", name) for name in ("a", "b")]
    assert sorted(watch.affected(after, None, world)) == everyone
    assert sorted(watch.affected(after, record(settled={UID: 1}, deleting=True), world)) == everyone
