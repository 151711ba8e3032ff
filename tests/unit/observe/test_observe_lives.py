"""What becomes of VMs and hosts is counted once it is confirmed."""

from datetime import UTC, datetime
from typing import Any

from observed_pages import process_of
from observed_worlds import CREATED, host, vm, world_of

from drover.api.meta import AnyResource
from drover.observe.lives import Lives
from drover.observe.metrics import Metrics

NOW = datetime(2026, 11, 21, 8, 0, 30, tzinfo=UTC)
NO_REASON = {"lastTransitionTime": CREATED, "message": ""}


class Counted:
    def __init__(self, *resources: AnyResource, leads: bool = True) -> None:
        self.world = world_of()
        self.metrics = Metrics()
        Lives(self.world, lambda: leads, self.metrics, lambda: NOW)
        for resource in resources:
            self.world.observe(resource)

    def read(self, name: str, /, **labels: str) -> float | None:
        return process_of(self.metrics).value(f"drover_{name}", **labels)


def starting() -> AnyResource:
    return vm("web", "Starting", "h1")


def running(**status: Any) -> AnyResource:
    changes = [{"phase": "Starting", "at": "2026-11-21T08:00:02Z"}, {"phase": "Running", "at": "2026-11-21T08:00:07Z"}]
    return vm("web", "Running", "h1", **{"phaseTransitions": changes, **status})


FROM_TO = {"namespace": "team-a", "from": "Starting", "to": "Running"}


def test_a_transition_counts_with_the_time_since_the_vm_was_made() -> None:
    counted = Counted(starting(), running(), running())
    assert counted.read("vm_transitions_total", **FROM_TO) == 1
    assert counted.read("vm_phase_transition_duration_seconds_sum", phase="Running") == 7


def test_only_the_first_time_in_a_phase_has_a_duration() -> None:
    again = [{"phase": "Running", "at": "2026-11-21T08:00:07Z"}, {"phase": "Running", "at": "2026-11-21T09:00:07Z"}]
    counted = Counted(starting(), running(phaseTransitions=again))
    assert counted.read("vm_transitions_total", **FROM_TO) == 1
    assert counted.read("vm_phase_transition_duration_seconds_count", phase="Running") is None


def test_what_is_only_assumed_does_not_count() -> None:
    counted = Counted(starting())
    done = running()
    counted.world.assume(done)
    assert counted.read("vm_transitions_total", **FROM_TO) is None
    counted.world.observe(done)
    counted.world.settle(done.key)
    assert counted.read("vm_transitions_total", **FROM_TO) == 1


def test_a_guest_that_is_lost_counts_as_a_crash_under_its_reason() -> None:
    ready = {"type": "Ready", "status": "Unknown", "reason": "HostUnreachable", **NO_REASON}
    counted = Counted(running(), vm("web", "Unknown", "h1", conditions=[ready]))
    assert counted.read("vm_crashes_total", namespace="team-a", reason="HostUnreachable") == 1


def test_a_deletion_takes_from_the_request_until_the_vm_is_gone() -> None:
    going = running()
    asked = datetime(2026, 11, 21, 8, 0, 20, tzinfo=UTC)
    going = going.model_copy(update={"metadata": going.metadata.model_copy(update={"deletion_timestamp": asked})})
    counted = Counted(going)
    counted.world.gone(going.key, going.uid)
    assert counted.read("vm_deletion_duration_seconds_sum") == 10


def test_a_fault_counts_when_it_is_set_and_not_when_it_is_repaired() -> None:
    def with_fault(type_: str) -> AnyResource:
        found = host("h1")
        fault = found.spec.fault.model_copy(update={"type": type_})
        return found.model_copy(update={"spec": found.spec.model_copy(update={"fault": fault})})

    counted = Counted(with_fault("None"), with_fault("Crash"), with_fault("Crash"), with_fault("None"))
    assert counted.read("faults_injected_total", kind="Crash", target="Host") == 1
    assert counted.read("faults_injected_total", kind="None", target="Host") is None


def test_a_standby_counts_nothing_and_remembers_where_everything_is() -> None:
    counted = Counted(starting(), running(), leads=False)
    assert counted.read("vm_transitions_total", **FROM_TO) is None
