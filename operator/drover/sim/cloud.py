"""A small cloud to try the operator on: three pools, flavors of every sort, images, networks, priorities, groups.

It is tight on purpose: memory, NUMA cells, GPUs, addresses and migration slots run out, so that a claim counted
wrongly shows. ``pool`` and ``flavor`` make plain ones; ``base`` dresses them up with all that placement looks at.
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
PATIENT = "patient"
"""A priority class above all others that never preempts."""

GPU, FAST = "nvidia.com/A2", "CUSTOM_FAST"
CPU_MODELS = ("Haswell", "Cascadelake-Server", "Icelake-Server")
"""The models in use; each has all that those before it have."""
REPLICAS = {"a": 5, "b": 3, "c": 2}
TWO_CELLS = {"sockets": 2, "coresPerSocket": 2, "threadsPerCore": 1, "model": "Icelake-Server"}
ZONES = [{"name": "z1", "racks": 2}, {"name": "z2", "racks": 1}]
POOLS: dict[str, dict[str, Any]] = {
    "a": {"failureDomains": ZONES},
    "b": {"failureDomains": ZONES, "admissionControl": {"policy": "HostFailures"}},
    "c": {"failureDomains": [{"name": "z3"}], "cpuBaseline": "Cascadelake-Server"},
}
"""What a pool has beside what every pool has."""
TEMPLATES: dict[str, dict[str, Any]] = {
    "a": {"cpu": TWO_CELLS, "traits": [FAST], "gpus": [{"deviceName": GPU, "count": 1}]},
    "b": {"cpu": {"sockets": 1, "coresPerSocket": 4, "threadsPerCore": 1, "model": "Haswell"}},
    "c": {
        "cpu": TWO_CELLS,
        "gpus": [{"deviceName": GPU, "count": 2}],
        "taints": [{"key": "gpu", "value": "only", "effect": "NoSchedule"}],
    },
}
SPECIAL_FLAVORS: dict[str, dict[str, Any]] = {
    "gpu": {"gpus": [{"name": "g", "deviceName": GPU}], "tolerations": [{"key": "gpu", "operator": "Exists"}]},
    "pinned": {"cpu": {"guest": 2, "dedicatedCPUPlacement": True, "numaNodes": 1}},
    "twin": {"cpu": {"guest": 4, "numaNodes": 2}, "memory": {"guest": "5Gi"}},
    "thick": {"cpu": {"guest": 3, "allocationRatio": "2"}, "network": {"bandwidth": "250M"}},
    "modern": {"cpu": {"guest": 1, "model": "Cascadelake-Server"}},
    "fast": {"traits": {"required": [FAST]}, "nodeSelector": {"disk": "ssd"}},
    "slow": {"traits": {"forbidden": [FAST]}},
}
"""Like ``small``, but for this."""
GROUPS: dict[str, dict[str, Any]] = {
    "together": {"policy": "Affinity", "topologyKey": "FailureDomain"},
    "apart": {"policy": "AntiAffinity"},
    "pairs": {"policy": "AntiAffinity", "topologyKey": "Rack", "maxPerDomain": 2},
    "near": {"policy": "SoftAffinity", "topologyKey": "Rack"},
    "far": {"policy": "SoftAntiAffinity", "topologyKey": "FailureDomain"},
}


POLICIES: dict[str, dict[str, Any]] = {
    "pull": {
        "allowPostCopy": True,
        "bandwidthPerMigration": "200M",
        "stallDetector": {"stallProgressTimeout": 2, "searchLocalMinima": False},
    },
    "throttle": {"allowAutoConverge": True, "maxDowntimeMs": 500},
    "pause": {"allowWorkloadDisruption": True, "maxDowntimeMs": 5000, "completionTimeoutPerGiB": 30},
}
"""Settings of migration policies; each is for VMs of one app."""
POLICY_APPS = dict(zip(POLICIES, ("db", "web", "cache"), strict=True))


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
        {**priority_class(PATIENT, 2000), "preemptionPolicy": "Never"},
        *(_dressed_pool(name, seed, scale) for name in POOLS),
        *(flavor(name) for name in FLAVORS),
        *(_special_flavor(name) for name in SPECIAL_FLAVORS),
        *(image(name, namespace) for name in IMAGES for namespace in NAMESPACES),
        *(network(name, namespace) for name in NETWORKS for namespace in NAMESPACES),
        *(manifest("PlacementGroup", name, spec, space) for name, spec in GROUPS.items() for space in NAMESPACES),
        *(_policy(name) for name in POLICIES),
    ]


def _dressed_pool(name: str, seed: int, time_scale: str) -> dict[str, Any]:
    made = pool(name, REPLICAS[name], seed, time_scale)
    made["spec"]["template"] |= TEMPLATES[name]
    made["spec"] |= POOLS[name]
    return made


def _policy(name: str) -> dict[str, Any]:
    selectors = {"virtualMachineSelector": {"app": POLICY_APPS[name]}}
    return manifest("MigrationPolicy", name, {"selectors": selectors, **POLICIES[name]})


def _special_flavor(name: str) -> dict[str, Any]:
    made = flavor("small")
    made["metadata"]["name"] = name
    made["spec"] |= SPECIAL_FLAVORS[name]
    return made
