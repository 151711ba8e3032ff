"""Phases that the operator writes in a storm whose users also do what other tests have no use for."""

from __future__ import annotations

from collections import defaultdict

from drover.api.flavor import Flavor
from drover.api.image import Image
from drover.api.kinds import KINDS
from drover.api.network import Network
from drover.api.nodepool import NodePool
from drover.api.virtualmachine import VirtualMachine
from drover.api.volume import Volume
from drover.control.ports import Refused, Write, Written
from drover.sim import cloud
from drover.sim.cloud import NAMESPACES, manifest
from drover.sim.faults import Fault, Strikes
from drover.sim.requests import anything, create, delete, everything, fresh, patch
from drover.sim.simulation import Simulation
from drover.sim.storm import Storm

STEPS = 4000
NEW = "[*]"
Moves = dict[str, set[tuple[str, str]]]
"""By kind: (phase before, phase after)."""


class Watcher:
    """Keeps every change of a phase that the API server has taken from the operator."""

    def __init__(self, sim: Simulation) -> None:
        self.moves: Moves = defaultdict(set)
        self._phases: dict[str, str] = {}
        self._told = sim.backend.on_write
        sim.backend.on_write = self._wrote

    def _wrote(self, write: Write, answer: Written | Refused, changed: bool) -> None:
        self._told(write, answer, changed)
        resource = answer.resource if isinstance(answer, Written) else None
        if resource is None or resource.KIND not in KINDS or resource.status.phase is None:
            return
        before = self._phases.get(resource.uid, NEW)
        if before != resource.status.phase:
            self.moves[resource.KIND].add((before, resource.status.phase))
            self._phases[resource.uid] = resource.status.phase


def seen(seed: int) -> Moves:
    """What happens in one storm."""
    storm = Storm(seed)
    watcher = Watcher(storm.sim)
    Strikes(storm.sim, ACTS, mean_seconds=1.0)
    storm.run(STEPS)
    return watcher.moves


# What users do here


def switch_image(sim: Simulation) -> None:
    image = anything(sim, Image)
    if image is not None:
        patch(sim, image, {"spec": {"state": "Deactivated" if image.spec.state == "Active" else "Active"}})


def change_checksum(sim: Simulation) -> None:
    image = anything(sim, Image)
    if image is not None:
        patch(sim, image, {"spec": {"checksum": None if image.spec.checksum else f"sha256:{'0' * 64}"}})


def allow_another_attempt(sim: Simulation) -> None:
    image = anything(sim, Image)
    if image is not None:
        patch(sim, image, {"spec": {"retry": min(10, image.spec.retry + 1)}})


def change_lifecycle(sim: Simulation) -> None:
    state = sim.random.choice(("Active", "Deprecated", "Obsolete"))
    patch(sim, anything(sim, Flavor), {"spec": {"lifecycle": {"state": state}}})


def fill_volume(sim: Simulation) -> None:
    """A new volume from an image, which may be larger than it; of many, one is deleted instead."""
    if len(sim.store.objects(Volume.KIND)) >= 14:
        delete(sim, anything(sim, Volume))
        return
    spec = {
        "size": sim.random.choice(("1Gi", "5Gi")),
        "bindingMode": sim.random.choice(("Immediate", "WaitForFirstConsumer")),
        "source": {"type": "Image", "ref": {"name": sim.random.choice(cloud.IMAGES)}},
    }
    create(sim, manifest("Volume", fresh(sim, "disk"), spec, sim.random.choice(NAMESPACES)))


def overlap_subnets(sim: Simulation) -> None:
    """What only a cluster without CEL would take, corrected a little later."""
    name, first = fresh(sim, "net"), {"name": "a", "cidr": "10.9.0.0/24"}
    overlapping = {"subnets": [first, {"name": "b", "cidr": "10.9.0.0/28"}]}
    create(sim, manifest("Network", name, overlapping, NAMESPACES[0]))
    made = next((network for network in everything(sim, Network) if network.name == name), None)
    sim.timeline.after(5.0, "subnets corrected", lambda: patch(sim, made, {"spec": {"subnets": [first]}}))
    sim.timeline.after(20.0, "network deleted", lambda: delete(sim, made))


def remove_pool(sim: Simulation) -> None:
    pools = [pool for pool in everything(sim, NodePool) if pool.name in cloud.POOLS]
    if len(pools) > 1:
        delete(sim, sim.random.choice(pools))


def change_strategy(sim: Simulation) -> None:
    strategy = sim.random.choice(("Once", "Always", "Always", "Halted"))
    patch(sim, anything(sim, VirtualMachine), {"spec": {"runStrategy": strategy}})


ACTS: tuple[tuple[float, Fault], ...] = (
    (2, switch_image),
    (2, change_checksum),
    (1, allow_another_attempt),
    (1, change_lifecycle),
    (3, fill_volume),
    (1, overlap_subnets),
    (0.1, remove_pool),
    (2, change_strategy),
)
