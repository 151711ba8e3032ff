"""A small data centre of one test's own on the real API server, and the promises every such cloud must keep."""

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml
from running import eventually

from controlplane import Kubectl
from drover.api.kinds import KINDS
from drover.api.meta import API_VERSION
from drover.api.quantity import Quantity

Manifest = dict[str, Any]
PATIENCE = 60.0
WATCH_SECONDS = 600
"""As long as the longest test."""


@dataclass(frozen=True)
class Cloud:
    """A namespace, with a pool and a flavor of the same name, an image and a network in it."""

    kubectl: Kubectl
    namespace: str

    # Manifests

    def object(self, kind: str, name: str, spec: Manifest, **metadata: Any) -> Manifest:
        named = {"name": name, **metadata}
        if kind in ("NodePool", "Flavor", "MigrationPolicy"):
            named["labels"] = {"cloud": self.namespace}
        else:
            named["namespace"] = self.namespace
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": named, "spec": spec}

    def pool(self, hosts: int = 3, *, memory: str = "16Gi", time_scale: str = "50", **spec: Any) -> Manifest:
        """Hosts of 16 threads with a 10 Gbit/s card, in two zones."""
        template = {
            "cpu": {"sockets": 1, "coresPerSocket": 8},
            "memory": memory,
            "disk": "1Ti",
            "nics": [{"name": "nic0", "bandwidth": "1250M"}],
        }
        zones = [{"name": "z1"}, {"name": "z2"}]
        driver = {"timeScale": time_scale, "seed": 1}
        wanted = {"replicas": hosts, "template": template, "failureDomains": zones, "driver": driver, **spec}
        return self.object("NodePool", self.namespace, wanted)

    def flavor(
        self, name: str = "", *, cpus: int = 2, memory: str = "2Gi", disk: str = "20Gi", **spec: Any
    ) -> Manifest:
        size = {"cpu": {"guest": cpus}, "memory": {"guest": memory}, "rootDisk": {"size": disk}}
        return self.object("Flavor", name or self.namespace, {**size, **spec})

    def image(self, name: str = "debian", **spec: Any) -> Manifest:
        source = {"type": "HTTP", "http": {"url": "https://images.example.org/debian.qcow2"}}
        return self.object("Image", name, {"source": source, "size": "60Mi", "virtualSize": "4Gi", **spec})

    def network(self) -> Manifest:
        return self.object("Network", "net", {"subnets": [{"name": "v4", "cidr": "10.1.0.0/24"}]})

    def group(self, name: str = "group", **spec: Any) -> Manifest:
        return self.object("PlacementGroup", name, {"policy": "AntiAffinity", **spec})

    def vm(self, name: str = "vm", **spec: Any) -> Manifest:
        wanted = {
            "flavorRef": {"name": self.namespace},
            "imageRef": {"name": "debian"},
            "placement": {"nodePoolName": self.namespace},
            "networks": [{"name": "eth0", "networkRef": {"name": "net"}}],
        }
        return self.object("VirtualMachine", name, {**wanted, **spec}, labels={"app": "test"})

    def plan(self, name: str = "plan", **spec: Any) -> Manifest:
        return self.object("MigrationPlan", name, spec)

    # Doing

    def apply(self, *manifests: Manifest) -> str:
        return self.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(manifests))

    def up(self, *manifests: Manifest) -> None:
        """Apply the manifests and wait until each is Ready."""
        self.apply(*manifests)
        self.ready(*manifests)

    def ready(self, *manifests: Manifest) -> None:
        text = yaml.safe_dump_all(manifests)
        self.kubectl("wait", "--for=condition=Ready", f"--timeout={PATIENCE:.0f}s", "-f", "-", input=text)

    def patch(self, kind: str, name: str, spec: Manifest) -> None:
        body = json.dumps({"spec": spec})
        self.kubectl("patch", kind, name, "-n", self.namespace, "--type=merge", "-p", body)

    # Looking

    def get(self, kind: str, name: str) -> Manifest:
        found: Manifest = json.loads(self.kubectl("get", kind, name, "-n", self.namespace, "-o", "json"))
        return found

    def list(self, kind: str) -> list[Manifest]:
        found: list[Manifest] = json.loads(self.kubectl("get", kind, "-n", self.namespace, "-o", "json"))["items"]
        return found

    def status(self, kind: str, name: str = "vm") -> Manifest:
        status: Manifest = self.get(kind, name)["status"]
        return status

    def observed(self, kind: str, name: str) -> None:
        """Wait until the operator has seen an object as it is now: each kind comes to it in a stream of its own."""
        seen: list[Manifest] = []

        def so() -> bool:
            seen.append(self.get(kind, name))
            return bool(seen[-1]["status"].get("observedGeneration") == seen[-1]["metadata"]["generation"])

        eventually(so, PATIENCE, lambda: f"{kind} {name} was not looked at: {json.dumps(seen[-1], indent=1)}")

    def phase(self, kind: str, name: str, *phases: str) -> Manifest:
        """Wait for one of the phases; returns the status then."""
        seen: list[Manifest] = []

        def there() -> bool:
            seen.append(self.status(kind, name))
            return seen[-1].get("phase") in phases

        eventually(there, PATIENCE, lambda: f"{kind} {name} is not {phases}: {json.dumps(seen[-1], indent=1)}")
        return seen[-1]

    def phases(self, kind: str, **wanted: int) -> None:
        """Wait until so many objects of the kind are in each of these phases, and none in another."""
        seen: list[dict[str, int]] = []

        def so() -> bool:
            counts: dict[str, int] = defaultdict(int)
            for item in self.list(kind):
                counts[item.get("status", {}).get("phase", "")] += 1
            seen.append(dict(counts))
            return seen[-1] == wanted

        eventually(so, PATIENCE, lambda: f"{kind}: {seen[-1]}, not {wanted}")

    def shown(self, kind: str, name: str) -> dict[str, str]:
        """What ``kubectl get -o wide`` shows of one object, by heading."""
        head, line = self.kubectl("get", kind, name, "-n", self.namespace, "-o", "wide").splitlines()
        columns = [(found.group(), found.start()) for found in re.finditer(r"\S+", head)]
        ends = [*(start for _, start in columns[1:]), None]
        return {heading: line[start:end].strip() for (heading, start), end in zip(columns, ends, strict=True)}

    def shows(self, kind: str, name: str, **columns: str) -> None:
        """Wait until ``kubectl get -o wide`` shows these values under these headings."""
        seen: list[dict[str, str]] = []

        def so() -> bool:
            seen.append(self.shown(kind, name))
            return all(seen[-1][heading.upper()] == value for heading, value in columns.items())

        eventually(so, PATIENCE, lambda: f"kubectl get {kind} {name} shows {seen[-1]}, not {columns}")

    def host(self, index: int) -> str:
        return f"{self.namespace}-{index}"

    def told(self, kind: str, name: str, *reasons: str) -> None:
        """Wait for events of these reasons on an object; those on cluster-scoped ones are in ``default``."""
        where = "-A" if kind in ("Flavor", "NodePool", "Host", "MigrationPolicy") else f"--namespace={self.namespace}"
        about = f"involvedObject.kind={kind},involvedObject.name={name}"
        seen: list[list[str]] = []

        def all_told() -> bool:
            events = json.loads(self.kubectl("get", "events", where, f"--field-selector={about}", "-o", "json"))
            seen.append([event["reason"] for event in events["items"]])
            return set(reasons) <= set(seen[-1])

        eventually(all_told, PATIENCE, lambda: f"of {kind} {name} was told {seen[-1]}, not {reasons}")

    def host_phase(self, name: str, *phases: str) -> Manifest:
        return self.phase("host", name, *phases)


@dataclass(frozen=True)
class Change:
    """What a watch tells: ADDED, MODIFIED or DELETED, and the object as it is, or was last."""

    type: str
    object: Manifest


@contextmanager
def changes_of(cloud: Cloud, kind: str) -> Iterator[Iterator[Change]]:
    """Every change from now on to the cloud's objects of a kind: none is missed, however late one looks."""
    path = f"/apis/{API_VERSION}/namespaces/{cloud.namespace}/{KINDS[kind].PLURAL}"
    version = json.loads(cloud.kubectl("get", "--raw", f"{path}?limit=1"))["metadata"]["resourceVersion"]
    changes = f"{path}?watch=1&resourceVersion={version}&timeoutSeconds={WATCH_SECONDS}"
    command = [str(cloud.kubectl.path), f"--kubeconfig={cloud.kubectl.kubeconfig}", "get", "--raw", changes]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        try:
            yield (Change(**json.loads(line)) for line in watch.stdout)
        finally:
            watch.kill()


def condition(status: Manifest, type_: str) -> Manifest:
    """One condition of a status; empty where it has none of that type."""
    return next((c for c in status.get("conditions", []) if c["type"] == type_), {})


@contextmanager
def cloud_in(kubectl: Kubectl, namespace: str) -> Iterator[Cloud]:
    """The cloud of a namespace; at the end all in it, its pools, flavors and policies are deleted, not awaited."""
    made = Cloud(kubectl, namespace)
    try:
        yield made
    finally:
        kubectl("delete", "mplan,vmm,vm", "--all", "-n", namespace, "--wait=false")
        kubectl("delete", "npool,flv,mpol", "-l", f"cloud={namespace}", "--wait=false")


def assert_no_double_allocation(kubectl: Kubectl, pool: str) -> None:
    """No host of the pool is claimed above what it can give, no address is held twice: read off the API server."""
    everything = json.loads(kubectl("get", "hst,vm,vmm", "-A", "-o", "json"))["items"]
    vms = {item["metadata"]["uid"]: item for item in everything if item["kind"] == "VirtualMachine"}
    held: dict[str, list[tuple[int, int]]] = defaultdict(list)
    addresses: dict[tuple[str, str], str] = {}
    for uid, vm in vms.items():
        status = vm.get("status", {})
        if status.get("hostName"):
            held[status["hostName"]].append((status["flavor"]["vcpus"], status["flavor"]["memoryBytes"]))
        for nic in status.get("interfaces", []):
            holder = addresses.setdefault((nic["network"], nic["ipAddress"]), uid)
            assert holder == uid, f"{nic['ipAddress']} has two holders"
    for migration in (item for item in everything if item["kind"] == "VirtualMachineMigration"):
        status = migration.get("status", {})
        vm = vms.get(status.get("vmUID", ""), {})
        over = status.get("phase") in ("Succeeded", "Failed", "Cancelled")
        if not over and status.get("targetHost") and vm.get("status", {}).get("hostName") != status["targetHost"]:
            held[status["targetHost"]].append((status["resources"]["vcpus"], status["resources"]["memoryBytes"]))
    hosts = [h for h in everything if h["kind"] == "Host" and h["spec"]["poolRef"]["name"] == pool]
    assert hosts
    for host in hosts:
        claims, most = held[host["metadata"]["name"]], host["status"]["allocatable"]
        assert sum(cpus for cpus, _ in claims) * 1000 <= Quantity(most["cpu"]).milli, host
        assert sum(memory for _, memory in claims) <= Quantity(most["memory"]).bytes, host
