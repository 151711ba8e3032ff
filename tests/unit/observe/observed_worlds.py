"""Objects and a World of them, for what observes a World."""

from typing import Any

from drover.api.kinds import parse
from drover.api.meta import AnyResource
from drover.control.world import World

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
        "creationTimestamp": "2026-11-21T08:00:00Z",
    }
    return parse({"kind": kind, "metadata": metadata, "spec": spec, "status": status})


def host(name: str, zone: str = "z1") -> AnyResource:
    hardware = {
        "cpu": {"sockets": 1, "coresPerSocket": 4, "threadsPerCore": 2},
        "memory": "16Gi",
        "disk": "100Gi",
        "overcommit": {"cpu": "2.0"},
        "reserved": {"memory": "1Gi"},
    }
    capacity = {"cpu": "8", "memory": "16Gi", "disk": "100Gi"}
    spec = {"poolRef": {"name": "p"}, "failureDomain": zone, "hardware": hardware}
    return made("Host", name, spec, {"phase": "Ready", "capacity": capacity})


def vm(name: str, phase: str | None, on: str | None = None, namespace: str = "team-a") -> AnyResource:
    flavor = {"name": "small", "vcpus": 2, "memoryBytes": 2**30, "rootDiskBytes": 2**31}
    status = {"phase": phase, "hostName": on, "failureDomain": "z1" if on else None, "flavor": flavor}
    spec = {"flavorRef": {"name": "small"}, "imageRef": {"name": "debian"}}
    return made("VirtualMachine", name, spec, {k: v for k, v in status.items() if v is not None}, namespace)


def migration(name: str, phase: str, **status: Any) -> AnyResource:
    spec = {"virtualMachineName": "web", "priority": "SystemCritical"}
    return made("VirtualMachineMigration", name, spec, {"phase": phase, **status}, "team-a")


def world_of(*resources: AnyResource) -> World:
    world = World()
    for resource in resources:
        world.observe(resource)
    return world
