"""A VM whose guest runs on its migration's target already: what it waits with, and what it does if that is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from checked import reconciled, writes_anything
from moves import (
    BASE,
    PENDING,
    SOURCE_CUT_OFF,
    SOURCE_DEAD,
    TARGET_CUT_OFF,
    TARGET_DEAD,
    TARGET_FENCED,
    judged,
    migrating,
    under_way,
)
from worlds import NOW, finished, host, later, message, migration, placed, reasons, taken, told, vm, world_of

from drover.api.meta import AnyResource
from drover.api.virtualmachine import VirtualMachine, VirtualMachineStatus
from drover.control.outcome import Outcome
from drover.control.virtualmachine.controller import CONTROLLER, reconcile
from drover.control.virtualmachinemigration import controller as virtualmachinemigration
from drover.control.world import World

IN_POST_COPY = migration(status=under_way("PostCopy"))
COMMITTED = migration(status=under_way("Commitment", mode="PostCopy"))
ENDED = later(60)
INTERRUPTED = migration(
    status=under_way("Failed", failureReason="PostCopyInterrupted", endTimestamp=ENDED.isoformat(), mode=None)
)
USAGE = {
    "open": {"seq": 1, "since": NOW.isoformat(), "phase": "Running", "flavor": "small", "vcpus": 2},
    "closed": {"throughSeq": 0},
}


def subject(**fields: Any) -> VirtualMachine:
    status = placed(phase="Migrating", migration={"current": PENDING.name}, usage=USAGE)
    return vm(status=status, **fields)


def seen(own: VirtualMachine, *objects: AnyResource) -> World:
    return world_of(*{one.key: one for one in (*BASE, own, *objects)}.values())


# While it lasts


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"run_strategy": "Halted"},
        {"deleting": True},
        {"paused": True},
        {"annotations": {"drover.dev/action": "restart@1"}},
    ],
    ids=str,
)
def test_whatever_is_asked_of_it_waits_until_the_guest_is_in_one_piece(asked: dict[str, Any]) -> None:
    own = subject(**asked)
    world = seen(own, IN_POST_COPY)
    outcome = reconciled(reconcile, own, world)
    assert outcome.status is not None
    assert (outcome.status.phase, outcome.work) == ("Migrating", frozenset())
    assert reasons(outcome)["Ready"] == ("True", "Running")
    assert message(outcome, "Ready") == "guest runs on p1-1 and pulls its memory from p1-0; it cannot stop before"
    world.observe(migration(resource_version="2", status=under_way("Commitment", mode="PostCopy")))
    moved = reconcile(taken(world, own, outcome), world, later(1)).status
    assert isinstance(moved, VirtualMachineStatus)
    assert (moved.phase, moved.host_name) == ("Running", "p1-1")


@pytest.mark.parametrize("lost", [SOURCE_DEAD, SOURCE_CUT_OFF, TARGET_DEAD, TARGET_CUT_OFF])
def test_while_a_host_it_needs_is_lost_nobody_knows_of_the_guest_and_it_stays_charged(lost: AnyResource) -> None:
    outcome = reconciled(reconcile, subject(), seen(subject(), IN_POST_COPY, lost))
    assert outcome.status is not None
    assert outcome.status.phase == "Migrating"
    assert reasons(outcome)["Ready"] == ("Unknown", "HostUnreachable")
    assert f"host {lost.name} is lost" in message(outcome, "Ready")
    assert outcome.status.usage == subject().status.usage


def test_a_guest_with_all_its_memory_needs_its_source_no_more() -> None:
    outcome = reconciled(reconcile, subject(), seen(subject(), COMMITTED, SOURCE_DEAD))
    assert outcome.status is not None
    assert (outcome.status.phase, outcome.status.host_name) == ("Running", "p1-1")
    assert told(outcome) == ["Migrated"]


def test_an_interruption_that_is_only_assumed_is_not_believed() -> None:
    world = seen(subject(), IN_POST_COPY)
    world.assume(INTERRUPTED)
    assert reconcile(subject(), world, NOW).status.phase == "Migrating"  # type: ignore[union-attr]


# When it is lost


def lost(*objects: AnyResource, **fields: Any) -> tuple[World, VirtualMachine]:
    """The world, and the VM once it knows that its guest was lost."""
    own = subject(**fields)
    world = seen(own, INTERRUPTED, *objects)
    after = taken(world, own, reconcile(own, world, ENDED + timedelta(seconds=1)))
    assert after.status.phase == "Unknown"
    assert after.status.condition("Ready").status == "False"  # type: ignore[union-attr]
    assert after.status.migration is not None
    assert (after.status.migration.current, after.status.migration.last_result) == (None, "Failed")
    return world, after


def test_the_loss_is_told_and_charged_until_the_guest_died() -> None:
    own = subject()
    outcome = reconciled(reconcile, own, seen(own, INTERRUPTED), later(99), writes=2)
    assert told(outcome) == ["HostLost", "MigrationFailed"]
    assert "guest was lost in post-copy by a-1" in message(outcome, "Ready")
    assert charged_as_lost_since(outcome) == ENDED
    dead = judged("p1-1", "False", "HostFailed", since=later(20), fenced=True, fault={"type": "Crash"})
    assert charged_as_lost_since(reconcile(own, seen(own, INTERRUPTED, dead), later(99))) == later(20)


def charged_as_lost_since(outcome: Outcome) -> datetime:
    assert isinstance(outcome.status, VirtualMachineStatus)
    assert outcome.status.usage is not None
    assert outcome.status.usage.open is not None
    assert outcome.status.usage.open.phase == "Unknown"
    return outcome.status.usage.open.since


@pytest.mark.parametrize(
    ("fields", "phase"),
    [
        ({}, "Starting"),
        ({"run_strategy": "RerunOnFailure"}, "Starting"),
        ({"run_strategy": "Manual"}, "Starting"),
        ({"run_strategy": "Once"}, "Failed"),
        ({"run_strategy": "Halted"}, "Stopped"),
        ({"deleting": True}, "Terminating"),
    ],
    ids=str,
)
def test_a_vm_whose_guest_was_lost_goes_on_by_its_run_strategy_on_the_source_it_kept(
    fields: dict[str, Any], phase: str
) -> None:
    world, own = lost(TARGET_FENCED, **fields)
    outcome = reconcile(own, world, later(100))
    assert outcome.status is not None
    assert outcome.status.phase == phase
    kept = {"Starting": "p1-0", "Terminating": "p1-0"}
    assert outcome.status.host_name == kept.get(phase)
    assert outcome.status.restarts == (1 if phase == "Starting" else 0)


def test_a_source_that_is_lost_is_left_only_when_it_is_fenced() -> None:
    world, own = lost(SOURCE_DEAD)
    waits = reconcile(own, world, later(100))
    assert waits.status.phase == "Unknown"  # type: ignore[union-attr]
    assert "waiting until it is fenced or back" in message(waits, "Ready")
    fenced = judged("p1-0", "False", "HostFailed", fenced=True, fault={"type": "Crash"}, resource_version="2")
    world.observe(fenced)
    restarted = reconcile(taken(world, own, waits), world, later(120))
    assert restarted.status.phase in ("Starting", "Pending")  # type: ignore[union-attr]
    assert restarted.status.host_name in (None, "p1-1")  # type: ignore[union-attr]


def test_a_source_that_was_only_out_of_reach_does_not_bring_a_dead_guest_back() -> None:
    world, own = lost(SOURCE_CUT_OFF)
    assert not writes_anything(own, reconcile(own, world, later(100)))
    world.observe(host("p1-0", resource_version="2"))
    assert reconcile(own, world, later(110)).status.phase == "Starting"  # type: ignore[union-attr]


def test_a_deleted_vm_does_not_stay_for_ever_when_its_guest_is_lost() -> None:
    world, own = lost(TARGET_FENCED, deleting=True)
    now = later(100)
    for _ in range(6):
        outcome = reconcile(own, world, now)
        if outcome.work:
            now = finished(world, outcome)
        if outcome.protect is False:
            return
        own = taken(world, own, outcome)
    raise AssertionError("it never went")


# Both controllers together


def test_a_guest_is_lost_once_and_boots_once() -> None:
    world = seen(subject(), IN_POST_COPY, TARGET_FENCED)
    ends = virtualmachinemigration.reconcile(IN_POST_COPY, world, later(10))
    taken(world, IN_POST_COPY, ends)
    phases = []
    now = later(11)
    for _ in range(8):
        own = world.find(subject().key)
        assert isinstance(own, VirtualMachine)
        outcome = reconcile(own, world, now)
        if outcome.work:
            now = finished(world, outcome)
        if outcome.status not in (None, own.status):
            phases.append(taken(world, own, outcome).status.phase)
    assert phases == ["Unknown", "Starting", "Running"]


def test_hosts_on_both_ends_wake_the_vm() -> None:
    world = seen(migrating(), IN_POST_COPY)
    watches = [watch for watch in CONTROLLER.watches if watch.kind == "Host"]
    for end in (SOURCE_DEAD, TARGET_DEAD):
        woken = {key for watch in watches for key in watch.affected(host(end.name), end, world)}
        assert woken == {subject().key}


# What is remembered of moves


def test_moves_of_the_last_day_of_the_model_are_counted() -> None:
    known = [later(-86_401).isoformat(), later(-60).isoformat()]
    status = placed(
        phase="Migrating", migration={"current": PENDING.name, "count24h": 2, "movedAt": known}, usage=USAGE
    )
    own = vm(status=status)
    moved = reconciled(reconcile, own, seen(own, COMMITTED)).status
    assert isinstance(moved, VirtualMachineStatus)
    assert moved.migration is not None
    assert (moved.migration.count_24h, moved.migration.moved_at) == (2, (later(-60), NOW))
    failed = reconcile(own, seen(own, INTERRUPTED), NOW).status
    assert isinstance(failed, VirtualMachineStatus)
    assert failed.migration is not None
    assert (failed.migration.count_24h, failed.migration.moved_at) == (1, (later(-60),))
