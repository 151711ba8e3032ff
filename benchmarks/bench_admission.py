"""What the admission webhook adds to a write: dry runs through a real API server, with it and without it.

A control plane is started, with 100 hosts and 1,000 VMs on them; no operator runs. The same objects are tried in two
namespaces, of which the webhook is asked about one, one after the other, so that both meet the same machine.

PYTHONPATH=hack:tests/integration .venv/bin/python benchmarks/bench_admission.py
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from webhooks import MARK, Webhook

from controlplane import Kubectl, install_crds, start
from drover.api.kinds import KINDS
from drover.api.meta import API_VERSION, Key
from drover.kube.api import Api, collection_of, path_of
from drover.kube.connection import Connection
from drover.observe.metrics import Metrics

ROOT = Path(__file__).parents[1]
PLAIN, ASKED = "plain", "asked"
HARDWARE = {
    "cpu": {"sockets": 1, "coresPerSocket": 16, "threadsPerCore": 2},
    "memory": "64Gi",
    "disk": "2Ti",
    "nics": [{"name": "eth0", "bandwidth": "1250M"}],
}
Manifest = dict[str, Any]


def manifest(kind: str, name: str, spec: Manifest, namespace: str = "", status: Manifest | None = None) -> Manifest:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec, "status": status or {}}


def ready(reason: str, **fields: Any) -> Manifest:
    condition = {"type": "Ready", "status": "True", "reason": reason, "message": ""}
    at = {"lastTransitionTime": "2026-11-01T00:00:00Z"}
    return {"observedGeneration": 1, "conditions": [condition | at]} | fields


def flavor(name: str, memory: str) -> Manifest:
    size = {"cpu": {"guest": 2}, "memory": {"guest": memory}, "rootDisk": {"size": "20Gi"}}
    return manifest("Flavor", name, size)


def vm(name: str, namespace: str, flavor: str = "small", status: Manifest | None = None) -> Manifest:
    networks = [{"name": "eth0", "networkRef": {"name": "net", "namespace": PLAIN}}]
    image = {"name": "debian", "namespace": PLAIN}
    spec = {"flavorRef": {"name": flavor}, "imageRef": image, "networks": networks}
    return manifest("VirtualMachine", name, spec, namespace, status)


def placed(number: int, hosts: int) -> Manifest:
    size = {"name": "small", "vcpus": 2, "memoryBytes": 4 << 30, "rootDiskBytes": 20 << 30}
    where = {"hostName": f"p1-{number % hosts}", "nodePoolName": "p1", "flavor": size, "bootAttempt": 1}
    return ready("Running", phase="Running", **where)


def data_centre(hosts: int, vms: int) -> Iterable[list[Manifest]]:
    """In batches that can be created in any order each."""
    source = {"type": "HTTP", "http": {"url": "https://images.example.org/debian.qcow2"}}
    yield [
        manifest("NodePool", "p1", {"replicas": hosts, "template": HARDWARE}, status=ready("AllHostsReady")),
        *(flavor(name, memory) for name, memory in (("small", "4Gi"), ("medium", "8Gi"), ("giant", "63Gi"))),
        manifest("Image", "debian", {"source": source, "size": "500M"}, PLAIN, ready("Imported", phase="Ready")),
        manifest(
            "Network",
            "net",
            {"subnets": [{"name": "a", "cidr": "10.0.0.0/16"}], "shared": True},
            PLAIN,
            ready("Active", phase="Active", segmentationID=7),
        ),
    ]
    spec = {"poolRef": {"name": "p1"}, "hardware": HARDWARE}
    yield [manifest("Host", f"p1-{n}", spec, status=ready("HostReady", phase="Ready")) for n in range(hosts)]
    yield [vm(f"vm-{n}", (PLAIN, ASKED)[n % 2], status=placed(n, hosts)) for n in range(vms)]


async def create(api: Api, objects: Iterable[Manifest]) -> None:
    slots = asyncio.Semaphore(32)

    async def one(wanted: Manifest) -> None:
        kind, metadata = wanted["kind"], wanted["metadata"]
        key = Key(kind, metadata.get("namespace", ""), metadata["name"])
        async with slots:
            await api.request("create", KINDS[kind].PLURAL, collection_of(kind, key.namespace), body=wanted)
            status = {"status": wanted["status"]}
            await api.request("patch", KINDS[kind].PLURAL, path_of(key, "status"), body=status)

    await asyncio.gather(*map(one, objects))


async def tried(api: Api, wanted: Manifest) -> float:
    """Seconds of one dry run: it is warned of what is wrong, never refused."""
    kind, path = wanted["kind"], collection_of(wanted["kind"], wanted["metadata"]["namespace"])
    begun = time.perf_counter()
    await api.request("create", KINDS[kind].PLURAL, path, body=wanted, query=[("dryRun", "All")])
    return time.perf_counter() - begun


def plan(namespace: str, vms: int) -> Manifest:
    first = (PLAIN, ASKED).index(namespace)
    listed = [{"name": f"vm-{number}"} for number in range(first, first + 2 * vms, 2)]
    return manifest("MigrationPlan", "plan", {"mode": "DryRun", "virtualMachines": listed}, namespace)


CASES: dict[str, Callable[[str], Manifest]] = {
    "a VM that fits": lambda namespace: vm("new", namespace),
    "a VM without its flavor": lambda namespace: vm("new", namespace, "none"),
    "a VM without room": lambda namespace: vm("new", namespace, "giant"),
    "a plan of 3 VMs": lambda namespace: plan(namespace, 3),
    "a plan of 32 VMs": lambda namespace: plan(namespace, 32),
}


async def compare(api: Api, pid: int, repeats: int) -> None:
    """Milliseconds. The webhook's CPU time does not depend on what else the machine does."""
    print(
        f"{'dry run of':26} {'alone p50':>10} {'p99':>8} {'asked p50':>10} {'p99':>8} {'ratio p50':>10} {'its CPU':>8}"
    )
    for name, case in CASES.items():
        times: dict[str, list[float]] = {PLAIN: [], ASKED: []}
        before = cpu_seconds(pid)
        for _ in range(repeats):
            for namespace, seen in times.items():
                seen.append(1e3 * await tried(api, case(namespace)))
        cpu = 1e3 * (cpu_seconds(pid) - before) / repeats
        (alone, alone99), (asked, asked99) = (at(times[namespace]) for namespace in (PLAIN, ASKED))
        figures = f"{alone:10.1f} {alone99:8.1f} {asked:10.1f} {asked99:8.1f} {asked / alone:10.1f} {cpu:8.1f}"
        print(f"{name:26} {figures}", flush=True)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (proc(5): fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def at(times: list[float]) -> tuple[float, float]:
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[int(0.99 * (len(ordered) - 1))]


async def measure(kubeconfig: Path, webhook: Callable[[], Webhook], args: argparse.Namespace) -> None:
    connection = Connection(str(kubeconfig), None)
    await connection.load()
    async with Api(connection.configuration, Metrics()) as api:
        begun = time.perf_counter()
        for batch in data_centre(args.hosts, args.vms):
            await create(api, batch)
        print(f"{args.vms} VMs on {args.hosts} hosts, made in {time.perf_counter() - begun:.0f} s")
        asked = webhook()
        try:
            asked.await_ready()
            asked.register(failurePolicy="Fail", timeoutSeconds=10)
            await asyncio.sleep(5)  # the API server takes a registration up within a moment
            await compare(api, asked.process.pid, args.repeats)
        finally:
            asked.kill()
    counted = [line for line in asked.log().splitlines() if " ERROR " in line]
    assert not counted, counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--vms", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=200)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        plane = start(Path(folder) / "plane")
        try:
            kubectl = Kubectl(plane.kubectl, plane.kubeconfig)
            install_crds(kubectl, ROOT / "crds")
            for name, labels in ((PLAIN, {}), (ASKED, {MARK: "true"})):
                namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
                kubectl("apply", "-f", "-", input=json.dumps(namespace))
            files = Path(folder) / "webhook"
            files.mkdir()
            asyncio.run(measure(plane.kubeconfig, lambda: Webhook(plane, plane.kubeconfig, files), args))
        finally:
            plane.stop()


if __name__ == "__main__":
    main()
