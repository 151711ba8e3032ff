"""Carrying a plan out: follow its migrations, start what may start, give up, send home, and finish."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple, cast

from drover.api.meta import Key
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import PlanMigration, PlanPhase
from drover.control.conditions import Verdict, false
from drover.control.migrationplan.children import child_of, migration_of, needs_creation
from drover.control.migrationplan.ending import finished
from drover.control.migrationplan.entries import (
    follow,
    given_up,
    has_ended,
    has_failed,
    has_moved,
    is_active,
    is_pending,
    sent_home,
)
from drover.control.migrationplan.holding import Hold, has_begun, hold_of, next_edge
from drover.control.migrationplan.starting import started
from drover.control.migrationplan.status import executing, kept, next_status, progress
from drover.control.migrationplan.telling import events_of
from drover.control.outcome import Child, Create, Outcome, PatchSpec
from drover.control.stage import named
from drover.control.world import World
from drover.control.world.claims import is_final

SHOWN_FOR_ONE = frozenset({"PreCopy", "StopAndCopy", "PostCopy", "Commitment", "Activation"})


class Course(NamedTuple):
    """Where a plan is heading."""

    kind: Literal["onward", "stop", "abort", "home"]
    """stop: what has not begun is given up. abort: what runs is cancelled as well. home: that, and what has moved
    goes back."""
    why: str = ""
    outcome: PlanPhase | None = None
    """The final phase; where it is None the entries tell."""


ONWARD = Course("onward")


def course_of(plan: MigrationPlan, entries: tuple[PlanMigration, ...], now: datetime) -> Course:
    if plan.spec.cancel:
        return Course("abort", "cancelled", "Cancelled")
    failed = [Key("VirtualMachine", e.namespace, e.virtual_machine) for e in entries if has_failed(e)]
    if failed and plan.spec.failure_policy == "Rollback":
        return Course("home", f"rollback, as {named(failed)} could not be moved", "Failed")
    if failed and plan.spec.failure_policy == "Stop":
        return Course("stop", f"stopped, as {named(failed)} could not be moved")
    window = plan.spec.window
    if window is not None and window.not_after is not None and now >= window.not_after:
        return Course("stop", "the window has closed", "Expired")
    return ONWARD


def work(plan: MigrationPlan, world: World, now: datetime) -> Outcome:
    entries = tuple(follow(plan, entry, world, now) for entry in plan.status.migrations)
    course = course_of(plan, entries, now)
    if course.kind != "onward":
        entries = tuple(_wound_up(entry, course, world) for entry in entries)
    hold = hold_of(plan, entries, world, now)
    if course.kind in ("onward", "home") and hold is None:
        entries = started(plan, entries, world, now)
    if all(map(has_ended, entries)):
        return finished(plan, world, now, entries, _outcome(course, entries), course.why)
    return _going_on(plan, world, now, entries, course, hold)


def _outcome(course: Course, entries: tuple[PlanMigration, ...]) -> PlanPhase | None:
    """A window that closes on a plan all of whose VMs have ended leaves nothing behind."""
    left = any(entry.phase == "Cancelled" for entry in entries)
    return None if course.outcome == "Expired" and not left else course.outcome


def _wound_up(entry: PlanMigration, course: Course, world: World) -> PlanMigration:
    if course.kind == "home" and has_moved(entry):
        return sent_home(entry)
    goes_on = course.kind == "home" and entry.returning
    if is_pending(entry) and not goes_on and child_of(entry, world) is None:
        return given_up(entry)
    return entry


def _going_on(
    plan: MigrationPlan,
    world: World,
    now: datetime,
    entries: tuple[PlanMigration, ...],
    course: Course,
    hold: Hold | None,
) -> Outcome:
    starts = [entry.start_timestamp for entry in entries if entry.start_timestamp is not None]
    withheld = hold is not None and any(map(is_pending, entries))
    status = next_status(
        plan,
        world,
        now,
        _phase(plan, entries, course),
        entries,
        _ready(entries, course, hold if withheld else None),
        (*kept(plan), executing(entries, hold, _EXECUTING[course.kind])),
        start_timestamp=plan.status.start_timestamp or min(starts, default=None),
        held=plan.status.held or withheld or None,
    )
    # A retry that is due already waits for a slot or for a hold to be lifted, not for a time.
    times = [entry.retry_after for entry in entries if entry.retry_after is not None and entry.retry_after > now]
    edge = next_edge(plan, entries, world, now)
    return Outcome(
        status=status,
        events=events_of(plan, status),
        children=_children(plan, entries, course, world),
        requeue_at=min([*times, *([edge] if edge is not None else [])], default=None),
    )


_EXECUTING = {"onward": "Executing", "stop": "Stopping", "abort": "Cancelling", "home": "RollingBack"}


def _ready(entries: tuple[PlanMigration, ...], course: Course, hold: Hold | None) -> Verdict:
    if course.kind != "onward":
        return false("Ready", "InProgress", f"{course.why}: {progress(entries)}")
    if hold is not None:
        return false("Ready", "Blocked", f"{progress(entries)}; nothing starts: {hold.message}")
    return false("Ready", "InProgress", progress(entries))


def _phase(plan: MigrationPlan, entries: tuple[PlanMigration, ...], course: Course) -> PlanPhase:
    if course.kind == "abort":
        return "Cancelling"
    if not any(map(is_active, entries)):
        return "Migrating" if has_begun(plan) else "Queued"
    if len(entries) == 1 and entries[0].phase in SHOWN_FOR_ONE:
        return cast(PlanPhase, entries[0].phase)
    return "Migrating"


def _children(
    plan: MigrationPlan, entries: tuple[PlanMigration, ...], course: Course, world: World
) -> tuple[Child, ...]:
    children: list[Child] = []
    for turn, entry in enumerate(entries):
        child = child_of(entry, world)
        if child is None and needs_creation(entry, world):
            children.append(Create(migration_of(plan, entry, turn)))
        elif child is not None and _is_unwanted(entry, course) and not is_final(child) and not child.spec.cancel:
            children.append(PatchSpec(child, {"cancel": True}))
    return tuple(children)


def _is_unwanted(entry: PlanMigration, course: Course) -> bool:
    match course.kind:
        case "onward":
            return False
        case "stop":
            return is_pending(entry)
        case "abort":
            return True
        case "home":
            return not entry.returning
