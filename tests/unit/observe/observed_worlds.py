"""Objects and a World of them, for what observes a World."""

from typing import Any

from drover.api.kinds import parse
from drover.api.meta import AnyResource
from drover.control.world import World

CREATED = "2026-11-21T08:00:00Z"

_version = 0


def made(kind: str, name: str, spec: dict[str, Any], status: dict[str, Any], namespace: str = "") -> AnyResource:
    """A parsed object of a version newer than any before."""
    global _version
    _version += 1
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{name}",
        "resourceVersion": str(_version),
        "creationTimestamp": CREATED,
    }
    return parse({"kind": kind, "metadata": metadata, "spec": spec, "status": status})


def host(name: str, zone: str = "z1", ready: str = "True", model: str = "EPYC") -> AnyResource:
    """8 threads at 2.0 and 16Gi less 1Gi."""
    hardware = {
        "cpu": {"model": model, "sockets": 1, "coresPerSocket": 4, "threadsPerCore": 2},
        "memory": "16Gi",
        "disk": "100Gi",
        "overcommit": {"cpu": "2.0"},
        "reserved": {"memory": "1Gi"},
    }
    capacity = {"cpu": "8", "memory": "16Gi", "disk": "100Gi"}
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": CREATED, "reason": "R", "message": ""}
    spec = {"poolRef": {"name": "p"}, "failureDomain": zone, "hardware": hardware}
    phase = "Ready" if ready == "True" else "NotReady"
    return made("Host", name, spec, {"phase": phase, "capacity": capacity, "conditions": [condition]})


def pool(name: str) -> AnyResource:
    template = {"cpu": {"coresPerSocket": 4}, "memory": "16Gi"}
    return made("NodePool", name, {"replicas": 1, "template": template}, {})


def flavor(name: str) -> AnyResource:
    return made("Flavor", name, {"cpu": {"guest": 2}, "memory": {"guest": "1Gi"}}, {})


def volume(name: str, storage_class: str, size: str) -> AnyResource:
    return made("Volume", name, {"size": size, "className": storage_class}, {"capacity": size}, "team-a")


def vm(name: str, phase: str | None, on: str | None = None, namespace: str = "team-a", **status: Any) -> AnyResource:
    """2 vCPUs, 1Gi, a root disk of 2Gi and the volume ``data``."""
    size = {"name": "small", "vcpus": 2, "memoryBytes": 2**30, "rootDiskBytes": 2**31}
    told = {
        "phase": phase,
        "hostName": on,
        "failureDomain": "z1" if on else None,
        "flavor": size,
        "volumes": [{"name": "data", "volume": "data"}],
        "phaseTransitions": [{"phase": phase, "at": "2026-11-21T08:01:00Z"}] if phase else None,
        **status,
    }
    disk = {"name": "data", "volumeRef": {"name": "data"}}
    spec = {"flavorRef": {"name": "small"}, "imageRef": {"name": "debian"}, "volumes": [disk]}
    return made("VirtualMachine", name, spec, {k: v for k, v in told.items() if v is not None}, namespace)


def migration(name: str, phase: str, **status: Any) -> AnyResource:
    spec = {"virtualMachineName": "web", "priority": "SystemCritical"}
    return made("VirtualMachineMigration", name, spec, {"phase": phase, **status}, "team-a")


def world_of(*resources: AnyResource) -> World:
    world = World()
    for resource in resources:
        world.observe(resource)
    return world
