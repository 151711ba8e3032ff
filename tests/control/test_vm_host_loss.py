"""VMs whose host is lost: unseen, dead, fenced and restarted, or waiting for their host."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from losses import Losses, guest, ready_of, wire
from worlds import (
    NOW,
    condition,
    edited,
    flavor,
    host,
    image,
    imported,
    later,
    message,
    migration,
    moving,
    placed,
    pool,
    reasons,
    taken,
    told,
    vm,
    world_of,
)

from drover.api.host import Host
from drover.api.meta import dump
from drover.api.virtualmachine import VirtualMachine, VirtualMachineStatus
from drover.control.driver import FENCE_SECONDS, boot_seconds
from drover.control.hosthealth import GRACE_SECONDS
from drover.control.outcome import Outcome
from drover.control.virtualmachine.controller import CONTROLLER, reconcile
from drover.control.virtualmachine.losing import WINDOW_SECONDS
from drover.control.virtualmachinemigration import controller as migrations
from drover.control.world import World

DEAD = [condition("Ready", "False", "HostFailed", since=later(-30))]
FENCED = [*DEAD, condition("Fenced", "True", "Fenced", since=later(-15))]
WITH_A_GUEST = ("Starting", "Running", "Paused", "Migrating", "Stopping")
HALTED = {"run_strategy": "Halted"}
NO_HA = {"high_availability": {"enabled": False}}


def outcome_of(losses: Losses) -> tuple[str | None, str | None, tuple[str, str]]:
    """(phase, host, Ready) of the VM."""
    return losses.vm.status.phase, losses.vm.status.host_name, ready_of(losses.vm)


UNSEEN = ("Unknown", "p1-0", ("Unknown", "HostUnreachable"))
WAITS = ("Unknown", "p1-0", ("False", "HostUnreachable"))
ELSEWHERE = ("Starting", "p1-1", ("False", "Starting"))
BOOTS = ("Starting", "p1-0", ("False", "Starting"))
RUNS = ("Running", "p1-0", ("True", "Running"))
STOPS = ("Stopping", "p1-0", ("False", "Stopping"))
FAILED = ("Failed", None, ("False", "Failed"))
STOPPED = ("Stopped", None, ("True", "Stopped"))
DECLARED: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "Always": ({}, ELSEWHERE, BOOTS),
    "Always without HA": (NO_HA, WAITS, BOOTS),
    "RerunOnFailure": ({"run_strategy": "RerunOnFailure"}, ELSEWHERE, BOOTS),
    "RerunOnFailure without HA": ({"run_strategy": "RerunOnFailure"} | NO_HA, WAITS, BOOTS),
    "Manual": ({"run_strategy": "Manual"}, ELSEWHERE, BOOTS),
    "Manual without HA": ({"run_strategy": "Manual"} | NO_HA, WAITS, BOOTS),
    "Once": ({"run_strategy": "Once"}, FAILED, FAILED),
    "Once without HA": ({"run_strategy": "Once"} | NO_HA, FAILED, FAILED),
    "Halted": (HALTED, STOPPED, STOPPED),
    "Halted without HA": (HALTED | NO_HA, STOPPED, STOPPED),
}
"""What is declared; what becomes of the VM once its host is fenced; and where the host is repaired before that."""
DECLARATIONS = pytest.mark.parametrize("declared", DECLARED)


@DECLARATIONS
def test_the_guest_of_a_crashed_host_is_dead_at_once_and_goes_elsewhere_when_the_host_is_fenced(declared: str) -> None:
    fields, after, _ = DECLARED[declared]
    losses = Losses(guest(**fields))
    losses.strike("Crash", 10)
    assert outcome_of(losses) == WAITS
    losses.at(10 + FENCE_SECONDS - 0.001)
    assert outcome_of(losses) == WAITS
    losses.at(10 + FENCE_SECONDS)
    assert outcome_of(losses) == after


@DECLARATIONS
def test_the_guest_of_a_host_out_of_reach_is_unseen_until_the_host_is_fenced_and_goes_elsewhere_then(
    declared: str,
) -> None:
    fields, after, _ = DECLARED[declared]
    losses = Losses(guest(**fields))
    losses.strike("NetworkPartition", 10)
    assert outcome_of(losses) == UNSEEN
    for seconds in (10 + GRACE_SECONDS, 10 + GRACE_SECONDS + FENCE_SECONDS - 0.001):
        losses.at(seconds)
        assert outcome_of(losses) == UNSEEN
    losses.at(10 + GRACE_SECONDS + FENCE_SECONDS)
    assert outcome_of(losses) == after


@DECLARATIONS
def test_a_host_that_is_switched_off_is_left_at_once(declared: str) -> None:
    fields, after, _ = DECLARED[declared]
    losses = Losses(guest(**fields))
    losses.strike("Off", 10)
    assert outcome_of(losses) == after
    assert losses.vm.status.host_failures == ()


@DECLARATIONS
def test_on_a_crashed_host_that_is_repaired_before_it_is_fenced_the_guest_boots_again(declared: str) -> None:
    fields, _, after = DECLARED[declared]
    losses = Losses(guest(**fields))
    losses.strike("Crash", 10)
    losses.strike("None", 20)
    assert outcome_of(losses) == after
    if after == BOOTS:
        assert (losses.vm.status.boot_attempt, losses.vm.status.restarts) == (2, 1)
        assert losses.told[-1] == "Restarted"


@DECLARATIONS
@pytest.mark.parametrize("healed", [10 + GRACE_SECONDS - 1, 10 + GRACE_SECONDS + FENCE_SECONDS - 1])
def test_on_a_host_that_is_seen_again_before_it_is_fenced_the_guest_has_run_on(declared: str, healed: float) -> None:
    fields, *_ = DECLARED[declared]
    losses = Losses(guest(**fields))
    before = wire(losses.vm, "usage", "restarts", "bootAttempt", "lastStartTime", "hostName", "hostFailures")
    losses.strike("NetworkPartition", 10)
    losses.at(healed - 1)
    losses.strike("None", healed)
    assert outcome_of(losses) == (STOPS if declared.startswith("Halted") else RUNS)
    assert wire(losses.vm, *before) == before
    assert losses.told.count("HostLost") == 1


@DECLARATIONS
def test_a_vm_that_waits_for_its_host_boots_there_when_the_host_is_repaired_after_the_fence(declared: str) -> None:
    fields, fenced, after = DECLARED[declared]
    losses = Losses(guest(**fields))
    losses.strike("Crash", 10)
    losses.at(30)
    losses.strike("None", 40)
    if fenced == WAITS:
        assert outcome_of(losses) == after
    else:
        assert losses.vm.status.host_name != "p1-0"


# Order and number of what is written and told


def test_a_crash_is_told_in_order_and_takes_one_more_patch_than_a_restart() -> None:
    losses = Losses()
    losses.strike("Crash", 10)
    losses.at(25)
    losses.at(25 + 60)
    assert losses.told == ["HostFailed", "HostLost", "HostFenced", "Evacuated", "Scheduled", "Started"]
    assert losses.writes["a"] == 3
    phases = [moment.phase for moment in losses.vm.status.phase_transitions]
    assert phases == ["Starting", "Running", "Unknown", "Starting", "Running"]


def test_a_vm_that_meets_a_fenced_host_leaves_it_in_one_write() -> None:
    outcome = lost(guest(), FENCED)
    assert told(outcome) == ["HostLost", "Evacuated", "Scheduled"]
    assert status_of(outcome).phase == "Starting"


# Only what the API server confirms moves anybody


def seen(subject: VirtualMachine, conditions: list[dict[str, Any]], *others: Host, **fields: Any) -> World:
    """The VM on p1-0, which has these conditions, beside p1-1, which is up."""
    machine = host("p1-0", status={"conditions": conditions}, **fields)
    return world_of(pool(), machine, host("p1-1"), *others, flavor(), image(status=imported()), subject)


def lost(subject: VirtualMachine, conditions: list[dict[str, Any]], at: float = 0) -> Outcome:
    return reconcile(subject, seen(subject, conditions), later(at))


def status_of(outcome: Outcome) -> VirtualMachineStatus:
    assert isinstance(outcome.status, VirtualMachineStatus)
    return outcome.status


def test_a_fence_that_is_only_assumed_moves_nobody_and_its_confirmation_wakes_the_vm() -> None:
    subject = guest()
    world = seen(subject, DEAD)
    failed = host("p1-0")
    fenced = failed.model_copy(update={"status": host(status={"conditions": FENCED}).status})
    woken: list[str] = []
    for watch in CONTROLLER.watches:
        if watch.kind == Host.KIND:
            world.subscribe(lambda old, new, watch=watch: woken.extend(k.name for k in watch.affected(old, new, world)))  # type: ignore[misc]
    world.assume(fenced)
    assert status_of(reconcile(subject, world, NOW)).host_name == "p1-0"
    woken.clear()
    world.observe(edited(fenced))
    world.settle(failed.key)
    assert "a" in woken
    assert status_of(reconcile(subject, world, NOW)).host_name == "p1-1"


@pytest.mark.parametrize("conditions", [[], DEAD], ids=["never judged", "being repaired"])
def test_a_vm_is_not_lost_on_a_host_that_is_only_assumed_to_be_ready_yet(conditions: list[dict[str, Any]]) -> None:
    subject = guest()
    world = seen(subject, conditions)
    world.assume(host("p1-0", status={"conditions": conditions}).model_copy(update={"status": host().status}))
    assert status_of(reconcile(subject, world, NOW)).phase == "Running"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (host(), host(status={"conditions": [condition("Ready", "Unknown", "NetworkPartition")]})),
        (host(status={"conditions": [condition("Ready", "Unknown", "HostFailed")]}), host(status={"conditions": DEAD})),
        (host(status={"conditions": DEAD}), host(status={"conditions": FENCED})),
        (
            host(status={"conditions": DEAD}),
            host(status={"conditions": [condition("Ready", "False", "PoweredOff", since=later(-30))]}),
        ),
    ],
    ids=["out of reach", "dead", "fenced", "switched off"],
)
def test_a_vm_looks_again_at_each_step_of_its_hosts_loss(before: Host, after: Host) -> None:
    world = world_of(after, guest())
    watches = [watch for watch in CONTROLLER.watches if watch.kind == Host.KIND]
    assert guest().key in [key for watch in watches for key in watch.affected(before, after, world)]


# Where to


def test_a_vm_of_a_fenced_host_with_no_room_elsewhere_is_unschedulable_and_holds_no_host() -> None:
    subject = guest()
    world = seen(subject, FENCED)
    world.gone(host("p1-1").key, "")
    outcome = reconcile(subject, world, NOW)
    status = status_of(outcome)
    assert (status.phase, status.host_name, status.restarts) == ("Unschedulable", None, 1)
    assert told(outcome) == ["HostLost", "Evacuated", "FailedScheduling"]
    waiting = taken(world, subject, outcome)
    world.observe(host("p1-2"))
    assert status_of(reconcile(waiting, world, NOW)).host_name == "p1-2"


@pytest.mark.parametrize("fields", [{}, NO_HA, {"high_availability": {"max_restarts": 0}}])
def test_a_vm_whose_host_object_is_gone_starts_elsewhere_for_that_host_never_comes_back(fields: dict[str, Any]) -> None:
    subject = guest(**fields)
    world = seen(subject, DEAD)
    world.gone(host("p1-0").key, "")
    assert status_of(reconcile(subject, world, NOW)).host_name == "p1-1"


def test_a_vm_that_runs_once_says_that_it_has_to_be_created_anew_and_stays_failed() -> None:
    outcome = lost(guest(run_strategy="Once"), FENCED)
    assert reasons(outcome)["Stalled"] == ("True", "Failed")
    assert "create the VM anew" in message(outcome, "Ready")
    assert told(outcome) == ["HostLost"]


# Seen again


@pytest.mark.parametrize("phase", WITH_A_GUEST)
def test_a_vm_that_is_seen_again_is_what_it_was_before(phase: str) -> None:
    subject = guest(phase, run_strategy="Halted" if phase == "Stopping" else "Always")
    losses = Losses(subject)
    kept = ("hostName", "bootAttempt", "restarts", "lastStartTime", "transitionStartedAt", "usage")
    before = wire(subject, *kept)
    gone = condition("Ready", "Unknown", "NetworkPartition")
    unseen = taken(losses.world, subject, reconcile(subject, seen(subject, [gone]), later(1)))
    assert (unseen.status.phase, wire(unseen, *kept)) == ("Unknown", before)
    again = status_of(reconcile(unseen, losses.world, later(30)))
    assert (again.phase, wire(unseen.model_copy(update={"status": again}), *kept)) == (phase, before)


def test_a_boot_that_ended_out_of_sight_ended_when_it_would_have() -> None:
    losses = Losses(guest("Starting"))
    losses.strike("NetworkPartition", 1)
    losses.strike("None", 50)
    assert losses.vm.status.phase == "Running"
    booted = later(-1 + boot_seconds(0, losses.vm.uid, 1))
    assert abs(losses.vm.status.last_start_time - booted) < timedelta(milliseconds=1)  # type: ignore[operator]


def test_a_vm_halted_while_out_of_sight_shuts_down_when_it_is_seen_again() -> None:
    losses = Losses()
    losses.strike("NetworkPartition", 1)
    losses.edit(losses.vm, runStrategy="Halted")
    losses.at(5)
    assert outcome_of(losses) == UNSEEN
    losses.strike("None", 20)
    assert outcome_of(losses) == STOPS


def test_a_vm_that_waits_dead_does_not_come_alive_because_its_host_goes_out_of_reach() -> None:
    losses = Losses(guest(**NO_HA))
    losses.strike("Crash", 1)
    losses.at(30)
    waiting = losses.vm
    world = seen(waiting, [condition("Ready", "Unknown", "NetworkPartition")])
    assert reconcile(waiting, world, later(60)).status == waiting.status


# Usage


def intervals(losses: Losses) -> tuple[int, str, float]:
    """(vCPU-milliseconds that are closed, phase that is charged now, since so many seconds)."""
    used = losses.vm.status.usage
    assert used is not None
    assert used.open is not None
    return used.closed.vcpu_millis, used.open.phase, (used.open.since - NOW).total_seconds()


def test_a_crash_ends_usage_at_once_and_the_boot_elsewhere_begins_it_again() -> None:
    losses = Losses()
    losses.strike("Crash", 10)
    assert intervals(losses) == (2 * 10_000, "Unknown", 10)
    losses.at(30)
    assert intervals(losses) == (2 * 10_000, "Running", 30)


@pytest.mark.parametrize("fields", [{}, NO_HA])
def test_out_of_sight_usage_goes_on_until_the_instant_of_the_fence_whoever_looked_when(fields: dict[str, Any]) -> None:
    losses = Losses(guest(**fields))
    losses.strike("NetworkPartition", 10)
    losses.at(84)
    assert intervals(losses) == (0, "Running", 0)
    losses.at(400)
    assert intervals(losses)[0] == 2 * 85_000


def test_a_paused_guest_is_not_charged_more_for_being_out_of_sight() -> None:
    losses = Losses(guest("Paused"))
    losses.strike("NetworkPartition", 10)
    losses.at(400)
    assert intervals(losses)[0] == 0


# How often


def limited(most: int, *ago: float, **fields: Any) -> VirtualMachine:
    """A VM that was restarted for host failures so many seconds ago, oldest first."""
    subject = guest(high_availability={"max_restarts": most}, **fields)
    failures = tuple(later(-seconds) for seconds in ago)
    return subject.model_copy(update={"status": subject.status.model_copy(update={"host_failures": failures})})


DAY = WINDOW_SECONDS


def test_a_restart_is_counted_by_the_instant_of_the_failure_and_the_last_day_is_remembered() -> None:
    status = status_of(lost(limited(5, DAY + 1, DAY - 1, 600), FENCED))
    assert status.host_failures == (later(1 - DAY), later(-600), later(-30))
    assert status.restarts == 1


@pytest.mark.parametrize(
    ("most", "ago", "restarts"),
    [
        (5, (5, 4, 3, 2), True),
        (5, (5, 4, 3, 2, 1), False),
        (5, (DAY, 4, 3, 2, 1), True),
        (2, (5, 4, 3), False),
        (0, (), False),
        (1, (), True),
    ],
)
def test_a_vm_is_restarted_as_often_in_a_day_as_it_says(most: int, ago: tuple[float, ...], restarts: bool) -> None:
    status = status_of(lost(limited(most, *ago), FENCED))
    assert (status.phase, status.host_name) == (("Starting", "p1-1") if restarts else ("Unknown", "p1-0"))


def test_a_vm_that_has_used_up_its_restarts_says_so_and_looks_again_when_the_day_of_one_is_over() -> None:
    subject = limited(2, 30_000, 20_000, 10_000)
    outcome = lost(subject, FENCED)
    assert message(outcome, "Ready") == (
        "host p1-0 is lost; 2 of 2 restarts of the last 24 h are used: the VM restarts when the host is back or at "
        "2026-11-03T03:26:40Z, or raise spec.highAvailability.maxRestarts"
    )
    assert outcome.requeue_at == later(DAY - 20_000)
    world = seen(subject, FENCED)
    waiting = taken(world, subject, outcome)
    assert reconcile(waiting, world, later(DAY - 20_001)).status == waiting.status
    assert status_of(reconcile(waiting, world, later(DAY - 20_000))).host_name == "p1-1"


def test_a_vm_that_is_never_restarted_says_why() -> None:
    outcome = lost(limited(0), FENCED)
    assert "maxRestarts is 0" in message(outcome, "Ready")
    assert outcome.requeue_at is None


def test_raising_the_limit_restarts_the_vm() -> None:
    subject = limited(1, 100)
    world = seen(subject, FENCED)
    waiting = taken(world, subject, reconcile(subject, world, NOW))
    raised = edited(waiting, spec={"highAvailability": {"maxRestarts": 2}})
    assert status_of(reconcile(raised, world, NOW)).host_name == "p1-1"


def test_the_day_is_one_of_the_pools_model_time() -> None:
    subject = limited(1, DAY / 10 + 1)
    world = seen(subject, FENCED)
    world.observe(edited(pool(driver={"time_scale": "10"})))
    assert status_of(reconcile(subject, world, NOW)).host_name == "p1-1"


# Deletion


def deleted(conditions: list[dict[str, Any]], **fields: Any) -> tuple[VirtualMachine, World]:
    charged = guest().status.usage
    status = placed(phase="Terminating", transitionStartedAt=NOW.isoformat(), usage=dump(charged), **fields)
    subject = vm(deleting=True, status=status)
    return subject, seen(subject, conditions, fault={"type": "Crash"})


def test_a_vm_deleted_out_of_sight_holds_its_host_until_that_is_fenced() -> None:
    subject, world = deleted([condition("Ready", "Unknown", "NetworkPartition")])
    assert reconcile(subject, world, later(30)) == Outcome()


def test_a_vm_deleted_on_a_crashed_host_is_charged_no_longer_and_holds_its_host_until_that_is_fenced() -> None:
    died = [condition("Ready", "False", "HostFailed", since=later(30))]
    subject, world = deleted(died)
    held = status_of(reconcile(subject, world, later(40)))
    assert held.host_name == "p1-0"
    assert held.usage is not None
    assert held.usage.closed.vcpu_millis == 2 * 30_000
    fenced, world = deleted([*died, condition("Fenced", "True", "Fenced", since=later(45))])
    released = status_of(reconcile(fenced, world, later(60)))
    assert (released.host_name, released.usage.open) == (None, None)  # type: ignore[union-attr]
    assert released.usage is not None
    assert released.usage.closed.vcpu_millis == 2 * 30_000


# Migrations


@pytest.mark.parametrize("cut_off", ["p1-0", "p1-1"])
def test_a_migration_with_an_end_out_of_reach_fails_and_its_vm_stays_on_the_source(cut_off: str) -> None:
    mover = guest("Migrating")
    move = migration(status=moving("p1-1"))
    gone = host(cut_off, fault={"type": "NetworkPartition"})
    other = host("p1-1" if cut_off == "p1-0" else "p1-0")
    world = world_of(pool(), gone, other, flavor(), image(status=imported()), mover, move)
    outcome = migrations.reconcile(move, world, NOW)
    expected = {
        "p1-0": ("SourceHostFailed", "source host p1-0 is out of reach; a stays on it"),
        "p1-1": ("TargetHostFailed", "target host p1-1 is lost; a goes on running on p1-0"),
    }
    assert (reasons(outcome)["Ready"][1], message(outcome, "Ready")) == expected[cut_off]
