"""Every way a migration can end, in every phase: hosts lost, links cut, VMs stopped and deleted, cancels."""

from __future__ import annotations

from typing import Any

import pytest
from moves import (
    COPYING,
    SOURCE_CUT_OFF,
    SOURCE_DEAD,
    TARGET_CUT_OFF,
    TARGET_DEAD,
    TARGET_FENCED,
    judged,
    migrating,
    outcome_of,
    status_of,
    under_way,
    world,
)
from worlds import HARDWARE, NOW, condition, host, later, message, migration, placed, plan, told, vm

from drover.api.meta import AnyResource
from drover.api.migrationplan import MigrationPlan
from drover.control.driver import PullPages
from drover.control.outcome import Outcome
from drover.control.virtualmachinemigration.controller import reconcile

BARE = HARDWARE | {"nics": [{"name": "eth0", "bandwidth": "1G", "role": "Tenant"}]}
PHASES = (*COPYING, "PostCopy", "Commitment", "Commitment after PostCopy", "Activation")
EVENTS: dict[str, tuple[AnyResource, ...]] = {
    "nothing": (),
    "source crashes": (SOURCE_DEAD,),
    "source cut off": (SOURCE_CUT_OFF,),
    "target asked to crash": (host("p1-1", fault={"type": "Crash"}),),
    "target crashes": (TARGET_DEAD,),
    "target fenced": (TARGET_FENCED,),
    "target repaired": (judged("p1-1", "False", "Recovering"),),
    "target off": (judged("p1-1", "False", "PoweredOff", power_state="Off"),),
    "target cut off": (TARGET_CUT_OFF,),
    "both crash": (SOURCE_DEAD, TARGET_DEAD),
    "both crash, fenced": (SOURCE_DEAD, TARGET_FENCED),
    "source crashes, target cut off": (SOURCE_DEAD, TARGET_CUT_OFF),
    "source loses its card": (host("p1-0", hardware=BARE),),
    "target loses its card": (host("p1-1", hardware=BARE),),
    "VM deleted": (migrating(deleting=True),),
    "VM made anew": (vm(uid="second", status=placed()),),
}
ON, LOST = "goes on", "PostCopyInterrupted"
SOURCE, TARGET, LINK, GONE = "SourceHostFailed", "TargetHostFailed", "LinkFailed", "VirtualMachineDeleted"
TABLE: dict[str, tuple[str, ...]] = {
    # PreparingTarget, PreCopy, StopAndCopy, PostCopy, Commitment, Commitment after PostCopy, Activation
    "nothing": (ON, ON, ON, ON, ON, ON, ON),
    "source crashes": (SOURCE, SOURCE, SOURCE, LOST, SOURCE, ON, ON),
    "source cut off": (SOURCE, SOURCE, SOURCE, "waits", SOURCE, ON, ON),
    "target asked to crash": (TARGET, TARGET, TARGET, "waits", TARGET, ON, ON),
    "target crashes": (TARGET, TARGET, TARGET, "waits", TARGET, ON, ON),
    "target fenced": (TARGET, TARGET, TARGET, LOST, TARGET, LOST, ON),
    "target repaired": (TARGET, TARGET, TARGET, LOST, TARGET, LOST, ON),
    "target off": (TARGET, TARGET, TARGET, LOST, TARGET, LOST, ON),
    "target cut off": (TARGET, TARGET, TARGET, "waits", TARGET, ON, ON),
    "both crash": (SOURCE, SOURCE, SOURCE, "waits", SOURCE, ON, ON),
    "both crash, fenced": (SOURCE, SOURCE, SOURCE, LOST, SOURCE, LOST, ON),
    "source crashes, target cut off": (SOURCE, SOURCE, SOURCE, "waits", SOURCE, ON, ON),
    "source loses its card": (ON, LINK, LINK, LOST, ON, ON, ON),
    "target loses its card": (ON, LINK, LINK, LOST, ON, ON, ON),
    "VM deleted": (GONE, GONE, GONE, ON, GONE, ON, ON),
    "VM made anew": (GONE, GONE, GONE, GONE, GONE, GONE, ON),
}


def status_in(phase: str) -> dict[str, Any]:
    return under_way("Commitment", mode="PostCopy") if phase == "Commitment after PostCopy" else under_way(phase)


def result_of(phase: str, outcome: Outcome) -> str:
    """Why it failed; or whether it goes on: to do its work, or to wait for its VM to move."""
    if outcome.status is not None:
        after = status_of(outcome)
        assert after.phase == "Failed"
        return str(after.failure_reason)
    return ON if outcome.work or phase.startswith("Commitment") else "waits"


@pytest.mark.parametrize(("event", "expected"), TABLE.items(), ids=TABLE)
def test_what_becomes_of_a_migration_in_each_phase(event: str, expected: tuple[str, ...]) -> None:
    found = [result_of(phase, outcome_of(migration(status=status_in(phase)), *EVENTS[event])) for phase in PHASES]
    assert found == list(expected)


@pytest.mark.parametrize(
    ("phase", "event", "words"),
    [
        ("PreCopy", "source crashes", "source host p1-0 is lost; a went with it"),
        ("PreCopy", "source cut off", "source host p1-0 is out of reach; a stays on it"),
        ("StopAndCopy", "target crashes", "target host p1-1 is lost; a goes on running on p1-0"),
        ("PostCopy", "source crashes", "source host p1-0 was lost before p1-1 had all pages of a: its guest is lost"),
        (
            "PostCopy",
            "target fenced",
            "target host p1-1 is lost, and with it the guest of a, which ran there in post-copy",
        ),
        (
            "PostCopy",
            "source loses its card",
            "no Migration or Shared NIC joins p1-0 and p1-1: give their pool one; p1-1 had not all pages of a yet: "
            "its guest is lost",
        ),
    ],
)
def test_who_reads_of_a_failure_learns_where_the_guest_is(phase: str, event: str, words: str) -> None:
    assert message(outcome_of(migration(status=status_in(phase)), *EVENTS[event]), "Ready") == words


@pytest.mark.parametrize("phase", COPYING)
@pytest.mark.parametrize("seen", [placed(phase="Stopping"), placed("p1-2"), {"phase": "Stopped"}])
def test_a_guest_that_is_stopped_or_elsewhere_ends_its_migration(phase: str, seen: dict[str, Any]) -> None:
    outcome = outcome_of(migration(status=under_way(phase)), vm(status=seen), host("p1-2"))
    assert result_of(phase, outcome) == "VirtualMachineStopped"


def test_a_guest_in_post_copy_goes_on_pulling_from_where_it_was_when_its_source_is_seen_again() -> None:
    subject = migration(status=under_way("PostCopy"))
    before = outcome_of(subject).work
    assert outcome_of(subject, SOURCE_CUT_OFF).work == frozenset()
    assert outcome_of(subject).work == before
    assert all(isinstance(command, PullPages) for command in before)


# Cancelling


@pytest.mark.parametrize("asked", [{"cancel": True}, {"deleting": True}])
@pytest.mark.parametrize("phase", [None, "Pending", *COPYING])
def test_a_cancel_is_heard_while_the_guest_can_stay_where_it_is(phase: str | None, asked: dict[str, Any]) -> None:
    status = under_way(phase) if phase in COPYING else {"phase": phase} if phase else None
    outcome = outcome_of(migration(status=status, **asked))
    after = status_of(outcome)
    assert (after.phase, after.failure_reason) == ("Cancelled", "Cancelled")
    assert (after.abort_requested, after.abort_status) == (True, "Succeeded")
    assert message(outcome, "Ready") == "cancelled; a stays on p1-0"
    assert told(outcome) == ["SuccessfulAbortMigration"]


@pytest.mark.parametrize("asked", [{"cancel": True}, {"deleting": True}])
@pytest.mark.parametrize("phase", ["PostCopy", "Commitment", "Commitment after PostCopy", "Activation"])
def test_a_cancel_that_comes_too_late_is_answered_once_and_changes_nothing(phase: str, asked: dict[str, Any]) -> None:
    subject = migration(status=status_in(phase), **asked)
    outcome = outcome_of(subject)
    after = status_of(outcome)
    assert (after.phase, after.abort_requested, after.abort_status) == (subject.status.phase, True, "Failed")
    assert told(outcome) == ["FailedAbortMigration"]
    assert outcome.events[0].message == "too late to cancel: a is going over to p1-1; move it back when a-1 is over"
    assert outcome.work == outcome_of(migration(status=status_in(phase))).work


# A plan that is over


PLANNED = {"plan_name": "plan", "labels": {"drover.dev/plan-uid": "migrationplan-default-plan"}}


@pytest.mark.parametrize(
    "over",
    [
        None,
        plan(cancel=True),
        plan(deleting=True),
        plan(status={"phase": "Cancelled"}),
        plan(uid="made-anew-under-the-same-name"),
    ],
)
def test_a_plans_migration_that_has_not_begun_ends_with_its_plan(over: MigrationPlan | None) -> None:
    outcome = outcome_of(migration(**PLANNED), *([over] if over is not None else []))
    assert status_of(outcome).phase == "Cancelled"
    assert "its plan default/plan is" in message(outcome, "Ready")


def test_a_plans_migration_begins_while_its_plan_goes_on() -> None:
    assert status_of(outcome_of(migration(**PLANNED), plan(status={"phase": "Migrating"}))).phase == "PreparingTarget"


# History


def ended(number: int, **fields: Any) -> Any:
    status = {"phase": "Succeeded", "observedGeneration": 1, "endTimestamp": later(number).isoformat()}
    return migration(f"m-{number}", status=status, **fields)


def test_the_newest_five_finished_migrations_of_a_vm_that_plans_made_are_kept() -> None:
    planned = [ended(number, plan_name="plan") for number in range(7)]
    outcome = reconcile(planned[6], world(*planned), NOW)
    assert [child.resource.name for child in outcome.children] == ["m-0", "m-1"]


def test_finished_migrations_that_users_made_are_theirs_to_delete() -> None:
    own = [ended(number) for number in range(7)]
    assert reconcile(own[6], world(*own), NOW).children == ()


def test_a_time_to_live_deletes_it_so_long_after_its_end() -> None:
    over = ended(0, ttl_seconds_after_finished=60)
    assert reconcile(over, world(over), later(59)).requeue_at == later(60)
    assert reconcile(over, world(over), later(59)).children == ()
    (deleted,) = reconcile(over, world(over), later(60)).children
    assert deleted.resource == over


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
def test_what_is_over_stays_over_and_an_edit_that_comes_too_late_is_acknowledged(phase: str) -> None:
    ready = "True" if phase == "Succeeded" else "False"
    over = under_way(phase, conditions=[condition("Ready", ready, phase)])
    outcome = outcome_of(migration(cancel=True, generation=2, status=over))
    assert (status_of(outcome).phase, status_of(outcome).observed_generation) == (phase, 2)
    assert outcome.work == frozenset()
    assert reconcile(migration(deleting=True, status=over), world(), NOW) == Outcome(protect=False)


def test_a_deleted_migration_is_cancelled_first_and_then_goes() -> None:
    subject = migration(deleting=True, status=under_way("PreCopy"))
    cancelled = migration(deleting=True, status=under_way("Cancelled"))
    assert status_of(outcome_of(subject)).phase == "Cancelled"
    assert reconcile(cancelled, world(cancelled), NOW).protect is False
    assert reconcile(migration(deleting=True, finalizer=False), world(), NOW) == Outcome()


def test_a_deleted_migration_stays_until_its_vm_knows_that_its_guest_was_lost() -> None:
    interrupted = migration(deleting=True, status=under_way("Failed", failureReason="PostCopyInterrupted"))
    aware = vm(status=placed(phase="Unknown", migration={"last": "a-1", "lastResult": "Failed"}))
    assert reconcile(interrupted, world(interrupted), NOW) == Outcome()
    assert reconcile(interrupted, world(interrupted, aware), NOW) == Outcome(protect=False)


def test_the_table_is_whole() -> None:
    assert TABLE.keys() == EVENTS.keys()
