"""Objects and worlds for controller tests: a whole world in, an outcome out.

Builders take spec fields as keywords (snake_case or camelCase names, wire values), fill in what every valid object
needs, and give the object what the API server would: a uid, a generation, a resourceVersion, the finalizer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from drover.api.flavor import Flavor
from drover.api.host import Host
from drover.api.image import Image
from drover.api.kinds import WATCHED, parse
from drover.api.meta import FINALIZER, AnyResource, dump
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationpolicy import MigrationPolicy
from drover.api.namespace import Namespace
from drover.api.network import Network
from drover.api.nodepool import NodePool
from drover.api.placementgroup import PlacementGroup
from drover.api.priorityclass import PriorityClass
from drover.api.quantity import Quantity
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.api.volume import Volume
from drover.control.driver import answer
from drover.control.outcome import Outcome
from drover.control.world import World

ResourceT = TypeVar("ResourceT", bound=AnyResource)

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
HARDWARE: dict[str, Any] = {
    "cpu": {"sockets": 1, "coresPerSocket": 8, "threadsPerCore": 2},
    "memory": "64Gi",
    "disk": "1Ti",
    "nics": [{"name": "eth0", "bandwidth": "1250M"}],
}
"""16 threads (64 vCPUs allocatable), 64Gi (63.5Gi allocatable), 1Ti, one 10 Gbit/s card."""


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def make(
    kind: str,
    name: str,
    spec: dict[str, Any],
    *,
    namespace: str = "default",
    status: dict[str, Any] | None = None,
    deleting: bool = False,
    finalizer: bool = True,
    **metadata: Any,
) -> AnyResource:
    """An object as the API server would have it; ``status`` in wire form, ``metadata`` overrides what is made up."""
    namespaced = WATCHED[kind].NAMESPACED
    filled: dict[str, Any] = {
        "name": name,
        "namespace": namespace if namespaced else "",
        "uid": f"{kind.lower()}-{namespace}-{name}" if namespaced else f"{kind.lower()}-{name}",
        "resource_version": "1",
        "generation": 1,
        "creation_timestamp": NOW,
        "finalizers": [FINALIZER] if finalizer else [],
        "deletion_timestamp": NOW if deleting else None,
    }
    raw: dict[str, Any] = {"kind": kind, "metadata": filled | metadata, "spec": spec}
    return parse(raw | ({"status": status} if status is not None else {}))


def pool(name: str = "p1", *, status: dict[str, Any] | None = None, **fields: Any) -> NodePool:
    spec, rest = _split(fields)
    return cast(NodePool, make("NodePool", name, {"template": HARDWARE} | spec, status=status, **rest))


def host(name: str = "p1-0", *, pool: str = "p1", status: dict[str, Any] | None = None, **fields: Any) -> Host:
    """A host that is up, unless ``status`` says otherwise."""
    spec, rest = _split(fields)
    spec = {"pool_ref": {"name": pool}, "hardware": HARDWARE} | spec
    up = {"observedGeneration": 1, "phase": "Ready", "conditions": [condition("Ready", "True", "HostReady")]}
    return cast(Host, make("Host", name, spec, status=up if status is None else status, **rest))


def flavor(name: str = "small", *, status: dict[str, Any] | None = None, **fields: Any) -> Flavor:
    spec, rest = _split(fields)
    size = {"cpu": {"guest": 2}, "memory": {"guest": "4Gi"}, "root_disk": {"size": "20Gi"}}
    return cast(Flavor, make("Flavor", name, size | spec, status=status, **rest))


def image(name: str = "debian", *, status: dict[str, Any] | None = None, **fields: Any) -> Image:
    """An HTTP image of 500 MB: four model seconds to import."""
    spec, rest = _split(fields)
    source = {"type": "HTTP", "http": {"url": f"https://images.example/{name}.qcow2"}}
    spec = {"source": source, "size": "500M", "virtual_size": "4Gi"} | spec
    return cast(Image, make("Image", name, spec, status=status, **rest))


def imported(**fields: Any) -> dict[str, Any]:
    """The status of an image that can be used."""
    ready = {"phase": "Ready", "conditions": [condition("Ready", "True", "Imported")], "progress": "100%"}
    sizes = {"sizeBytes": 500_000_000, "virtualSizeBytes": 4 * 2**30}
    return {"observedGeneration": 1} | ready | sizes | fields


def volume(name: str = "data", *, status: dict[str, Any] | None = None, **fields: Any) -> Volume:
    spec, rest = _split(fields)
    return cast(Volume, make("Volume", name, {"size": "10Gi"} | spec, status=status, **rest))


def owned_by(owner: VirtualMachine) -> dict[str, Any]:
    """The owner reference of what a VM made."""
    return {"apiVersion": "drover.dev/v1alpha1", "kind": owner.KIND, "name": owner.name, "uid": owner.uid}


def provisioned(capacity: str = "10Gi", **fields: Any) -> dict[str, Any]:
    """The status of a volume that can be attached."""
    ready = {"phase": "Available", "conditions": [condition("Ready", "True", "Provisioned")]}
    return {"observedGeneration": 1, "capacity": capacity, "progress": "100%"} | ready | fields


def network(
    name: str = "net", *, cidr: str = "10.0.0.0/24", status: dict[str, Any] | None = None, **fields: Any
) -> Network:
    spec, rest = _split(fields)
    spec = {"subnets": [{"name": "a", "cidr": cidr}]} | spec
    return cast(Network, make("Network", name, spec, status=status, **rest))


def active(segment: int = 7, **fields: Any) -> dict[str, Any]:
    """The status of a network that can be used."""
    ready = {"phase": "Active", "conditions": [condition("Ready", "True", "Active")]}
    return {"observedGeneration": 1, "segmentationID": segment} | ready | fields


def vm(name: str = "a", *, status: dict[str, Any] | None = None, **fields: Any) -> VirtualMachine:
    spec, rest = _split(fields)
    spec = {"flavor_ref": {"name": "small"}, "image_ref": {"name": "debian"}} | spec
    return cast(VirtualMachine, make("VirtualMachine", name, spec, status=status, **rest))


def placed(
    host: str = "p1-0",
    *,
    pool: str = "p1",
    phase: str = "Running",
    flavor: str = "small",
    vcpus: int = 2,
    memory: str = "4Gi",
    root_disk: str = "20Gi",
    **fields: Any,
) -> dict[str, Any]:
    """The status of a VM on a host."""
    size = {
        "name": flavor,
        "vcpus": vcpus,
        "memoryBytes": Quantity(memory).bytes,
        "rootDiskBytes": Quantity(root_disk).bytes,
    }
    place = {"phase": phase, "hostName": host, "nodePoolName": pool, "flavor": size}
    return {"observedGeneration": 1} | place | fields


def interface(ip: str, *, network: str = "default/net", name: str = "eth0", subnet: str = "a") -> dict[str, Any]:
    """An entry of ``VirtualMachine.status.interfaces``."""
    mac = "52:54:00:" + ":".join(f"{int(part):02x}" for part in ip.split(".")[1:])
    return {"name": name, "ipAddress": ip, "mac": mac, "network": network, "subnet": subnet}


def migration(
    name: str = "a-1", *, of: str = "a", status: dict[str, Any] | None = None, **fields: Any
) -> VirtualMachineMigration:
    spec, rest = _split(fields)
    spec = {"virtual_machine_name": of} | spec
    return cast(VirtualMachineMigration, make("VirtualMachineMigration", name, spec, status=status, **rest))


def moving(
    to: str, *, source: str = "p1-0", of: str = "default-a", phase: str = "PreCopy", **fields: Any
) -> dict[str, Any]:
    """The status of a migration that holds its target for a VM of the flavor "small"."""
    claim = {"vcpus": 2, "memoryBytes": 4 * 2**30, "diskBytes": 20 * 2**30}
    hosts = {"sourceHost": source, "targetHost": to, "vmUID": f"virtualmachine-{of}"}
    return {"observedGeneration": 1, "phase": phase, "resources": claim} | hosts | fields


def plan(
    name: str = "plan", *, namespace: str = "default", status: dict[str, Any] | None = None, **fields: Any
) -> MigrationPlan:
    """A plan that moves the VM "a", unless the fields name others."""
    spec, rest = _split(fields)
    if not spec.keys() & {"virtual_machines", "selector", "host_name"}:
        spec["virtual_machines"] = [{"name": "a"}]
    return cast(MigrationPlan, make("MigrationPlan", name, spec, namespace=namespace, status=status, **rest))


def group(name: str = "db", *, status: dict[str, Any] | None = None, **fields: Any) -> PlacementGroup:
    spec, rest = _split(fields)
    return cast(PlacementGroup, make("PlacementGroup", name, {"policy": "AntiAffinity"} | spec, status=status, **rest))


def priority_class(name: str = "urgent", value: int = 1000, **fields: Any) -> PriorityClass:
    spec, rest = _split(fields)
    return cast(PriorityClass, make("PriorityClass", name, {"value": value} | spec, finalizer=False, **rest))


def policy(
    name: str = "gold",
    vms: dict[str, str] | None = None,
    namespaces: dict[str, str] | None = None,
    *,
    status: dict[str, Any] | None = None,
    **fields: Any,
) -> MigrationPolicy:
    """A policy for VMs, and for namespaces, with these labels: for all of them unless some are told."""
    spec, rest = _split(fields)
    selectors = {"virtual_machine_selector": vms or {}, "namespace_selector": namespaces or {}}
    return cast(MigrationPolicy, make("MigrationPolicy", name, {"selectors": selectors} | spec, status=status, **rest))


def namespace(name: str = "default", **labels: str) -> Namespace:
    return cast(Namespace, make("Namespace", name, {}, finalizer=False, labels=labels))


def condition(type_: str, status: str, reason: str, message: str = "", since: datetime = NOW) -> dict[str, Any]:
    """A condition in wire form."""
    at = since.isoformat()
    return {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": at}


def world_of(*objects: AnyResource) -> World:
    """A World that has observed these objects."""
    world = World()
    for resource in objects:
        world.observe(resource)
    return world


def edited(resource: ResourceT, *, spec: dict[str, Any] | None = None, **metadata: Any) -> ResourceT:
    """The object after a user's edit: spec fields (wire names) replaced, generation counted up."""
    raw = {"kind": resource.KIND, **dump(resource)}
    raw["spec"] = raw.get("spec", {}) | (spec or {})
    version = int(resource.metadata.resource_version) + 1
    generation = resource.metadata.generation + (1 if spec else 0)
    raw["metadata"] |= {"resourceVersion": str(version), "generation": generation} | metadata
    return cast(ResourceT, parse(raw))


def taken(world: World, resource: ResourceT, outcome: Outcome) -> ResourceT:
    """The object after the outcome's status or finalizer is written, as observed back from the API server."""
    raw = {"kind": resource.KIND, **dump(resource)}
    raw["metadata"]["resourceVersion"] = str(int(resource.metadata.resource_version) + 1)
    if outcome.protect:
        raw["metadata"]["finalizers"] = [FINALIZER]
    elif outcome.status is not None:
        raw["status"] = dump(outcome.status)
    written = cast(ResourceT, parse(raw))
    world.observe(written)
    return written


def finished(world: World, outcome: Outcome) -> datetime:
    """The driver ends the outcome's one command: the World knows, and the time is when it ended."""
    (command,) = outcome.work
    completion = answer(command)
    world.complete(completion)
    return completion.at


def assert_settled(
    reconcile: Callable[[Any, World, datetime], Outcome], resource: AnyResource, world: World, now: datetime
) -> None:
    """Once its outcome is taken, the next reconcile writes nothing and tells nothing, also a while later."""
    written = taken(world, resource, reconcile(resource, world, now))
    for moment in (now, now + timedelta(milliseconds=50)):
        again = reconcile(written, world, moment)
        assert again.status in (None, written.status)
        assert again.protect is None
        assert again.events == ()


def reasons(outcome: Outcome) -> dict[str, tuple[str, str]]:
    """Conditions by type, as (status, reason)."""
    assert outcome.status is not None
    return {c.type: (c.status, c.reason) for c in outcome.status.conditions}


def message(outcome: Outcome, type_: str) -> str:
    assert outcome.status is not None
    found = outcome.status.condition(type_)
    assert found is not None, f"no condition {type_}"
    return found.message


def told(outcome: Outcome) -> list[str]:
    """Reasons of the events."""
    return [event.reason for event in outcome.events]


_METADATA = {
    "namespace",
    "deleting",
    "finalizer",
    "labels",
    "annotations",
    "uid",
    "generation",
    "resource_version",
    "creation_timestamp",
    "owner_references",
}


def _split(fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    spec = {name: value for name, value in fields.items() if name not in _METADATA}
    return spec, {name: value for name, value in fields.items() if name in _METADATA}
