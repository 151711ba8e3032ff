"""A small cloud to try the operator on: two pools, four flavors, images, networks, priorities.

It is tight on purpose: memory, addresses and migration slots run out, so that a claim counted wrongly shows.
"""

from __future__ import annotations

from typing import Any

from drover.api.meta import API_VERSION
from drover.api.priorityclass import PriorityClass

NAMESPACES = ("team-a", "team-b")
FLAVORS = {"small": (1, "1Gi"), "medium": (2, "3Gi"), "large": (4, "6Gi"), "giant": (64, "512Gi")}
IMAGES = ("debian", "blank", "flaky")
NETWORKS = ("front", "back")
PRIORITIES = {"urgent": 1000, "batch": -10}


def manifest(kind: str, name: str, spec: dict[str, Any], namespace: str = "", **metadata: Any) -> dict[str, Any]:
    where = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, **where, **metadata},
        "spec": spec,
    }


def pool(name: str, replicas: int, seed: int, time_scale: str) -> dict[str, Any]:
    spec = {
        "replicas": replicas,
        "template": {
            "cpu": {"sockets": 1, "coresPerSocket": 4, "threadsPerCore": 1},
            "memory": "16Gi",
            "disk": "200Gi",
            "nics": [{"name": "nic0", "bandwidth": "600M", "role": "Shared"}],
            "labels": {"disk": "ssd" if name == "a" else "hdd"},
        },
        "failureDomains": [{"name": "z1"}, {"name": "z2"}],
        "placement": {"strategy": "Balance" if name == "a" else "Pack"},
        "migration": {"parallelMigrationsPerPool": 3},
        "driver": {"seed": seed, "timeScale": time_scale},
    }
    return manifest("NodePool", name, spec)


def flavor(name: str) -> dict[str, Any]:
    cpus, memory = FLAVORS[name]
    spec = {
        "cpu": {"guest": cpus},
        "memory": {"guest": memory},
        "rootDisk": {"size": "20Gi"},
        "model": {"hotSet": "64Mi", "dirtyRate": "40Mi" if name != "large" else "350Mi"},
    }
    return manifest("Flavor", name, spec)


def image(name: str, namespace: str) -> dict[str, Any]:
    if name == "blank":
        return manifest("Image", name, {"source": {"type": "Blank"}, "virtualSize": "1Gi"}, namespace)
    url = f"https://images.example.org/{'flaky/' if name == 'flaky' else ''}{name}.qcow2"
    spec = {
        "source": {"type": "HTTP", "http": {"url": url}},
        "size": "600Mi",
        "virtualSize": "2Gi",
        "retry": 1,
    }
    return manifest("Image", name, spec, namespace)


def network(name: str, namespace: str) -> dict[str, Any]:
    # 13 addresses for VMs: `front` of a busy namespace runs out.
    subnet = {"name": "s1", "cidr": f"10.{len(name)}.{len(namespace)}.0/28"}
    return manifest("Network", name, {"subnets": [subnet]}, namespace)


def priority_class(name: str, value: int) -> dict[str, Any]:
    named = {"apiVersion": PriorityClass.api_version(), "kind": PriorityClass.KIND, "metadata": {"name": name}}
    return {**named, "value": value}


def base(seed: int) -> list[dict[str, Any]]:
    """Everything but VMs."""
    scale = ("1", "5", "20")[seed % 3]
    return [
        *(priority_class(name, value) for name, value in PRIORITIES.items()),
        pool("a", 5, seed, scale),
        pool("b", 3, seed, scale),
        *(flavor(name) for name in FLAVORS),
        *(image(name, namespace) for name in IMAGES for namespace in NAMESPACES),
        *(network(name, namespace) for name in NETWORKS for namespace in NAMESPACES),
    ]
