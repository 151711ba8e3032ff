"""Many VMs that wait for the same: room goes to the oldest, and to as many as it holds."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.control.virtualmachine.watches import MAX_WOKEN
from drover.sim import cloud
from drover.sim.clock import START
from drover.sim.rest import unrest
from drover.sim.simulation import Simulation

TEAM = "team-a"
HOSTS = 10
PER_HOST = 10


def test_a_pool_that_comes_takes_the_oldest_of_more_vms_than_are_woken_at_once() -> None:
    room = HOSTS * PER_HOST
    assert room > MAX_WOKEN
    sim = Simulation(1)
    for raw in (cloud.flavor("small"), cloud.image("blank", TEAM)):
        sim.store.create(raw, sim.now)
    sim.start()
    sim.run_until(START + timedelta(minutes=1))
    # The younger half is the first by name.
    for age, names in enumerate((range(room, 2 * room), range(room))):
        for number in names:
            spec = {"flavorRef": {"name": "small"}, "imageRef": {"name": "blank"}}
            sim.store.create(cloud.manifest("VirtualMachine", f"vm-{number:04}", spec, TEAM), sim.now)
        sim.run_until(START + timedelta(minutes=2 + age))
    assert _phases(sim) == {"Unschedulable": 2 * room}
    pool = cloud.pool("a", HOSTS, 1, "20")
    pool["spec"]["template"]["memory"] = f"{PER_HOST * 1024 + 512}Mi"
    sim.store.create(pool, sim.now)
    sim.run_until(START + timedelta(minutes=20))
    assert _phases(sim) == {"Running": room, "Unschedulable": room}
    assert all(_seen(sim, number).status.phase == "Running" for number in range(room, 2 * room))
    assert unrest(sim.store) == []


def _phases(sim: Simulation) -> Counter[str | None]:
    return Counter(resource.status.phase for resource in sim.store if isinstance(resource, VirtualMachine))


def _seen(sim: Simulation, number: int) -> VirtualMachine:
    found = sim.store.get(Key("VirtualMachine", TEAM, f"vm-{number:04}"))
    assert isinstance(found, VirtualMachine)
    return found
