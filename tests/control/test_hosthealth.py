"""Hosts that crash, go out of reach, are fenced and come back."""

from __future__ import annotations

import pytest
from losses import Losses, guest, ready_of, since
from worlds import NOW, condition, edited, host, later, message, migration, moving, placed, pool, taken, vm, world_of

from drover.api.host import Host
from drover.api.meta import AnyResource
from drover.api.virtualmachine import VirtualMachine
from drover.control.driver import FENCE_SECONDS, Fence, Pace
from drover.control.host import CONTROLLER, reconcile
from drover.control.hosthealth import GRACE_SECONDS


def view(losses: Losses) -> tuple[str | None, tuple[str, str], tuple[str, str] | None]:
    """(phase, Ready, Fenced) of the host."""
    fenced = losses.host.status.condition("Fenced")
    return losses.host.status.phase, ready_of(losses.host), (fenced.status, fenced.reason) if fenced else None


FENCING, FENCED = ("False", "Fencing"), ("True", "Fenced")


def test_a_host_that_crashes_has_failed_at_once_and_is_fenced_15_seconds_later() -> None:
    losses = Losses()
    losses.strike("Crash", 10)
    assert view(losses) == ("Failed", ("False", "HostFailed"), FENCING)
    assert losses.work() == {Fence(losses.host.uid, later(10), Pace())}
    losses.at(10 + FENCE_SECONDS - 0.001)
    assert view(losses)[2] == FENCING
    losses.at(10 + FENCE_SECONDS)
    assert view(losses) == ("Failed", ("False", "HostFailed"), FENCED)
    assert losses.work() == frozenset()
    assert since(losses.host, "Ready") == later(10)
    assert [reason for reason in losses.told if reason.startswith("Host")] == ["HostFailed", "HostLost", "HostFenced"]


def test_a_host_out_of_reach_is_not_ready_for_60_seconds_then_failed_then_fenced() -> None:
    losses = Losses(guest(high_availability={"enabled": False}))
    losses.strike("NetworkPartition", 10)
    assert view(losses) == ("NotReady", ("Unknown", "NetworkPartition"), None)
    assert reconcile(losses.host, losses.world, losses.now).requeue_at == later(10 + GRACE_SECONDS)
    losses.at(10 + GRACE_SECONDS - 0.001)
    assert view(losses)[0] == "NotReady"
    losses.at(10 + GRACE_SECONDS)
    assert view(losses) == ("Failed", ("Unknown", "HostFailed"), FENCING)
    losses.at(10 + GRACE_SECONDS + FENCE_SECONDS)
    assert view(losses) == ("Failed", ("False", "HostFailed"), FENCED)
    hosts = [reason for reason in losses.told if reason.startswith("Host")]
    assert hosts == ["HostNotReady", "HostLost", "HostFailed", "HostFenced"]
    assert losses.writes["p1-0"] == 3


def test_a_fence_is_dated_by_when_it_ended_not_by_when_somebody_looked() -> None:
    losses = Losses()
    losses.strike("NetworkPartition", 10)
    losses.at(5_000)
    assert since(losses.host, "Fenced") == since(losses.host, "Ready") == later(85)


@pytest.mark.parametrize(("time_scale", "seconds"), [("0.5", 150.0), ("1", 75.0), ("50", 1.5)])
def test_the_pools_time_scale_divides_the_waiting_and_the_fence(time_scale: str, seconds: float) -> None:
    losses = Losses(time_scale=time_scale)
    losses.strike("NetworkPartition", 0)
    losses.at(seconds - 0.001)
    assert ready_of(losses.host)[0] == "Unknown"
    losses.at(seconds)
    assert since(losses.host, "Fenced") == later(seconds)


def test_a_host_that_is_switched_off_is_known_to_be_off_and_not_fenced() -> None:
    losses = Losses()
    losses.strike("Off", 10)
    assert view(losses) == ("Off", ("False", "PoweredOff"), None)
    assert losses.work() == frozenset()


def test_a_host_without_its_pool_is_fenced_too_for_nobody_manages_its_guests() -> None:
    machine = host(pool="gone")
    seen = world_of(pool(), machine)
    down = taken(seen, machine, reconcile(machine, seen, NOW))
    assert (down.status.phase, ready_of(down)) == ("NotReady", ("False", "PoolNotFound"))
    assert reconcile(down, seen, NOW).work == {Fence(machine.uid, NOW, Pace())}


@pytest.mark.parametrize("fault", ["Crash", "NetworkPartition"])
def test_repaired_before_it_is_fenced_a_host_is_ready_and_its_fence_called_off(fault: str) -> None:
    losses = Losses()
    losses.strike(fault, 0)
    losses.at(5 if fault == "Crash" else 65)
    assert view(losses)[2] == FENCING
    losses.strike("None", 70)
    assert view(losses) == ("Ready", ("True", "HostReady"), None)
    assert losses.work() == frozenset()
    assert losses.told.count("HostFenced") == 0


def test_a_fenced_host_that_is_repaired_is_fenced_no_more() -> None:
    losses = Losses()
    losses.strike("Crash", 0)
    losses.at(20)
    losses.strike("None", 30)
    assert view(losses) == ("Ready", ("True", "HostReady"), None)


def test_a_host_that_crashes_while_out_of_reach_died_then_and_its_fence_goes_on() -> None:
    losses = Losses()
    losses.strike("NetworkPartition", 0)
    losses.at(62)
    losses.strike("Crash", 65)
    assert since(losses.host, "Ready") == later(65)
    losses.at(75)
    assert since(losses.host, "Fenced") == later(75)


@pytest.mark.parametrize("died", ["Crash", "Off"])
def test_a_dead_host_that_comes_back_out_of_reach_stays_dead(died: str) -> None:
    losses = Losses()
    losses.strike(died, 10)
    losses.strike("NetworkPartition", 12)
    assert view(losses) == ("Failed", ("False", "HostFailed"), FENCING)
    assert since(losses.host, "Ready") == later(10)
    losses.at(12 + FENCE_SECONDS)
    assert view(losses)[2] == FENCED


def test_messages_name_the_field_and_the_mend() -> None:
    machine = host(fault={"type": "NetworkPartition"})
    seen = world_of(pool(), machine)
    first = reconcile(machine, seen, NOW)
    assert message(first, "Ready").endswith("its guests may run on; it is fenced from 2026-11-02T09:01:00Z on")
    machine = taken(seen, machine, first)
    assert "(spec.fault.type: NetworkPartition): set it to None" in message(
        reconcile(machine, seen, later(60)), "Ready"
    )


# Coming back


def recovering(*objects: VirtualMachine, fenced: bool = False) -> tuple[Host, list[str]]:
    """A host that died and was repaired, reconciled under these VMs; and what was told."""
    told = [condition("Ready", "False", "HostFailed", since=later(-60))]
    told += [condition("Fenced", "True", "Fenced", since=later(-45))] if fenced else []
    machine = host(status={"phase": "Failed", "conditions": told})
    seen = world_of(pool(), machine, *objects)
    outcome = reconcile(machine, seen, NOW)
    return taken(seen, machine, outcome), [event.reason for event in outcome.events]


def knowing(name: str = "a") -> VirtualMachine:
    return vm(name, status=placed(phase="Unknown", conditions=[condition("Ready", "False", "HostUnreachable")]))


UNSEEN = placed(phase="Unknown", conditions=[condition("Ready", "Unknown", "HostUnreachable")])


@pytest.mark.parametrize(
    "unaware",
    [*(guest(phase) for phase in ("Starting", "Running", "Paused", "Migrating", "Stopping")), vm(status=UNSEEN)],
    ids=lambda unaware: str(unaware.status.phase),
)
@pytest.mark.parametrize("fenced", [False, True])
def test_a_repaired_host_waits_until_its_vms_know_that_their_guests_died(unaware: VirtualMachine, fenced: bool) -> None:
    machine, told = recovering(unaware, knowing("b"), fenced=fenced)
    assert (machine.status.phase, ready_of(machine)) == ("NotReady", ("False", "Recovering"))
    assert "1 VM here must first be told" in machine.status.conditions[0].message
    assert machine.status.is_true("Fenced") == fenced
    assert told == ["HostNotReady"]


@pytest.mark.parametrize("aware", [(), (knowing(),), (vm(deleting=True, status=placed(phase="Terminating")),)])
def test_a_repaired_host_is_ready_when_all_vms_on_it_know(aware: tuple[VirtualMachine, ...]) -> None:
    assert ready_of(recovering(*aware)[0]) == ("True", "HostReady")


def test_what_a_vm_knows_and_that_it_left_count_only_when_they_are_confirmed() -> None:
    machine = host(status={"conditions": [condition("Ready", "False", "HostFailed")]})
    for after in (knowing(), vm(status=placed("p1-1", phase="Starting"))):
        before = guest()
        seen = world_of(pool(), machine, before)
        seen.assume(edited(after))
        assert reconcile(machine, seen, NOW).status.condition("Ready").reason == "Recovering"  # type: ignore[union-attr]
        seen.observe(edited(after))
        seen.settle(after.key)
        assert reconcile(machine, seen, NOW).status.is_true("Ready")  # type: ignore[union-attr]


def test_a_migration_onto_a_host_that_died_has_to_end_before_the_host_is_back() -> None:
    machine = host(status={"conditions": [condition("Ready", "False", "HostFailed")]})
    move = migration(status=moving("p1-0", source="p1-1"))
    seen = world_of(pool(), machine, vm(status=placed("p1-1")), move)
    assert reconcile(machine, seen, NOW).status.condition("Ready").reason == "Recovering"  # type: ignore[union-attr]


def test_a_vm_that_learns_that_its_guest_died_wakes_its_host_while_that_is_dead() -> None:
    machine = host(status={"conditions": [condition("Ready", "False", "HostFailed")]})

    def woken(after: VirtualMachine, *others: AnyResource) -> set[str]:
        watches = [watch for watch in CONTROLLER.watches if watch.kind == VirtualMachine.KIND]
        seen = world_of(*others, after)
        return {key.name for watch in watches for key in watch.affected(guest(), after, seen)}

    assert woken(knowing(), machine) == {"p1-0"}
    assert woken(knowing(), host()) == set()
    assert woken(vm(status=UNSEEN), machine) == set()


def test_an_unseen_host_is_taken_back_without_waiting() -> None:
    losses = Losses()
    losses.strike("NetworkPartition", 0)
    losses.edit(losses.host, fault={"type": "None"})
    assert reconcile(losses.host, losses.world, later(1)).status.is_true("Ready")  # type: ignore[union-attr]
