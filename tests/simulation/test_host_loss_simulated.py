"""A host that crashes or is cut off, on the whole system in virtual time; and rules of fencing broken on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from broken import Credulous

from drover.api.host import Host
from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.control.driver import FENCE_SECONDS
from drover.control.hosthealth import GRACE_SECONDS
from drover.control.world import World
from drover.model.placement import Ledger
from drover.sim import cloud
from drover.sim.clock import START
from drover.sim.rest import unrest
from drover.sim.simulation import InvariantError, Simulation
from drover.sim.storm import Storm

VM = Key("VirtualMachine", "team-a", "vm")
CRASH, CUT_OFF, MENDED = {"type": "Crash"}, {"type": "NetworkPartition"}, {"type": "None"}


class Loss:
    """Three hosts in real time and one VM, running for a minute."""

    def __init__(self, make_world: Callable[[], World] = World, **spec: Any) -> None:
        self.sim = Simulation(1, make_world=make_world)
        wanted = {"flavorRef": {"name": "small"}, "imageRef": {"name": "blank"}, **spec}
        vm = cloud.manifest(VM.kind, VM.name, wanted, VM.namespace)
        for raw in (cloud.pool("a", 3, 1, "1"), cloud.flavor("small"), cloud.image("blank", "team-a"), vm):
            self.sim.store.create(raw, self.sim.now)
        self.sim.start()
        self.sim.run_until(START + timedelta(minutes=2))
        self.source = Key(Host.KIND, "", str(self.vm.status.host_name))
        self.before = self.vm.status

    @property
    def vm(self) -> VirtualMachine:
        found = self.sim.store.get(VM)
        assert isinstance(found, VirtualMachine)
        return found

    @property
    def host(self) -> Host:
        found = self.sim.store.get(self.source)
        assert isinstance(found, Host)
        return found

    def strike(self, fault: Mapping[str, str]) -> None:
        self.sim.store.patch(self.source, {"spec": {"fault": fault}})

    def run(self, seconds: float) -> None:
        self.sim.run_until(self.sim.now + timedelta(seconds=seconds))

    def since(self, type_: str) -> datetime:
        found = self.host.status.condition(type_)
        assert found is not None
        return found.last_transition_time

    def step_until(self, holds: Callable[[], bool]) -> None:
        for _ in range(1_000):
            if holds():
                return
            self.sim.step()
        raise AssertionError("it never was so")


def phases(loss: Loss) -> list[str]:
    """Phases of the VM since it first ran."""
    told = [moment.phase for moment in loss.vm.status.phase_transitions]
    return told[told.index("Running") :]


def test_a_crash_is_fenced_before_the_vm_boots_elsewhere() -> None:
    loss = Loss()
    loss.strike(CRASH)
    loss.run(60)
    assert loss.since("Fenced") - loss.since("Ready") == timedelta(seconds=FENCE_SECONDS)
    assert phases(loss) == ["Running", "Unknown", "Starting", "Running"]
    started = loss.vm.status.phase_transitions[-2].at
    assert loss.since("Fenced") <= started < loss.since("Fenced") + timedelta(seconds=1)
    assert loss.vm.status.host_name != loss.source.name
    assert loss.vm.status.host_failures == (loss.since("Ready"),)
    loss.strike(MENDED)
    loss.run(600)
    assert loss.host.status.condition("Fenced") is None
    assert unrest(loss.sim.store) == []


def test_a_partition_that_heals_in_time_costs_no_boot_and_no_gap_in_usage() -> None:
    loss = Loss()
    loss.strike(CUT_OFF)
    loss.run(GRACE_SECONDS - 5)
    assert loss.vm.status.phase == "Unknown"
    loss.strike(MENDED)
    loss.run(60)
    after = loss.vm.status
    assert phases(loss) == ["Running", "Unknown", "Running"]
    kept = ("host_name", "usage", "boot_attempt", "restarts", "host_failures", "last_start_time")
    assert {name: getattr(after, name) for name in kept} == {name: getattr(loss.before, name) for name in kept}


@pytest.mark.parametrize("operator", ["there all the time", "away when the host is to be fenced"])
def test_a_partition_that_lasts_is_fenced_and_charged_until_that_instant(operator: str) -> None:
    loss = Loss()
    loss.strike(CUT_OFF)
    loss.run(30)
    cut_off = loss.since("Ready")
    if operator.startswith("away"):
        loss.sim.crash(0, 120.0)
    loss.run(300)
    fenced_at = cut_off + timedelta(seconds=GRACE_SECONDS + FENCE_SECONDS)
    assert loss.since("Fenced") == loss.since("Ready") == fenced_at
    assert phases(loss) == ["Running", "Unknown", "Starting", "Running"]
    usage, opened = loss.vm.status.usage, loss.before.usage
    assert usage is not None
    assert opened is not None
    assert opened.open is not None
    length = fenced_at - opened.open.since
    assert abs(usage.closed.instance_millis - length / timedelta(milliseconds=1)) <= 1


def test_the_vms_of_one_host_boot_there_again_when_that_is_what_they_wait_for() -> None:
    loss = Loss(highAvailability={"maxRestarts": 0})
    loss.strike(CRASH)
    loss.run(120)
    assert (loss.vm.status.phase, loss.vm.status.host_name) == ("Unknown", loss.source.name)
    loss.strike(MENDED)
    loss.run(60)
    assert (loss.vm.status.phase, loss.vm.status.host_name) == ("Running", loss.source.name)
    assert (loss.vm.status.boot_attempt, loss.vm.status.host_failures) == (2, ())


def crash_told_to_nobody(make_world: Callable[[], World] = World) -> Loss:
    """The operator dies when the host's death is written and no VM knows of it; before it is back, the host is."""
    loss = Loss(make_world)
    loss.strike(CRASH)
    loss.step_until(lambda: loss.host.status.phase == "Failed")
    loss.sim.crash(0, 5.0)
    loss.strike(MENDED)
    loss.run(120)
    return loss


def test_a_guest_whose_host_died_and_came_back_unnoticed_is_booted_all_the_same() -> None:
    loss = crash_told_to_nobody()
    assert phases(loss) == ["Running", "Unknown", "Starting", "Running"]
    assert loss.vm.status.boot_attempt == 2


# The same with a rule broken on purpose: a check that cannot catch it would prove nothing above.


class Hasty(Ledger):
    """Nobody has to be told anything before a host is back."""

    def claims_on(self, name: str) -> Mapping[str, Any]:
        del name
        return {}


def hasty() -> World:
    world = World()
    world.books.ledger = Hasty()
    return world


def test_a_guest_that_is_dead_and_shown_running_is_caught() -> None:
    with pytest.raises(InvariantError, match="dead for good: VirtualMachine/team-a/vm is Running"):
        crash_told_to_nobody(hasty)


@pytest.mark.parametrize("fault", [CRASH, CUT_OFF])
def test_a_restart_before_the_fence_is_caught(fault: Mapping[str, str]) -> None:
    loss = Loss(Credulous)
    loss.strike(fault)
    with pytest.raises(InvariantError, match="fenced first: VirtualMachine/team-a/vm was restarted and left"):
        loss.run(10)


def test_a_storm_catches_it_too() -> None:
    def caught(seed: int) -> str:
        try:
            Storm(seed, make_world=Credulous).run(2_000)
        except InvariantError as error:
            return str(error)
        return ""

    assert any("fenced first" in caught(seed) for seed in range(20))
