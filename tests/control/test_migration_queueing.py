"""Waiting for a turn: what a migration is told, who is woken when slots or room come free, and what that costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from checked import reconciled
from moves import DOWN, PENDING, outcome_of, running, status_of, under_way, world
from worlds import NOW, condition, host, message, migration, moving, placed, policy, pool, taken, vm, world_of

from drover.api.meta import AnyResource
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.virtualmachinemigration.controller import CONTROLLER, reconcile
from drover.control.virtualmachinemigration.queueing import next_in_line
from drover.control.world import World

ONE_SLOT = pool(migration={"parallelMigrationsPerPool": 1})
OTHER = migration("b-1", of="b", status=moving("p1-2", of="default-b"))
"""It runs out of p1-0 and holds a slot."""
OTHERS: tuple[AnyResource, ...] = (host("p1-2"), vm("b", status=placed(phase="Migrating")), OTHER)
ENDED = migration("b-1", of="b", resource_version="2", status=moving("p1-2", of="default-b", phase="Failed"))


def waiting(blocked_by: str = "ClusterLimit", message: str = "migration slots: 1/1 used; position 1") -> dict[str, Any]:
    return {"phase": "Pending", "queue": {"position": 1, "blockedBy": blocked_by, "message": message}}


def still(seen: World) -> VirtualMachineMigration:
    found = seen.find(PENDING.key)
    assert isinstance(found, VirtualMachineMigration)
    return found


# What is told


@pytest.mark.parametrize(
    ("limits", "blocked_by", "words"),
    [
        ({"parallelMigrationsPerPool": 1}, "ClusterLimit", "migration slots: 1/1 used; position 1"),
        ({"parallelOutboundMigrationsPerHost": 1}, "OutboundLimit", "outbound slots of p1-0: 1/1 used; position 1"),
    ],
)
def test_a_migration_waits_for_its_turn_and_says_for_what(limits: dict[str, int], blocked_by: str, words: str) -> None:
    outcome = outcome_of(PENDING, pool(migration=limits), running(), *OTHERS)
    status = status_of(outcome)
    assert status.phase == "Pending"
    assert status.queue is not None
    assert (status.queue.blocked_by, status.queue.position, status.queue.message) == (blocked_by, 1, words)
    assert message(outcome, "Ready") == f"waiting: {words}"


def test_a_change_of_place_alone_is_not_written() -> None:
    ahead = migration("c-1", of="c", priority="SystemCritical")
    seen = world(PENDING, ONE_SLOT, running(), *OTHERS, vm("c", status=placed()), ahead)
    assert status_of(reconciled(reconcile, PENDING, seen)).queue.position == 2  # type: ignore[union-attr]
    seen.gone(ahead.key, ahead.uid)
    assert reconciled(reconcile, still(seen), seen).status == still(seen).status
    seen.observe(pool(migration={"parallelOutboundMigrationsPerHost": 1}, resource_version="2"))
    assert status_of(reconciled(reconcile, still(seen), seen)).queue.position == 1  # type: ignore[union-attr]


def test_a_named_target_waits_for_an_inbound_slot_and_others_are_sent_elsewhere() -> None:
    limits, onto = pool(migration={"parallelInboundMigrationsPerHost": 1}), (running(), *OTHERS)
    named = status_of(outcome_of(migration(target_host_name="p1-2"), limits, *onto))
    assert named.queue is not None
    assert named.queue.message == "inbound slots of p1-2: 1/1 used; position 1"
    assert status_of(outcome_of(PENDING, limits, *onto)).target_host == "p1-1"


def test_the_more_urgent_migration_starts_first_and_age_makes_up_for_it() -> None:
    urgent = migration("b-1", of="b", priority="SystemCritical")
    others = (ONE_SLOT, vm("b", status=placed()), urgent)
    assert status_of(outcome_of(PENDING, *others)).phase == "Pending"
    assert status_of(outcome_of(urgent, *others, PENDING)).phase == "PreparingTarget"
    old = migration(creation_timestamp=NOW - timedelta(seconds=30 * 51))
    assert status_of(outcome_of(old, *others)).phase == "PreparingTarget"


def test_no_more_than_the_pools_slots_are_ever_taken() -> None:
    vms = [vm(f"m{n}", status=placed()) for n in range(6)]
    moves = [migration(f"m{n}-1", of=f"m{n}") for n in range(6)]
    seen = world(pool(migration={"parallelMigrationsPerPool": 3}), host("p1-2"), host("p1-3"), *vms, *moves)
    started = [status_of(reconciled(reconcile, move, seen)).phase for move in moves]
    assert started.count("PreparingTarget") == 2, "two out of one host"


def test_a_slot_that_is_only_about_to_be_given_back_is_taken_still() -> None:
    seen = world(PENDING, ONE_SLOT, running(), *OTHERS)
    seen.assume(ENDED)
    assert status_of(reconciled(reconcile, PENDING, seen)).phase == "Pending"
    seen.observe(ENDED)
    seen.settle(ENDED.key)
    assert status_of(reconciled(reconcile, still(seen), seen)).phase == "PreparingTarget"


def test_who_finds_no_room_holds_up_nobody_and_keeps_saying_so_while_slots_are_taken() -> None:
    status = waiting("Capacity", "no room") | {"transitionStartedAt": NOW.isoformat()}
    parked = migration(target_host_name="p1-1", priority="SystemCritical", status=status)
    full = (ONE_SLOT, host("p1-1", unschedulable=True), host("p1-2"), running(), vm("c", status=placed()))
    other = migration("c-1", of="c")
    assert status_of(outcome_of(other, *full, parked)).phase == "PreparingTarget"
    started = migration("c-1", of="c", status=moving("p1-2", of="default-c"))
    after = status_of(outcome_of(parked, *full, started))
    assert (after.queue, after.transition_started_at) == (parked.status.queue, NOW)


@pytest.mark.parametrize("held_by", ["Plan", "Window", "Policy"])
def test_who_was_held_by_others_is_told_of_the_slot_it_waits_for_then(held_by: str) -> None:
    released = migration(status=waiting(held_by, "not yet"))
    status = status_of(outcome_of(released, ONE_SLOT, running(), *OTHERS))
    assert status.queue is not None
    assert (status.queue.blocked_by, status.queue.message) == ("ClusterLimit", "migration slots: 1/1 used; position 1")


def test_a_vm_that_comes_out_of_an_earlier_move_is_waited_for() -> None:
    migrating = running(phase="Migrating")
    status = status_of(outcome_of(PENDING, migrating))
    assert (status.phase, status.queue and status.queue.message) == ("Pending", "a is Migrating, not Running yet")


# Who is woken


def woken(before: AnyResource | None, after: AnyResource | None, *others: AnyResource) -> set[str]:
    """Names of the migrations that look again after a change."""
    changed = after if after is not None else before
    assert changed is not None
    seen = world_of(*others, *([after] if after is not None else []))
    watches = [watch for watch in CONTROLLER.watches if watch.kind == changed.KIND]
    return {key.name for watch in watches for key in watch.affected(before, after, seen)}


def test_a_migration_looks_again_when_its_vm_changes() -> None:
    assert woken(vm(), running(), PENDING, migration("b-1", of="b")) == {"a-1"}


LINE = (
    ONE_SLOT,
    host(),
    running(),
    vm("c", status=placed()),
    migration(status=waiting()),
    migration("c-1", of="c", status=waiting(), creation_timestamp=NOW + timedelta(seconds=1)),
)
"""Two that wait, a-1 before c-1."""
PARKED = migration("d-1", of="d", status=waiting("Capacity", "no room"), priority="SystemMaintenance")


def test_only_who_is_next_looks_again_when_a_slot_comes_free() -> None:
    assert woken(OTHER, ENDED, *LINE) == {"a-1"}
    assert woken(OTHER, None, *LINE) == {"a-1"}
    assert woken(OTHER, OTHER, *LINE) == set()
    wider = pool(migration={"parallelMigrationsPerPool": 2}, resource_version="2")
    assert woken(ONE_SLOT, wider, *LINE) == {"a-1", "c-1"}


def test_whoever_is_next_looks_again_when_the_one_before_cannot_use_its_turn() -> None:
    line = (*LINE[:2], running(phase="Starting"), *LINE[3:])
    for cannot in (waiting("Capacity", "no room"), waiting("None", "a is Starting"), {"phase": "Cancelled"}):
        assert "c-1" in woken(migration(status=waiting()), migration(status=cannot), *line)
    assert woken(migration(status=waiting()), migration(status=under_way("PreparingTarget")), *line) == set()
    assert woken(running(), running(phase="Paused"), ONE_SLOT, host(), *LINE[3:]) == {"a-1", "c-1"}


def test_who_waits_for_room_looks_again_when_there_may_be_some_and_who_waits_for_a_slot_does_not() -> None:
    line = (*LINE, PARKED)
    gone, elsewhere = vm("e", status=placed()), vm("e", status={"phase": "Stopped"})
    assert woken(gone, elsewhere, *line) == {"d-1"}
    assert woken(gone, vm("e", status=placed(), labels={"app": "web"}), *line) == {"d-1"}
    assert woken(host(unschedulable=True), host(), *line) == {"d-1"}
    assert woken(None, host("p1-9"), *line) == {"d-1"}
    assert woken(OTHER, ENDED, *line) == {"a-1", "d-1"}


def test_who_is_held_by_its_plan_or_lacks_its_policy_looks_again_for_that_and_for_no_room() -> None:
    """A paused plan of 500 VMs would look at all of them whenever any VM of the cloud stops."""
    held = [
        migration(f"{by.lower()}-1", of=by.lower(), status=waiting(by, "no")) for by in ("Plan", "Window", "Policy")
    ]
    line = (*LINE, *held, *(vm(by, status=placed()) for by in ("plan", "window", "policy")))
    assert woken(vm("e", status=placed()), None, *line) == set()
    assert woken(None, host("p1-9"), *line) == set()
    assert woken(OTHER, ENDED, *line) == {"a-1"}
    assert woken(None, policy(), *line) == {"policy-1"}


def test_migrations_under_way_look_again_when_a_host_goes_down_but_not_for_its_counters() -> None:
    move = migration(status=under_way("PreCopy"))
    assert woken(host("p1-1"), host("p1-1", status=DOWN), move) == {"a-1"}
    assert woken(host("p1-5"), host("p1-5", status=DOWN), move) == set()
    counted = {"virtualMachines": 3, "conditions": [condition("Ready", "True", "HostReady")]}
    assert woken(host("p1-1"), host("p1-1", status=counted), move) == set()


# A long line


def test_a_long_line_is_looked_at_once_each_and_moves_up_one_at_a_time() -> None:
    number = 300
    vms = [vm(f"m{n}", status=placed(f"p1-{n % 4}")) for n in range(number)]
    moves = [migration(f"m{n}-1", of=f"m{n}", target_host_name="p1-9") for n in range(number)]
    hosts = [host(f"p1-{n}") for n in (0, 1, 2, 3, 9)]
    seen = world(pool(migration={"parallelInboundMigrationsPerHost": 2}), *hosts, *vms, *moves)
    for move in moves:
        taken(seen, move, reconcile(move, seen, NOW))
    assert next_in_line(seen) == []
    started = [move for move in moves if _of(seen, move).status.target_host]
    assert len(started) == 2
    first = _of(seen, started[0])
    over = first.model_copy(update={"status": first.status.model_copy(update={"phase": "Cancelled"})})
    seen.gone(first.key, first.uid)
    watch = next(watch for watch in CONTROLLER.watches if watch.kind == first.KIND)
    (woken_key,) = watch.affected(first, over, seen)
    following = _of(seen, next(move for move in moves if move.key == woken_key))
    assert reconcile(following, seen, NOW).status.target_host == "p1-9"  # type: ignore[union-attr]


def _of(seen: World, move: VirtualMachineMigration) -> VirtualMachineMigration:
    found = seen.find(move.key)
    assert isinstance(found, VirtualMachineMigration)
    return found
