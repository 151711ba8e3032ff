"""One live move on the whole system in virtual time, and everything that can go wrong with it, in every phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal

import pytest
from broken import Credulous, Generous, Oblivious

from drover.api.host import Host
from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.world import World
from drover.sim import cloud
from drover.sim.clock import START
from drover.sim.faults import mend_everything
from drover.sim.rest import unrest
from drover.sim.simulation import InvariantError, Simulation

TEAM = "team-a"
VM, MOVE = Key("VirtualMachine", TEAM, "vm"), Key("VirtualMachineMigration", TEAM, "move")
SMALL = {"flavorRef": {"name": "small"}, "imageRef": {"name": "blank"}}
FINAL = ("Succeeded", "Failed", "Cancelled")
Mode = Literal["pre-copy", "post-copy"]
MODELS: dict[Mode, dict[str, str]] = {
    "pre-copy": {"hotSet": "64Mi", "dirtyRate": "40Mi"},
    "post-copy": {"hotSet": "600Mi", "dirtyRate": "1500M"},
}
POLICIES: dict[Mode, dict[str, Any]] = {
    "pre-copy": {},
    "post-copy": {
        "allowPostCopy": True,
        "stallDetector": {"stallProgressTimeout": 2, "searchLocalMinima": False},
        "downtimeTuning": {"initialMs": 150, "steps": 1, "startAfterIteration": 1, "cooldownSeconds": 1},
        "maxDowntimeMs": 300,
    },
}
"""The second gives up on pre-copy within seconds."""
CRASH, CUT_OFF, MENDED = ({"fault": {"type": type_}} for type_ in ("Crash", "NetworkPartition", "None"))
IDLE, PATIENCE = timedelta(minutes=10), timedelta(hours=2)


class Course:
    """Three hosts and one VM that runs for two minutes, then is to be moved."""

    def __init__(self, mode: Mode, make_world: Callable[[], World] = World) -> None:
        self.sim = Simulation(1, make_world=make_world)
        flavor = cloud.flavor("small")
        flavor["spec"]["model"] = MODELS[mode]
        for raw in (
            cloud.pool("a", 3, 1, "1"),
            cloud.image("blank", TEAM),
            flavor,
            cloud.manifest("MigrationPolicy", "any", {"selectors": {}} | POLICIES[mode]),
        ):
            self.sim.store.create(raw, self.sim.now)
        self.create(VM.kind, VM.name, SMALL)
        self.sim.start()
        self.sim.run_until(START + timedelta(minutes=2))
        self.source = str(self.vm.status.host_name)
        self.create(MOVE.kind, MOVE.name, {"virtualMachineName": VM.name})

    def create(self, kind: str, name: str, spec: dict[str, Any]) -> None:
        self.sim.store.create(cloud.manifest(kind, name, spec, TEAM), self.sim.now)

    @property
    def vm(self) -> VirtualMachine:
        found = self.sim.store.get(VM)
        assert isinstance(found, VirtualMachine)
        return found

    @property
    def move(self) -> VirtualMachineMigration:
        found = self.sim.store.get(MOVE)
        assert isinstance(found, VirtualMachineMigration)
        return found

    @property
    def target(self) -> str:
        return str(self.move.status.target_host)

    def host(self, name: str) -> Host:
        found = self.sim.store.get(Key(Host.KIND, "", name))
        assert isinstance(found, Host)
        return found

    def until(self, phase: str) -> Course:
        return self.step_until(lambda: self.move.status.phase == phase)

    def step_until(self, holds: Callable[[], bool]) -> Course:
        for _ in range(5_000):
            if holds():
                return self
            self.sim.step()
        raise AssertionError("it never was so")

    def strike(self, host: str, spec: Mapping[str, Any]) -> None:
        self.sim.store.patch(Key(Host.KIND, "", host), {"spec": spec})

    def run(self, seconds: float) -> None:
        self.sim.run_until(self.sim.now + timedelta(seconds=seconds))

    def rest(self) -> None:
        """Everything ends, as it should, with what is broken and once it is mended."""
        for act in (lambda: None, lambda: mend_everything(self.sim)):
            act()
            self.run(1)
            assert self.sim.settle(IDLE, PATIENCE)
        assert unrest(self.sim.store) == []
        assert [failure.error for failure in self.sim.backend.failures] == []

    @property
    def end(self) -> str:
        """The final phase, or why it failed; and what the VM made of it."""
        status, vm = self.move.status, self.vm.status
        assert status.phase in FINAL
        where = "on its source" if vm.host_name == self.source else "away"
        booted = ", booted anew" if vm.boot_attempt > 1 else ""
        return f"{status.failure_reason or status.phase}: {vm.phase} {where}{booted}"


# Hosts


GONE, BACK = "Running away", "Running on its source"
HEARD = (f"SourceHostFailed: {GONE}, booted anew", f"TargetHostFailed: {BACK}")
LOST = (f"PostCopyInterrupted: {GONE}, booted anew", f"PostCopyInterrupted: {BACK}, booted anew")
MOVED = (f"Succeeded: {GONE}", f"Succeeded: {BACK}, booted anew")
"""What a move and its VM come to, if its source fails and if its target does."""
ENDS: dict[tuple[Mode, str], tuple[str, str]] = {
    ("pre-copy", "PreparingTarget"): HEARD,
    ("pre-copy", "PreCopy"): HEARD,
    ("pre-copy", "StopAndCopy"): HEARD,
    ("pre-copy", "Commitment"): MOVED,  # the VM's own write is on its way already
    ("pre-copy", "Activation"): MOVED,
    ("post-copy", "PreparingTarget"): HEARD,
    ("post-copy", "PreCopy"): HEARD,
    ("post-copy", "StopAndCopy"): LOST,  # 10 ms: it is heard of in the next phase
    ("post-copy", "PostCopy"): LOST,
    ("post-copy", "Commitment"): MOVED,
    ("post-copy", "Activation"): MOVED,
}


@pytest.mark.parametrize("fault", [CRASH, CUT_OFF], ids=["crash", "partition"])
@pytest.mark.parametrize(("mode", "phase"), ENDS)
def test_a_host_that_fails_in_any_phase_leaves_the_vm_on_one_host(
    mode: Mode, phase: str, fault: Mapping[str, Any]
) -> None:
    found = []
    for end in ("source", "target"):
        course = Course(mode).until(phase)
        course.strike(getattr(course, end), fault)
        course.rest()
        found.append(course.end)
    assert tuple(found) == ENDS[mode, phase]


@pytest.mark.parametrize("end", ["source", "target"])
def test_a_partition_in_post_copy_that_heals_in_time_costs_no_boot(end: str) -> None:
    course = Course("post-copy").until("PostCopy")
    course.strike(getattr(course, end), CUT_OFF)
    course.run(30)
    ready = course.vm.status.condition("Ready")
    assert ready is not None
    assert (course.move.status.phase, ready.status) == ("PostCopy", "Unknown")
    course.strike(getattr(course, end), MENDED)
    course.rest()
    assert course.end == f"Succeeded: {GONE}"


def test_a_target_that_crashed_in_post_copy_and_was_repaired_at_once_has_no_guest() -> None:
    course = Course("post-copy").until("PostCopy")
    course.strike(course.target, CRASH)
    course.step_until(lambda: course.host(course.target).status.phase == "Failed")
    course.sim.crash(0, 5.0)
    course.strike(course.target, MENDED)
    course.rest()
    assert course.end == LOST[1]


# The operator


@pytest.mark.parametrize("mode", list(POLICIES))
def test_a_move_is_written_at_each_phase_and_every_two_seconds_of_its_copy(mode: Mode) -> None:
    course = Course(mode)
    told, written = course.sim.backend.on_write, []
    course.sim.backend.on_write = lambda write, answer, changed: (written.append(write), told(write, answer, changed))[
        1
    ]
    course.until("Succeeded")
    began = {moment.phase: moment.at for moment in course.move.status.phase_transitions}
    reports = (began["StopAndCopy"] - began["PreCopy"]) / timedelta(seconds=2)
    assert sum(write.key == MOVE for write in written) <= 1 + len(began) + reports, "the finalizer, phases and reports"
    assert sum(write.key == VM for write in written) <= 3, "Migrating, where its guest is, moved"


@pytest.mark.parametrize("mode", list(POLICIES))
def test_an_operator_that_is_killed_at_any_step_of_a_move_ends_it_as_if_it_had_not_been(mode: Mode) -> None:
    course = Course(mode)
    began = course.sim.steps
    course.until("Succeeded")
    steps, result = course.sim.steps - began, course.move.status.result
    assert result is not None
    for step in range(steps):
        again = Course(mode)
        while again.sim.steps < began + step:
            again.sim.step()
        again.sim.crash(0, 5.0)
        again.rest()
        assert again.end == f"Succeeded: {GONE}", f"killed at step {step}"
        played = again.move.status.result
        assert played is not None
        assert played.passes == result.passes, f"killed at step {step}"


@pytest.mark.parametrize(("mode", "phase"), ENDS)
def test_an_operator_that_is_killed_as_a_phase_begins_ends_the_move_as_if_it_had_not_been(
    mode: Mode, phase: str
) -> None:
    course = Course(mode).until(phase)
    course.sim.crash(0, 5.0)
    course.rest()
    assert course.end == f"Succeeded: {GONE}"


# Users


@pytest.mark.parametrize(("mode", "phase"), ENDS)
def test_a_cancel_is_heard_until_the_guest_may_run_on_its_target(mode: Mode, phase: str) -> None:
    course = Course(mode).until(phase)
    course.sim.store.patch(MOVE, {"spec": {"cancel": True}})
    course.rest()
    heard = phase in ("PreparingTarget", "PreCopy", "StopAndCopy")
    assert course.end == (f"Cancelled: {BACK}" if heard else f"Succeeded: {GONE}")
    assert course.move.status.abort_status == ("Succeeded" if heard else "Failed")
    told = [event.reason for event in course.sim.backend.events if event.regarding.key == MOVE]
    assert ("SuccessfulAbortMigration" in told, "FailedAbortMigration" in told) == (heard, not heard)


@pytest.mark.parametrize(("mode", "phase"), ENDS)
def test_a_vm_that_is_stopped_in_any_phase_stops(mode: Mode, phase: str) -> None:
    course = Course(mode).until(phase)
    course.sim.store.patch(VM, {"spec": {"runStrategy": "Halted"}})
    course.rest()
    assert course.vm.status.phase == "Stopped"
    assert course.move.status.phase in FINAL


@pytest.mark.parametrize(("mode", "phase"), ENDS)
def test_a_vm_that_is_deleted_in_any_phase_goes_and_so_do_its_claims(mode: Mode, phase: str) -> None:
    course = Course(mode).until(phase)
    course.sim.store.delete(VM, course.sim.now, uid=course.vm.uid)
    course.rest()
    assert course.sim.store.get(VM) is None
    assert course.move.status.phase in FINAL


# The same with a rule broken on purpose: a check that cannot catch it would prove nothing above.


def test_a_target_that_is_left_before_it_is_fenced_is_caught() -> None:
    course = Course("post-copy", make_world=Credulous).until("PostCopy")
    course.strike(course.target, CRASH)
    with pytest.raises(InvariantError, match="post-copy: move left a-1, where its guest may be running still"):
        course.rest()


def test_more_moves_than_slots_are_caught() -> None:
    course = Course("pre-copy", make_world=Generous).until("PreCopy")
    for number in range(4):
        course.create("VirtualMachine", f"vm-{number}", SMALL)
        course.create("VirtualMachineMigration", f"move-{number}", {"virtualMachineName": f"vm-{number}"})
    with pytest.raises(InvariantError, match=r"slots: move-\d began beside"):
        course.rest()


def test_a_vm_that_forgets_where_its_guest_is_is_caught() -> None:
    course = Course("post-copy", make_world=Oblivious)
    with pytest.raises(InvariantError, match="post-copy: VirtualMachine/team-a/vm is Running on a-0 while"):
        course.until("Activation")
