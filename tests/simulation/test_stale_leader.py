"""A stale leader's placement that arrives late: with fencing off it claims a host twice, and the invariants say so.

The leader is cut off, and places a waiting VM on a host that is uncordoned for a moment: that write lingers. The next
leader sees the VM refused as before, so it has no reason to write it, and gives the host to another VM. Then the
partition ends and the old placement arrives, decided on the VM's present resourceVersion, unless that was fenced.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.sim import cloud
from drover.sim.clock import START
from drover.sim.network import Weather
from drover.sim.simulation import InvariantError, Simulation

SEEDS = range(10)
HOST = Key("Host", "", "a-0")
LATE, QUICK = Key("VirtualMachine", "team-a", "late"), Key("VirtualMachine", "team-a", "quick")
ROOM_FOR_ONE = {"memory": "9Gi"}


def vm(key: Key, run_strategy: str) -> dict[str, Any]:
    spec = {"flavorRef": {"name": "large"}, "imageRef": {"name": "blank"}, "runStrategy": run_strategy}
    return cloud.manifest(key.kind, key.name, spec, key.namespace)


class Handover:
    """The same few edits for every seed; the seed draws the latencies."""

    def __init__(self, seed: int, *, fenced: bool) -> None:
        self.sim = Simulation(seed, instances=2, weather=Weather(latency=0.01), fenced=fenced)
        pool = cloud.pool("a", 1, seed, "20")
        pool["spec"]["template"] |= ROOM_FOR_ONE
        for raw in (pool, cloud.flavor("large"), cloud.image("blank", "team-a")):
            self.sim.store.create(raw, self.sim.now)
        self.sim.start()

    def play(self) -> None:
        self._at(30.0, "cordon", lambda: self._cordon(True))
        for raw in (vm(LATE, "Always"), vm(QUICK, "Halted")):
            self._at(31.0, "create", partial(self.sim.store.create, raw, self.sim.now))
        self._at(60.0, "cut the leader off", self._cut_leader_off)
        self._at(60.1, "uncordon: the old leader places the waiting VM", lambda: self._cordon(False))
        self._at(62.0, "cordon", lambda: self._cordon(True))
        self._at(90.0, "uncordon", lambda: self._cordon(False))
        self._at(90.1, "start: the new leader places another", self._start_quick)
        self._at(90.2, "cordon", lambda: self._cordon(True))
        self.sim.run_until(START + timedelta(seconds=150))

    def host_of(self, key: Key) -> str | None:
        found = self.sim.store.get(key)
        assert isinstance(found, VirtualMachine)
        return found.status.host_name

    def _at(self, seconds: float, what: str, act: Callable[[], object]) -> None:
        self.sim.timeline.at(START + timedelta(seconds=seconds), what, act)

    def _cut_leader_off(self) -> None:
        (leader,) = (shell for shell in self.sim.shells if shell.leading)
        leader.partitioned_until = START + timedelta(seconds=100)

    def _cordon(self, unschedulable: bool) -> None:
        self.sim.store.patch(HOST, {"spec": {"unschedulable": unschedulable}})

    def _start_quick(self) -> None:
        self.sim.store.patch(QUICK, {"spec": {"runStrategy": "Always"}})


@pytest.mark.parametrize("seed", SEEDS)
def test_without_fencing_a_late_placement_claims_a_host_twice(seed: int) -> None:
    with pytest.raises(InvariantError, match=r"capacity: host a-0 has .* claimed by 2 VMs"):
        Handover(seed, fenced=False).play()


@pytest.mark.parametrize("seed", SEEDS)
def test_with_fencing_a_late_placement_meets_a_conflict(seed: int) -> None:
    handover = Handover(seed, fenced=True)
    handover.play()
    assert (handover.host_of(QUICK), handover.host_of(LATE)) == ("a-0", None)
