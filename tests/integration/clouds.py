"""Small data centres to try the operator on, as manifests; every name carries the test's own."""

from typing import Any

import yaml

API_VERSION = "drover.dev/v1alpha1"
Manifest = dict[str, Any]


def manifest(kind: str, name: str, spec: Manifest, namespace: str = "", **metadata: Any) -> Manifest:
    where = {"namespace": namespace} if namespace else {}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, **where, **metadata}, "spec": spec}


def pool(name: str, hosts: int = 3, *, memory: str = "16Gi", time_scale: str = "50", **spec: Any) -> Manifest:
    """A pool of hosts with 16 threads and a 10 Gbit/s card, in two zones."""
    template = {
        "cpu": {"sockets": 1, "coresPerSocket": 8},
        "memory": memory,
        "disk": "1Ti",
        "nics": [{"name": "nic0", "bandwidth": "1250M"}],
    }
    driver = {"timeScale": time_scale, "seed": 1}
    zones = [{"name": "z1"}, {"name": "z2"}]
    return manifest(
        "NodePool", name, {"replicas": hosts, "template": template, "failureDomains": zones, "driver": driver, **spec}
    )


def flavor(name: str, *, cpus: int = 2, memory: str = "2Gi", disk: str = "20Gi", **spec: Any) -> Manifest:
    size = {"cpu": {"guest": cpus}, "memory": {"guest": memory}, "rootDisk": {"size": disk}}
    return manifest("Flavor", name, {**size, **spec})


def image(namespace: str, name: str = "debian", **spec: Any) -> Manifest:
    source = {"type": "HTTP", "http": {"url": "https://images.example.org/debian.qcow2"}}
    return manifest("Image", name, {"source": source, "size": "60Mi", "virtualSize": "4Gi", **spec}, namespace)


def network(namespace: str, name: str = "net", cidr: str = "10.1.0.0/24") -> Manifest:
    return manifest("Network", name, {"subnets": [{"name": "v4", "cidr": cidr}]}, namespace)


def vm(namespace: str, name: str, cloud: str, **spec: Any) -> Manifest:
    """A VM of the flavor and the pool named ``cloud``, on the network ``net``."""
    wanted = {
        "flavorRef": {"name": cloud},
        "imageRef": {"name": "debian"},
        "placement": {"nodePoolName": cloud},
        "networks": [{"name": "eth0", "networkRef": {"name": "net"}}],
    }
    return manifest("VirtualMachine", name, {**wanted, **spec}, namespace, labels={"app": "test"})


def plan(namespace: str, name: str, **spec: Any) -> Manifest:
    return manifest("MigrationPlan", name, spec, namespace)


def documents(*manifests: Manifest) -> str:
    return yaml.safe_dump_all(manifests, sort_keys=False)
