"""The engine, driven step by step: what it writes, in which order, and what it makes of every answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from worlds import (
    NOW,
    condition,
    edited,
    flavor,
    host,
    image,
    imported,
    later,
    migration,
    moving,
    owned_by,
    placed,
    pool,
    priority_class,
    provisioned,
    vm,
    volume,
)

from drover.api.kinds import parse
from drover.api.meta import FINALIZER, AnyResource, Key, dump
from drover.api.virtualmachine import VirtualMachine
from drover.control.conditions import derive, true
from drover.control.driver import Boot, Pace, Shutdown, Simulated
from drover.control.engine import STEP_BUDGET, Engine, manifest
from drover.control.engine.patch import apply_merge_patch
from drover.control.engine.queue import BACKOFF_BASE
from drover.control.outcome import Controller, Create, Delete, Event, Outcome, PatchSpec, Watch
from drover.control.ports import (
    Completion,
    Deposed,
    Elected,
    Gone,
    Input,
    Listed,
    Observed,
    Outputs,
    Refused,
    Write,
    Written,
)
from drover.control.virtualmachine import controller as virtualmachine
from drover.control.virtualmachinemigration import controller as virtualmachinemigration
from drover.control.world import World
from drover.model.placement import NO_RESOURCES

A, B = vm("a").key, vm("b").key
IDLE = Outcome()
Decide = Callable[[Any, World, datetime], Outcome]


def becomes(phase: str, **fields: Any) -> Decide:
    """A controller that writes one phase, tells of it, and is then content."""

    def reconcile(subject: Any, _world: World, now: datetime) -> Outcome:
        status = derive(subject, now, phase=phase, verdicts=[true("Ready", "Running")], **fields)
        return Outcome(status=status, events=(Event("Started", phase),))

    return reconcile


def always(outcome: Outcome) -> Decide:
    return lambda _subject, _world, _now: outcome


def engine_of(decide: Decide, *objects: AnyResource, watches: tuple[Watch, ...] = ()) -> Engine:
    """An engine with one fake controller, of VirtualMachine, that has seen ``objects`` and leads, unfenced."""
    engine = Engine([Controller("VirtualMachine", decide, watches)], World(), fenced=False)
    engine.step([Observed(resource) for resource in objects], NOW)
    return engine


def led(decide: Decide, *objects: AnyResource, watches: tuple[Watch, ...] = ()) -> tuple[Engine, Outputs]:
    engine = engine_of(decide, *objects, watches=watches)
    return engine, engine.step([Elected(1)], NOW)


def accepted(write: Write, before: AnyResource) -> Written:
    """The API server's answer to a PATCH of this object."""
    raw = apply_merge_patch({"kind": before.KIND, **dump(before)}, write.body)
    raw["metadata"]["resourceVersion"] = str(int(before.metadata.resource_version) + 1)
    return Written(write.id, parse(raw))


def conflict(write: Write, current: AnyResource | None = None) -> Refused:
    return Refused(write.id, 409, "the object has been modified", current)


def newer(resource: AnyResource, version: int, **fields: Any) -> AnyResource:
    metadata = resource.metadata.model_copy(update={"resource_version": str(version)})
    return resource.model_copy(update={"metadata": metadata, **fields})


# Standby and leading


def test_a_standby_takes_every_observation_and_decides_nothing() -> None:
    engine = engine_of(becomes("Running"), vm())
    out = engine.step([Observed(vm("b"))], later(1))
    assert engine.world.find(B) is not None
    assert (out.writes, out.wake_at, engine.reconciles) == ([], None, 0)


def test_a_new_leader_looks_at_every_object_once() -> None:
    engine, out = led(becomes("Running"), vm("a"), vm("b"))
    assert [write.key for write in out.writes] == [A, B]
    assert engine.reconciles == 2


def test_a_write_is_a_merge_patch_with_the_version_it_was_decided_on() -> None:
    _, out = led(becomes("Running"), vm("a", resource_version="17"))
    (write,) = out.writes
    assert (write.verb, write.key, write.resource_version, write.uid) == ("status", A, "17", vm().uid)
    assert write.body["status"]["phase"] == "Running"
    assert set(write.body) == {"status"}


def test_an_unchanged_status_is_not_written() -> None:
    engine, out = led(becomes("Running"), vm())
    done = engine.step([accepted(out.writes[0], vm())], later(1))
    assert done.writes == []
    assert engine.step([Observed(newer(vm(), 0))], later(2)).writes == []


# One write in flight


def test_an_object_has_one_write_in_flight_and_is_looked_at_again_once_it_is_answered() -> None:
    phases = itertools.cycle(["Running", "Paused"])
    engine, out = led(lambda s, w, n: becomes(next(phases))(s, w, n), vm())
    (first,) = out.writes
    during = engine.step([Observed(newer(vm(labels={"x": "y"}), 1)), Observed(newer(vm(), 2))], later(1))
    assert during.writes == []
    after = engine.step([accepted(first, newer(vm(), 3))], later(2))
    assert [write.resource_version for write in after.writes] == ["4"]


def test_others_are_decided_on_with_the_write_in_flight_and_both_sides_are_claimed() -> None:
    here = placed("p1-0")
    moved = becomes("Running", host_name="p1-1")
    engine, out = led(moved, host("p1-0"), host("p1-1"), vm(status=here))
    assert engine.world.vms_on["p1-1"] == [A]
    both = [engine.world.ledger.allocated(name) for name in ("p1-0", "p1-1")]
    assert both[0] == both[1] != NO_RESOURCES
    engine.step([accepted(out.writes[0], vm(status=here))], later(1))
    assert engine.world.ledger.allocated("p1-0") == NO_RESOURCES


@pytest.mark.parametrize("code", [404, 409, 422])
def test_a_refused_write_is_forgotten_and_its_claim_given_back(code: int) -> None:
    engine, out = led(becomes("Running", host_name="p1-1"), host("p1-0"), host("p1-1"), vm(status=placed("p1-0")))
    engine.step([Refused(out.writes[0].id, code, "no")], later(0.001))
    assert engine.world.ledger.allocated("p1-1") == NO_RESOURCES
    assert engine.world.find(A) is engine.world.confirmed(A)


def test_after_a_conflict_the_object_is_decided_on_anew_from_what_it_is_now() -> None:
    engine, out = led(becomes("Running"), vm())
    now = newer(vm(), 5)
    engine.step([conflict(out.writes[0], now)], later(1))
    again = engine.step([], later(1) + BACKOFF_BASE)
    assert [write.resource_version for write in again.writes] == ["5"]


def test_a_write_refused_for_what_it_says_is_a_failure_and_is_not_repeated_at_once() -> None:
    engine, out = led(becomes("Running"), vm())
    now = NOW
    for attempt in range(4):
        refused = engine.step([Refused(out.writes[0].id, 422, "phase: unsupported")], now)
        assert refused.writes == []
        assert [(failure.key, "422" in failure.error) for failure in refused.failures] == [(A, True)]
        assert refused.wake_at == now + BACKOFF_BASE * 2**attempt
        now = refused.wake_at
        out = engine.step([], now)
        assert len(out.writes) == 1


def test_a_write_refused_because_its_namespace_is_going_is_tried_again_and_is_no_failure() -> None:
    engine, out = led(becomes("Running"), vm())
    told = "unable to create new content in namespace team-a because it is being terminated"
    refused = engine.step([Refused(out.writes[0].id, 403, told)], NOW)
    assert (refused.failures, refused.wake_at) == ([], NOW + BACKOFF_BASE)


def test_a_creation_refused_because_its_kind_is_going_is_no_failure_and_the_world_knows() -> None:
    engine, out = led(becomes("Running"), vm())
    told = "create not allowed while custom resource definition is terminating"
    refused = engine.step([Refused(out.writes[0].id, 403, told)], NOW)
    assert (refused.failures, engine.world.closed_kinds) == ([], {"VirtualMachine"})


def test_what_lets_go_of_its_owners_is_told_once() -> None:
    owned = vm(owner_references=[{"apiVersion": "v1", "kind": "Pool", "name": "p", "uid": "u"}])
    engine, out = led(lambda *_: Outcome(disown=True), owned)
    (write,) = out.writes
    assert (write.verb, write.body) == ("metadata", {"metadata": {"ownerReferences": []}})
    free = edited(newer(owned, 2), ownerReferences=[])
    assert engine.step([Written(write.id, free)], NOW).writes == []


def test_a_success_ends_the_back_off() -> None:
    phases = itertools.count()
    engine, out = led(lambda s, w, n: becomes(f"P{next(phases)}")(s, w, n), vm())
    engine.step([conflict(out.writes[0])], NOW)
    out = engine.step([], later(1))
    out = engine.step([Written(out.writes[0].id, newer(vm(), 2))], later(1))
    refused = engine.step([conflict(out.writes[0])], later(1))
    assert refused.wake_at == later(1) + BACKOFF_BASE


def test_a_write_of_an_object_that_is_gone_forgets_the_object() -> None:
    engine, out = led(becomes("Running"), vm())
    gone = engine.step([Refused(out.writes[0].id, 404, "not found")], later(1))
    assert engine.world.find(A) is None
    assert (gone.writes, gone.failures, gone.wake_at) == ([], [], None)


def test_an_answer_nobody_waits_for_is_ignored() -> None:
    engine, _ = led(always(IDLE), vm())
    out = engine.step([Written(99, newer(vm(), 9)), Refused(98, 409, "")], later(1))
    assert (out.writes, out.failures) == ([], [])


# Finalizer, status, finalizer


def test_the_finalizer_is_written_before_the_status_and_removed_after_it() -> None:
    def reconcile(subject: Any, world: World, now: datetime) -> Outcome:
        if FINALIZER not in subject.metadata.finalizers:
            return Outcome(protect=True)
        outcome = becomes("Stopped")(subject, world, now)
        return Outcome(status=outcome.status, protect=False)

    bare = vm(finalizer=False)
    engine, out = led(reconcile, bare)
    bodies = [out.writes[0].body]
    assert engine.world.vms_unplaced["Stopped"] == []
    protected = accepted(out.writes[0], bare)
    out = engine.step([protected], later(1))
    bodies.append(out.writes[0].body)
    assert protected.resource is not None
    stopped = accepted(out.writes[0], protected.resource)
    out = engine.step([stopped], later(2))
    bodies.append(out.writes[0].body)
    assert bodies[0] == {"metadata": {"finalizers": [FINALIZER]}}
    assert bodies[1]["status"]["phase"] == "Stopped"
    assert bodies[2] == {"metadata": {"finalizers": []}}


def test_finalizers_of_others_are_kept() -> None:
    theirs = "example.com/theirs"

    def finalized(*names: str) -> AnyResource:
        return vm().model_copy(update={"metadata": vm().metadata.model_copy(update={"finalizers": names})})

    _, out = led(always(Outcome(protect=True)), finalized(theirs))
    assert out.writes[0].body == {"metadata": {"finalizers": [theirs, FINALIZER]}}
    _, out = led(always(Outcome(protect=False)), finalized(theirs, FINALIZER))
    assert out.writes[0].body == {"metadata": {"finalizers": [theirs]}}


def test_an_object_whose_last_finalizer_we_removed_is_gone_without_waiting_for_the_watch() -> None:
    going = vm(deleting=True)
    engine, out = led(always(Outcome(protect=False)), going)
    engine.step([accepted(out.writes[0], going)], later(1))
    assert engine.world.find(A) is None
    engine.step([Observed(newer(going, 2))], later(2))
    assert engine.world.find(A) is None, "a watch event that lags does not bring it back"


# Events


def test_events_are_told_once_the_write_they_belong_to_has_succeeded() -> None:
    engine, out = led(becomes("Running"), vm())
    assert out.events == []
    done = engine.step([accepted(out.writes[0], vm())], later(1))
    assert [(event.reason, event.regarding.name) for event in done.events] == [("Started", "a")]


def test_events_of_a_refused_write_are_never_told() -> None:
    engine, out = led(becomes("Running"), vm())
    assert engine.step([conflict(out.writes[0])], later(0.01)).events == []


def test_events_without_a_write_are_told_at_once_and_not_again() -> None:
    engine, out = led(always(Outcome(events=(Event("DeletionBlocked", "in use"),))), vm())
    assert [event.reason for event in out.events] == ["DeletionBlocked"]
    assert engine.step([Observed(newer(vm(), 2))], later(1)).events == []


# Driver work

BOOT = Boot("a", 1, NOW, Pace())


def test_work_is_submitted_once_cancelled_when_no_longer_wanted_and_compared_by_value() -> None:
    wanted: list[frozenset[Any]] = [frozenset({BOOT})]
    engine, out = led(lambda *_: Outcome(work=wanted[0]), vm())
    assert (out.submit, out.cancel) == ([BOOT], [])
    wanted[0] = frozenset({replace(BOOT)})
    out = engine.step([Observed(newer(vm(), 2))], later(1))
    assert (out.submit, out.cancel) == ([], [])
    other = Shutdown("a", NOW, Pace())
    wanted[0] = frozenset({other})
    out = engine.step([Observed(newer(vm(), 3))], later(2))
    assert (out.submit, out.cancel) == ([other], [BOOT])


def test_a_completion_wakes_the_object_that_wanted_it_and_nobody_else() -> None:
    seen: list[tuple[str, bool]] = []

    def reconcile(subject: Any, world: World, _now: datetime) -> Outcome:
        seen.append((subject.name, world.completion(BOOT) is not None))
        return Outcome(work=frozenset({BOOT})) if subject.name == "a" else IDLE

    engine, _ = led(reconcile, vm("a"), vm("b"))
    engine.step([Completion(BOOT, later(1))], later(1))
    assert seen == [("a", False), ("b", False), ("a", True)]


def test_a_completion_of_work_nobody_wants_any_more_is_ignored() -> None:
    engine, _ = led(always(IDLE), vm())
    engine.step([Completion(BOOT, later(1))], later(1))
    assert engine.world.completion(BOOT) is None


def test_work_of_a_deleted_object_is_cancelled() -> None:
    engine, _ = led(always(Outcome(work=frozenset({BOOT}))), vm())
    assert engine.step([Gone(A, vm().uid)], later(1)).cancel == [BOOT]


def test_work_whose_consequence_met_a_conflict_is_asked_for_again() -> None:
    def reconcile(subject: Any, world: World, now: datetime) -> Outcome:
        if world.completion(BOOT) is None:
            return Outcome(work=frozenset({BOOT}))
        return becomes("Running")(subject, world, now)

    engine, _ = led(reconcile, vm())
    out = engine.step([Completion(BOOT, later(1))], later(1))
    assert out.cancel == [BOOT]
    engine.step([conflict(out.writes[0], newer(vm(), 2))], later(2))
    assert engine.step([], later(3)).submit == [BOOT]


# Timers, failures, budget


def test_a_requeue_wakes_the_engine_at_its_instant() -> None:
    engine, out = led(lambda _s, _w, now: Outcome(requeue_at=later(30)) if now < later(30) else IDLE, vm())
    assert out.wake_at == later(30)
    engine.step([], later(29))
    assert engine.reconciles == 1
    assert engine.step([], later(30)).wake_at is None
    assert engine.reconciles == 2


def test_a_reconcile_that_raises_is_a_failure_backs_off_and_others_go_on() -> None:
    def reconcile(subject: Any, world: World, now: datetime) -> Outcome:
        if subject.name == "a":
            raise KeyError("broken")
        return becomes("Running")(subject, world, now)

    engine, out = led(reconcile, vm("a"), vm("b"))
    assert [write.key for write in out.writes] == [B]
    (failure,) = out.failures
    assert failure.key == A
    assert "KeyError: 'broken'" in failure.error
    assert out.wake_at == NOW + BACKOFF_BASE
    again = engine.step([], NOW + BACKOFF_BASE)
    assert again.wake_at == NOW + 3 * BACKOFF_BASE


def test_a_step_takes_no_more_than_its_budget_and_asks_to_be_stepped_again() -> None:
    engine, out = led(always(IDLE), *(vm(f"m{n}") for n in range(STEP_BUDGET + 10)))
    assert (engine.reconciles, engine.queue_depth, out.wake_at) == (STEP_BUDGET, 10, NOW)
    assert engine.step([], NOW).wake_at is None
    assert engine.reconciles == STEP_BUDGET + 10


# Urgency


def test_what_is_more_urgent_is_decided_first_in_whatever_order_it_was_observed() -> None:
    by_priority = Controller(
        "VirtualMachine", becomes("Running"), urgency=lambda subject, world: (-world.priority(subject).value,)
    )
    engine = Engine([by_priority], World(), fenced=False)
    seen = vm("a"), vm("b", priority_class_name="urgent"), priority_class("urgent")
    out = engine.step([*map(Observed, seen), Elected(1)], NOW)
    assert [write.key for write in out.writes] == [B, A]


def test_urgent_objects_that_are_woken_in_every_step_leave_the_others_their_turn() -> None:
    decided: list[str] = []
    woken = Watch("Host", lambda _before, _after, world: world.keys("VirtualMachine"))

    def reconcile(subject: Any, _world: World, _now: datetime) -> Outcome:
        decided.append(subject.name)
        return IDLE

    last = Controller("VirtualMachine", reconcile, (woken,), lambda subject, _world: (subject.name == "last",))
    engine = Engine([last], World(), fenced=False)
    crowd = [vm(f"m{n}") for n in range(STEP_BUDGET)]
    engine.step([*map(Observed, (vm("last"), *crowd)), Elected(1)], NOW)
    assert (len(decided), "last" in decided) == (STEP_BUDGET, False)
    engine.step([Observed(host())], later(1))
    assert decided[STEP_BUDGET] == "last"
    assert len(decided) == 2 * STEP_BUDGET


# Watching others


def test_a_change_of_another_kind_wakes_those_it_concerns_gathered_where_the_watch_says_so() -> None:
    at_once = Watch("Host", lambda _b, _a, world: world.vms_on["p1-0"])
    gathered = Watch("Image", lambda _b, _a, _w: [B], after=0.5)
    engine, _ = led(always(IDLE), vm("a", status=placed("p1-0")), vm("b"), watches=(at_once, gathered))
    engine.step([Observed(host("p1-0"))], later(1))
    assert engine.reconciles == 3
    out = engine.step([Observed(image("one")), Observed(image("two"))], later(1))
    assert out.wake_at == later(1.5)
    engine.step([], later(1.5))
    assert engine.reconciles == 4


# Ghosts and stale views


def test_what_a_list_does_not_name_is_dropped_unless_it_is_newer() -> None:
    engine, _ = led(always(Outcome(work=frozenset({BOOT}))), vm("a", resource_version="5"))
    engine.step([Observed(vm("b", resource_version="20"))], later(1))
    out = engine.step([Listed("VirtualMachine", {}, 10)], later(2))
    assert engine.world.find(A) is None
    assert engine.world.find(B) is not None
    assert BOOT not in out.submit


def test_what_a_list_names_under_another_uid_is_a_ghost_too() -> None:
    engine, _ = led(always(IDLE), vm("a", resource_version="5"))
    engine.step([Listed("VirtualMachine", {A: "second"}, 10)], later(1))
    assert engine.world.find(A) is None
    engine.step(
        [Listed("VirtualMachine", {A: "second"}, 10), Observed(vm("a", uid="second", resource_version="9"))], later(2)
    )
    engine.step([Listed("VirtualMachine", {A: "second"}, 10)], later(3))
    assert engine.world.find(A) is not None


def test_the_late_response_to_a_write_does_not_bring_a_deleted_object_back() -> None:
    engine, out = led(becomes("Running"), vm())
    engine.step([Gone(A, vm().uid)], later(1))
    engine.step([accepted(out.writes[0], vm())], later(2))
    assert engine.world.find(A) is None


def test_a_namesake_made_while_a_write_is_in_flight_is_decided_on_once_that_is_answered() -> None:
    engine, out = led(becomes("Running"), vm())
    second = vm(uid="second", resource_version="7")
    assert engine.step([Gone(A, vm().uid), Observed(second)], later(1)).writes == []
    after = engine.step([Refused(out.writes[0].id, 404, "not found")], later(2))
    writes = after.writes or engine.step([], later(3)).writes
    assert [(write.uid, write.resource_version) for write in writes] == [("second", "7")]


# Children

CHILD = migration("a-1", finalizer=False, uid="", resource_version="")


def test_a_child_is_created_with_what_a_client_sends_and_only_once() -> None:
    engine, out = led(always(Outcome(children=(Create(CHILD),))), vm())
    (write,) = out.writes
    assert (write.verb, write.key, write.resource_version) == ("create", CHILD.key, None)
    assert write.body == manifest(CHILD)
    assert set(write.body) == {"apiVersion", "kind", "metadata", "spec"}
    assert engine.step([Observed(newer(vm(), 2))], later(1)).writes == []
    engine.step([Written(write.id, migration("a-1"))], later(2))
    assert engine.step([Observed(newer(vm(), 3))], later(3)).writes == []


@pytest.mark.parametrize("code", [403, 404, 409, 422])
def test_a_refused_creation_is_tried_again_after_a_back_off(code: int) -> None:
    engine, out = led(always(Outcome(children=(Create(CHILD),))), vm())
    refused = engine.step([Refused(out.writes[0].id, code, "no")], NOW)
    assert refused.writes == []
    assert refused.wake_at == NOW + BACKOFF_BASE
    again = engine.step([], NOW + BACKOFF_BASE)
    assert [(write.verb, write.key) for write in again.writes] == [("create", CHILD.key)]
    assert len(refused.failures) == (1 if code in (403, 422) else 0)


def test_a_creation_that_finds_the_child_there_already_takes_it_as_it_is() -> None:
    engine, out = led(always(Outcome(children=(Create(CHILD),))), vm())
    engine.step([Refused(out.writes[0].id, 409, "already exists", migration("a-1"))], NOW)
    assert engine.world.find(CHILD.key) is not None
    assert engine.step([], later(1)).writes == []


def test_a_childs_spec_is_patched_whatever_its_version_and_its_deletion_is_asked_for_once() -> None:
    existing = migration("a-1", resource_version="8")
    engine, out = led(always(Outcome(children=(PatchSpec(existing, {"cancel": True}),))), vm(), existing)
    (write,) = out.writes
    assert (write.verb, write.body) == ("spec", {"spec": {"cancel": True}})
    _, out = led(always(Outcome(children=(Delete(existing),))), vm(), existing)
    assert [write.verb for write in out.writes] == ["delete"]
    _, out = led(always(Outcome(children=(Delete(migration("a-1", deleting=True)),))), vm(), existing)
    assert out.writes == []
    assert engine.world.find(existing.key) is not None


def test_a_child_with_a_write_in_flight_is_seen_to_by_its_owner_afterwards() -> None:
    existing = migration("a-1", resource_version="8")
    owner = Controller("VirtualMachine", always(Outcome(children=(PatchSpec(existing, {"cancel": True}),))))
    own = Controller("VirtualMachineMigration", becomes("PreCopy"))
    engine = Engine([own, owner], World(), fenced=False)
    out = engine.step([Observed(vm()), Observed(existing), Elected(1)], NOW)
    (first,) = out.writes
    assert (first.verb, first.key) == ("status", existing.key)
    after = engine.step([accepted(first, existing)], later(1))
    assert [(write.verb, write.key) for write in after.writes] == [("spec", existing.key)]


# Leadership


def fleet(*objects: AnyResource) -> tuple[Engine, Outputs]:
    """The real controllers, fenced, over a pool with hosts that came up long ago."""
    engine = Engine([virtualmachine.CONTROLLER, virtualmachinemigration.CONTROLLER], World())
    base = [pool(), host("p1-0"), host("p1-1"), flavor(), image(status=imported())]
    engine.step([Observed(resource) for resource in (*base, *objects)], later(10_000))
    return engine, engine.step([Elected(7)], later(10_000))


def test_nothing_is_decided_before_every_fence_is_answered() -> None:
    engine, out = fleet(vm("a"), vm("b"), vm("quiet", status=placed()))
    assert {write.key.name: write.body for write in out.writes} == {
        "a": {"status": {"leaderEpoch": 7}},
        "b": {"status": {"leaderEpoch": 7}},
    }
    assert {write.resource_version for write in out.writes} == {None}
    half = engine.step([accepted(out.writes[0], vm("a"))], later(10_001))
    assert (half.writes, engine.state, engine.reconciles) == ([], "fencing", 0)
    done = engine.step([accepted(out.writes[1], vm("b"))], later(10_002))
    assert engine.state == "leading"
    assert {write.key.name for write in done.writes if "phase" in write.body["status"]} >= {"a", "b"}
    assert {write.resource_version for write in done.writes if write.key.name != "quiet"} == {"2"}


def test_an_object_that_is_gone_needs_no_fence() -> None:
    engine, out = fleet(vm("a"))
    engine.step([Refused(out.writes[0].id, 404, "not found")], later(10_001))
    assert engine.state == "leading"


def test_a_fence_that_is_refused_is_sent_again_and_nothing_is_decided_meanwhile() -> None:
    engine, out = fleet(vm("a"))
    refused = engine.step([Refused(out.writes[0].id, 403, "a webhook says no")], later(10_001))
    assert (engine.state, refused.writes) == ("fencing", []), "not in a hot loop"
    assert refused.wake_at is not None
    again = engine.step([], refused.wake_at)
    assert engine.state == "fencing"
    assert [write.body for write in again.writes] == [{"status": {"leaderEpoch": 7}}]
    engine.step([accepted(again.writes[0], vm("a"))], later(10_002))
    assert engine.state == "leading"


def test_without_anything_to_fence_a_leader_leads_at_once() -> None:
    engine, _ = fleet(vm("quiet", status=placed()))
    assert engine.state == "leading"


def test_an_epoch_is_above_every_one_that_was_ever_written() -> None:
    engine, out = fleet(vm("a", status={"leaderEpoch": 41}))
    assert engine.epoch == 42
    assert out.writes[0].body == {"status": {"leaderEpoch": 42}}


def test_claims_that_contradict_one_another_are_told_when_leadership_begins() -> None:
    big = placed(memory="60Gi")
    _, out = fleet(vm("a", status=big), vm("b", status=big))
    assert [failure.error for failure in out.failures] == ["host p1-0 is claimed above its memory"]


def test_who_is_deposed_forgets_what_is_in_flight_cancels_its_work_and_decides_nothing_more() -> None:
    engine, out = led(becomes("Running", host_name="p1-1"), host("p1-0"), host("p1-1"), vm(status=placed("p1-0")))
    gone = engine.step([Deposed()], later(1))
    assert engine.state == "standby"
    assert engine.world.find(A) is engine.world.confirmed(A)
    assert engine.world.ledger.allocated("p1-1") == NO_RESOURCES
    late = engine.step([accepted(out.writes[0], vm(status=placed("p1-0"))), Observed(newer(vm("b"), 3))], later(2))
    assert (gone.writes, late.writes, late.events, late.wake_at) == ([], [], [], None)
    working, _ = led(always(Outcome(work=frozenset({BOOT}))), vm())
    assert working.step([Deposed()], later(1)).cancel == [BOOT]


def test_who_is_deposed_in_the_step_that_elected_it_writes_nothing() -> None:
    engine = Engine([virtualmachine.CONTROLLER], World())
    out = engine.step([Observed(vm()), Elected(1), Deposed()], NOW)
    assert out.writes == []


def test_who_is_elected_again_looks_at_everything_again_with_a_higher_epoch() -> None:
    engine, out = fleet(vm("a"))
    engine.step([Deposed()], later(10_001))
    again = engine.step([Elected(8)], later(10_002))
    assert [write.body for write in again.writes] == [{"status": {"leaderEpoch": 8}}]
    engine.step([accepted(out.writes[0], vm("a"))], later(10_003))
    assert engine.state == "fencing", "the answer to the fence of the time before is none to this one"


# The real controllers, end to end


class Cloud:
    """An API server and a driver around an engine, in virtual time; ``conflicts`` says which PATCHes meet one."""

    def __init__(self, *objects: AnyResource, conflicts: frozenset[int] = frozenset()) -> None:
        self.objects: dict[Key, AnyResource] = {resource.key: resource for resource in objects}
        self.engine = Engine([virtualmachine.CONTROLLER, virtualmachinemigration.CONTROLLER], World(), fenced=False)
        self.driver = Simulated()
        self.now = NOW
        self.version = 100
        self.conflicts = conflicts
        self.patches: list[Write] = []
        self.failures: list[str] = []

    def run(self, steps: int = 300) -> None:
        inputs: list[Input] = [*(Observed(resource) for resource in self.objects.values()), Elected(1)]
        for _ in range(steps):
            out = self.engine.step(inputs, self.now)
            self.failures += [failure.error for failure in out.failures]
            for command in out.cancel:
                self.driver.cancel(command)
            for command in out.submit:
                self.driver.submit(command)
            inputs = [self.answer(write) for write in out.writes]
            if not inputs:
                due = [instant for instant in (out.wake_at, self.driver.next_due()) if instant is not None]
                if not due:
                    return
                self.now = max(self.now, min(due))
                inputs = list(self.driver.completed(self.now))

    def answer(self, write: Write) -> Input:
        self.patches.append(write)
        before = self.objects[write.key]
        if len(self.patches) in self.conflicts:
            return conflict(write, before)
        assert write.resource_version in (None, before.metadata.resource_version)
        self.version += 1
        raw = apply_merge_patch({"kind": before.KIND, **dump(before)}, write.body)
        raw["metadata"]["resourceVersion"] = str(self.version)
        self.objects[write.key] = parse(raw)
        return Written(write.id, self.objects[write.key])

    def vm(self, name: str = "a") -> VirtualMachine:
        found = self.objects[Key("VirtualMachine", "default", name)]
        assert isinstance(found, VirtualMachine)
        return found


BASE: tuple[AnyResource, ...] = (pool(), host("p1-0"), host("p1-1"), flavor(), image(status=imported()))


def test_a_new_vm_is_running_after_three_writes_and_then_nothing_is_written() -> None:
    cloud = Cloud(*BASE, vm(finalizer=False))
    cloud.run()
    assert (cloud.vm().status.phase, len(cloud.patches)) == ("Running", 3)
    assert cloud.failures == []


def test_a_vm_made_anew_waits_for_the_volume_of_its_namesake_to_go_and_then_makes_its_own() -> None:
    anew = vm(uid="anew", volumes=[{"name": "data", "template": {"size": "5Gi"}}])
    left = volume("a-data", status=provisioned(), owner_references=[owned_by(vm())], deleting=True)
    engine = Engine([virtualmachine.CONTROLLER], World(), fenced=False)
    engine.step([Observed(resource) for resource in (*BASE, anew, left)], NOW)
    (waits,) = engine.step([Elected(1)], later(10)).writes
    assert waits.body["status"]["phase"] == "Provisioning"
    assert engine.step([accepted(waits, anew)], later(10)).writes == []
    goes_on = engine.step([Gone(left.key, left.uid)], later(11)).writes
    assert ("create", left.key) in [(write.verb, write.key) for write in goes_on]


@pytest.mark.parametrize("lost", range(1, 12))
def test_a_migration_ends_well_whichever_write_meets_a_conflict(lost: int) -> None:
    move = migration(finalizer=False)
    cloud = Cloud(*BASE, vm(status=placed("p1-0")), move, conflicts=frozenset({lost}))
    cloud.run()
    assert (cloud.vm().status.phase, cloud.vm().status.host_name) == ("Running", "p1-1")
    assert cloud.objects[move.key].status.phase == "Succeeded"
    assert cloud.engine.world.ledger.allocated("p1-0") == NO_RESOURCES
    assert cloud.failures == []


def test_vms_decided_in_one_step_never_overfill_a_host() -> None:
    cloud = Cloud(
        pool(), host("p1-0"), flavor(memory={"guest": "20Gi"}), image(status=imported()), *(vm(n) for n in "abcde")
    )
    cloud.run()
    phases = [cloud.vm(name).status.phase for name in "abcde"]
    assert sorted(str(phase) for phase in phases) == ["Running", "Running", "Running", "Unschedulable", "Unschedulable"]
    assert cloud.engine.world.ledger.overcommitted() == []


def fates(cloud: Cloud) -> dict[str, str | None]:
    """The phase of each VM, by name."""
    return {key.name: resource.status.phase for key, resource in cloud.objects.items() if key.kind == "VirtualMachine"}


URGENT = {"priority_class_name": "urgent"}
TIGHT: tuple[AnyResource, ...] = (
    pool(),
    host("p1-1"),
    flavor(memory={"guest": "20Gi"}),
    flavor("giant", memory={"guest": "512Gi"}),
    image(status=imported()),
    priority_class("urgent"),
)
"""Room for three VMs, and a flavor that never fits."""


def test_room_goes_to_the_higher_priority_and_then_to_the_older() -> None:
    ages = {name: {"creation_timestamp": later(-seconds)} for name, seconds in (("old", 60), ("mid", 30), ("new", 1))}
    waiting = [vm(name, **URGENT) for name in "xy"] + [vm(name, **made) for name, made in reversed(ages.items())]
    cloud = Cloud(*TIGHT, *waiting)
    cloud.run()
    running = {name for name, phase in fates(cloud).items() if phase == "Running"}
    assert running == {"x", "y", "old"}


def test_vms_of_high_priority_that_fit_nowhere_stop_no_vm_of_lower_priority() -> None:
    giants = [vm(f"giant-{n}", flavor_ref={"name": "giant"}, **URGENT) for n in range(20)]
    cloud = Cloud(*TIGHT, *giants, *(vm(name) for name in "abc"))
    cloud.run()
    assert cloud.failures == []
    assert fates(cloud) == dict.fromkeys((giant.name for giant in giants), "Unschedulable") | dict.fromkeys(
        "abc", "Running"
    )


def test_vms_of_a_lost_host_are_restarted_by_restart_priority_and_before_any_vm_that_waits() -> None:
    conditions = [condition("Ready", "False", "HostFailed"), condition("Fenced", "True", "Fenced")]
    lost = host("p1-0", fault={"type": "Crash"}, status={"phase": "Failed", "conditions": conditions})
    order = ("Lowest", "Low", "Medium", "High", "Highest")
    vms = [vm(rank.lower(), highAvailability={"restartPriority": rank}, status=placed("p1-0")) for rank in order]
    cloud = Cloud(*TIGHT, lost, vm("waits", **URGENT), *vms)
    cloud.run()
    running = {name for name, phase in fates(cloud).items() if phase == "Running"}
    assert running == {"highest", "high", "medium"}


def test_a_halved_clock_changes_no_outcome() -> None:
    cloud = Cloud(pool(driver={"timeScale": "10"}), *BASE[1:], vm(status=placed("p1-0")), migration())
    slow = Cloud(*BASE, vm(status=placed("p1-0")), migration())
    cloud.run()
    slow.run()
    assert cloud.objects[migration().key].status.result == slow.objects[migration().key].status.result
    assert cloud.now - NOW < slow.now - NOW


def test_the_manifest_of_a_child_says_nothing_the_server_sets() -> None:
    body = manifest(migration("a-1", labels={"x": "y"}, status=moving("p1-1")))
    assert body["metadata"] == {
        "name": "a-1",
        "namespace": "default",
        "labels": {"x": "y"},
        "finalizers": [FINALIZER],
    }
    assert "status" not in body
