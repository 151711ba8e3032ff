"""The simulation is deterministic, and the shells behave as instances of an operator do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from drover.sim import cloud
from drover.sim.clock import START, Timeline
from drover.sim.lease import LEASE_DURATION, RENEW_DEADLINE, RETRY_PERIOD, Lease
from drover.sim.network import REQUEST_TIMEOUT, Weather
from drover.sim.rest import unrest
from drover.sim.simulation import Simulation
from drover.sim.storm import Storm


def small_cloud(sim: Simulation, *vms: str) -> None:
    for raw in cloud.base(sim.seed):
        sim.store.create(raw, sim.now)
    for name in vms:
        medium_vm(sim, name)


def medium_vm(sim: Simulation, name: str) -> None:
    spec = {"flavorRef": {"name": "medium"}, "imageRef": {"name": "debian"}}
    sim.store.create(cloud.manifest("VirtualMachine", name, spec, "team-a"), sim.now)


@pytest.mark.parametrize("seed", [1, 2])
def test_one_seed_gives_one_trace(seed: int) -> None:
    traces = set()
    for _ in range(2):
        storm = Storm(seed)
        storm.run(1_000)
        traces.add(storm.sim.trace.hash)
    assert len(traces) == 1


def test_two_seeds_give_two_traces() -> None:
    one, other = Storm(1), Storm(2)
    one.run(100)
    other.run(100)
    assert one.sim.trace.hash != other.sim.trace.hash


def test_a_vm_takes_three_patches_from_creation_to_running_and_an_idle_operator_writes_nothing() -> None:
    sim = Simulation(1)
    small_cloud(sim)
    sim.start()
    sim.run_until(START + timedelta(minutes=1))
    medium_vm(sim, "a")
    written: list[str] = []
    told = sim.backend.on_write
    sim.backend.on_write = lambda write, answer, changed: (
        written.append(f"{write.verb} {write.key}"),
        told(write, answer, changed),
    )[1]
    sim.run_until(START + timedelta(minutes=10))
    quiet_since = len(written)
    sim.run_until(START + timedelta(hours=2))
    assert [write for write in written if "VirtualMachine/" in write] == [
        "metadata VirtualMachine/team-a/a",
        "status VirtualMachine/team-a/a",
        "status VirtualMachine/team-a/a",
    ]
    assert len(written) == quiet_since
    assert unrest(sim.store) == []


def test_of_two_waiting_vms_the_one_of_higher_priority_gets_the_room_that_comes_free() -> None:
    sim = Simulation(1)
    pool = cloud.pool("a", 1, 1, "20")
    pool["spec"]["template"]["memory"] = "7Gi"  # room for one large VM
    image, classes = cloud.image("blank", "team-a"), (cloud.priority_class(*item) for item in cloud.PRIORITIES.items())
    for raw in (pool, cloud.flavor("large"), image, *classes):
        sim.store.create(raw, sim.now)
    sim.start()
    keys = {}
    for seconds, (name, priority) in enumerate((("first", None), ("low", "batch"), ("none", None), ("high", "urgent"))):
        sim.run_until(START + timedelta(seconds=60 + 10 * seconds))
        spec = {"flavorRef": {"name": "large"}, "imageRef": {"name": "blank"}, "priorityClassName": priority}
        made = cloud.manifest("VirtualMachine", name, {k: v for k, v in spec.items() if v}, "team-a")
        keys[name] = sim.store.create(made, sim.now).key

    def running() -> list[str]:
        sim.run_until(sim.now + timedelta(minutes=5))
        phases = {name: vm.status.phase for name, key in keys.items() if (vm := sim.store.get(key)) is not None}
        assert set(phases.values()) <= {"Running", "Unschedulable"}
        return [name for name, phase in phases.items() if phase == "Running"]

    placed = []
    while names := running():
        placed += names
        sim.store.delete(keys[names[0]], sim.now)
    assert placed == ["first", "high", "none", "low"]


def test_every_write_is_carried_out_though_half_of_all_requests_and_responses_are_lost() -> None:
    sim = Simulation(1, weather=Weather(lost_requests=0.5, lost_responses=0.5))
    small_cloud(sim, "a", "b")
    sim.start()
    assert sim.settle(idle=timedelta(minutes=10), within=timedelta(hours=2))
    assert unrest(sim.store) == []


def test_of_two_instances_the_second_leads_once_the_first_has_crashed_and_its_lease_has_run_out() -> None:
    sim = Simulation(1, instances=2)
    small_cloud(sim, "a")
    sim.start()
    sim.run_until(START + timedelta(seconds=60))
    assert [shell.leading for shell in sim.shells] == [True, False]
    sim.crash(0, seconds=3600.0)
    crashed = sim.now
    sim.run_until(crashed + LEASE_DURATION - RETRY_PERIOD * 2)
    assert not sim.shells[1].leading
    sim.run_until(crashed + LEASE_DURATION + RETRY_PERIOD)
    assert sim.shells[1].leading


def test_a_leader_that_cannot_renew_stands_down_before_another_may_lead() -> None:
    sim = Simulation(1, instances=2)
    small_cloud(sim)
    sim.start()
    sim.run_until(START + timedelta(seconds=60))
    sim.shells[0].partitioned_until = sim.now + timedelta(seconds=60)
    leaders = []
    while sim.now < START + timedelta(seconds=90) and sim.step():
        leaders.append(tuple(shell.leading for shell in sim.shells))
    assert (True, True) not in leaders
    assert list(dict.fromkeys(leaders)) == [(True, False), (False, False), (False, True)]


def test_times_leave_room_between_two_terms_and_let_a_request_outlast_one() -> None:
    assert RENEW_DEADLINE + RETRY_PERIOD < LEASE_DURATION
    assert timedelta(seconds=REQUEST_TIMEOUT) < LEASE_DURATION


def test_each_term_has_an_epoch_of_its_own_even_under_the_same_holder() -> None:
    lease = Lease()
    assert lease.acquire("a", START)
    assert not lease.acquire("b", START + LEASE_DURATION / 2)
    assert lease.renew("a", START + LEASE_DURATION / 2)
    assert not lease.renew("b", START + LEASE_DURATION)
    assert lease.acquire("a", START + LEASE_DURATION)
    assert lease.epoch == 2
    assert lease.acquire("b", START + LEASE_DURATION * 2)
    assert (lease.holder, lease.epoch) == ("b", 3)


def test_the_timeline_tells_things_in_order_of_their_time_and_then_of_their_scheduling() -> None:
    told: list[str] = []
    timeline = Timeline()
    timeline.after(2.0, "late", lambda: told.append("late"))
    timeline.after(1.0, "first", lambda: told.append("first"))
    timeline.after(1.0, "second", lambda: told.append("second"))
    timeline.at(START - timedelta(days=1), "past", lambda: told.append("past"))
    while (happening := timeline.pop()) is not None:
        happening.act()
    assert told == ["past", "first", "second", "late"]
    assert timeline.now == START + timedelta(seconds=2)
