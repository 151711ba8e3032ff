"""Objects of every kind and phase, as the controllers make them: whatever a simulated data centre goes through."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drover.api.kinds import KINDS, manifest
from drover.api.meta import AnyResource, Key
from drover.api.virtualmachine import VirtualMachine
from drover.control.ports import Refused, Write, Written
from drover.sim import cloud
from drover.sim.simulation import Simulation

SPACE = "team-a"
SEED = 3
"""Its pools run in real time, so that no phase is over before anybody has looked."""
BUSY = {"model": {"hotSet": "700Mi", "dirtyRate": "900M"}}
"""More than its link carries: it moves by post-copy or with a pause, as the policy for its label says."""


class Gallery:
    """One object for each kind, phase, and state of its conditions, in wire form."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], dict[str, Any]] = {}

    def watch(self, sim: Simulation) -> None:
        """Keep what the operator writes from now on."""
        told = sim.backend.on_write

        def kept(write: Write, answer: Written | Refused, changed: Any) -> None:
            told(write, answer, changed)
            if isinstance(answer, Written) and answer.resource is not None:
                self._keep(answer.resource)

        sim.backend.on_write = kept

    def _keep(self, resource: AnyResource) -> None:
        if resource.KIND not in KINDS:
            return
        told = tuple(sorted((c.type, c.status, c.reason) for c in resource.status.conditions))
        self._found.setdefault((resource.KIND, resource.status.phase, resource.deleting, told), manifest(resource))

    def objects(self) -> list[dict[str, Any]]:
        return list(self._found.values())


def gallery() -> Gallery:
    """Everything seen on the way, in about 5 seconds."""
    found = Gallery()
    sim = Simulation(SEED)
    found.watch(sim)
    for raw in cloud.base(SEED):
        sim.store.create(raw, sim.now)
    sim.start()
    _wait(sim, 60)
    _beginnings(sim)
    _plans(sim)
    _power(sim)
    _hosts(sim)
    _declarations(sim)
    _deletions(sim)
    return found


def _beginnings(sim: Simulation) -> None:
    """What can be used at once, what has to wait, and what never will do."""
    _create(sim, "Volume", "early", {"size": "5Gi", "source": _from("nowhere")})
    _create(sim, "Volume", "tight", {"size": "1Gi", "source": _from("debian")})
    _create(sim, "Volume", "data", {"size": "5Gi", "source": _from("debian")})
    _create(sim, "Volume", "late", {"size": "5Gi", "bindingMode": "WaitForFirstConsumer"})
    _create(sim, "Network", "broken", {"subnets": [_subnet("a", "10.9.0.0/24"), _subnet("b", "10.9.0.128/25")]})
    for name in ("one", "two"):
        _vm(sim, name)
    _vm(sim, "hot", labels={"app": "db"}, **BUSY)
    _vm(sim, "busy", labels={"app": "cache"}, **BUSY)
    sim.store.create(cloud.image("fresh", SPACE), sim.now)
    _vm(sim, "eager", imageRef={"name": "fresh"})
    _vm(sim, "lonely", placement={"placementGroupName": "nobody"})
    _vm(sim, "huge", flavorRef={"name": "giant"})
    _vm(sim, "frail", runStrategy="Once", highAvailability={"enabled": False})
    _wait(sim, 120)


def _plans(sim: Simulation) -> None:
    """Every way in which a plan waits, works and ends."""
    both = [{"name": "one"}, {"name": "two"}]
    _plan(sim, "rehearsal", mode="DryRun", virtualMachines=both)
    _plan(sim, "first", virtualMachines=both, approval="Manual")
    _plan(sim, "paused", virtualMachines=both, paused=True)
    _wait(sim, 10)
    _plan(sim, "second", virtualMachines=both)  # takes the VMs of the first, which is Superseded
    _wait(sim, 300)
    for name in ("hot", "busy", "two"):  # one in post-copy, one paused, one as it should be
        _plan(sim, f"plan-{name}", virtualMachines=[{"name": name}])
        _wait(sim, 300)
    closes = (sim.now + timedelta(seconds=5)).isoformat()
    _plan(sim, "late", virtualMachines=both, approval="Manual", window={"notAfter": closes})
    _wait(sim, 30)
    elsewhere = {"name": "two", "targetHostName": "nowhere"}
    _plan(sim, "partial", virtualMachines=[{"name": "one"}, elsewhere], retry={"limit": 0})
    _plan(sim, "vain", virtualMachines=[elsewhere], retry={"limit": 0})
    _wait(sim, 600)
    _plan(sim, "withdrawn", virtualMachines=[{"name": "hot"}])
    _wait(sim, 3)
    _patch(sim, "MigrationPlan", "withdrawn", {"cancel": True}, SPACE)
    _wait(sim, 120)


def _power(sim: Simulation) -> None:
    """A VM stopped by its declaration, one paused, and a disk that grows."""
    sim.store.patch(_key("VirtualMachine", "busy"), {"metadata": {"annotations": {"drover.dev/action": "pause"}}})
    _patch(sim, "VirtualMachine", "hot", {"runStrategy": "Halted"}, SPACE)
    _patch(sim, "Volume", "data", {"size": "9Gi"}, SPACE)
    _wait(sim, 120)


def _hosts(sim: Simulation) -> None:
    """A drain, a host out of reach, one switched off, and one that dies under a VM that is not to run again."""
    drained, lost = _host_of(sim, "one"), _host_of(sim, "frail")
    _patch(sim, "Host", drained, {"maintenance": {"mode": "Drain"}})
    _wait(sim, 300)
    _patch(sim, "Host", drained, {"maintenance": {"mode": "None"}})
    _patch(sim, "Host", "c-0", {"powerState": "Off"})
    _patch(sim, "Host", _host_of(sim, "two"), {"fault": {"type": "NetworkPartition"}})
    _patch(sim, "Host", lost, {"fault": {"type": "Crash"}})
    _wait(sim, 300)


def _declarations(sim: Simulation) -> None:
    """What users switch off, and a group whose rule comes after its members."""
    _patch(sim, "Flavor", "large", {"lifecycle": {"state": "Deprecated"}})
    _patch(sim, "Flavor", "giant", {"lifecycle": {"state": "Obsolete"}})
    _patch(sim, "Image", "blank", {"state": "Deactivated"}, SPACE)
    _patch(sim, "Network", "back", {"adminStateUp": False}, SPACE)
    _wait(sim, 60)


def _deletions(sim: Simulation) -> None:
    """What is in use goes last."""
    for kind, name in (("Flavor", "medium"), ("NodePool", "a"), ("NodePool", "b")):
        sim.store.delete(Key(kind, "", name), sim.now)
    for kind, name in (("Image", "debian"), ("Network", "front"), ("PlacementGroup", "far"), ("Volume", "data")):
        sim.store.delete(_key(kind, name), sim.now)
    sim.store.delete(_key("VirtualMachine", "two"), sim.now)
    _wait(sim, 30)


def _create(sim: Simulation, kind: str, name: str, spec: dict[str, Any]) -> None:
    sim.store.create(cloud.manifest(kind, name, spec, SPACE), sim.now)


def _vm(sim: Simulation, name: str, labels: dict[str, str] | None = None, **spec: Any) -> None:
    wanted = {
        "flavorRef": {"name": "medium"},
        "imageRef": {"name": "debian"},
        "networks": [{"name": "nic", "networkRef": {"name": "front"}}],
        "placement": {"nodePoolName": "a", "placementGroupName": "far"},
        "volumes": [{"name": "data", "volumeRef": {"name": "data"}}] if name == "one" else [],
    }
    sim.store.create(cloud.manifest("VirtualMachine", name, wanted | spec, SPACE, labels=labels or {}), sim.now)


def _plan(sim: Simulation, name: str, **spec: Any) -> None:
    _create(sim, "MigrationPlan", name, spec)


def _patch(sim: Simulation, kind: str, name: str, spec: dict[str, Any], namespace: str = "") -> None:
    sim.store.patch(Key(kind, namespace, name), {"spec": spec})


def _key(kind: str, name: str) -> Key:
    return Key(kind, SPACE, name)


def _host_of(sim: Simulation, name: str) -> str:
    vm = sim.store.get(_key("VirtualMachine", name))
    assert isinstance(vm, VirtualMachine)
    assert vm.status.host_name is not None
    return vm.status.host_name


def _from(image: str) -> dict[str, Any]:
    return {"type": "Image", "ref": {"name": image}}


def _subnet(name: str, cidr: str) -> dict[str, str]:
    return {"name": name, "cidr": cidr}


def _wait(sim: Simulation, seconds: float) -> None:
    sim.run_until(sim.now + timedelta(seconds=seconds))
