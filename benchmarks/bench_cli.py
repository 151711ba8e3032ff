"""``kubectl drover status`` beside ``kubectl get vm -A -o json``: seconds, and CPU seconds of the command itself.

1,000 copies of the cluster's first running VM, in a namespace of their own that is gone afterwards. Stop the operator
before, or it makes them run. Both commands take turns, so that a busy machine is as busy for either.
Run: ``python benchmarks/bench_cli.py``, KUBECONFIG naming a cluster that has the VMs of examples/.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from drover.api.virtualmachine import VirtualMachine
from drover.kube.api import Api, Unmetered, collection_of
from drover.kube.connection import Connection

NAMESPACE = "bench-cli"
STATUS = (str(Path(sys.executable).parent / "kubectl-drover"), "status")
GET = ("kubectl", "get", "vm", "-A", "-o", "json")


class Taken(NamedTuple):
    """One run of a command."""

    seconds: float
    cpu_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vms", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    sample = first_running()
    if sample is None:
        print("skipped: KUBECONFIG names no cluster in which a VM runs")
        return
    subprocess.run(("kubectl", "create", "namespace", NAMESPACE), check=True, stdout=subprocess.DEVNULL)
    try:
        asyncio.run(fill(sample, options.vms))
        turns = [(run(STATUS), run(GET)) for _ in range(options.turns)]
    finally:
        subprocess.run(("kubectl", "delete", "namespace", NAMESPACE, "--wait=false"), check=True)
    report("drover status", [status for status, _ in turns])
    report("kubectl get", [get for _, get in turns])
    print(f"ratio: {statistics.median(status.seconds / get.seconds for status, get in turns):.2f}")


def first_running() -> dict[str, Any] | None:
    done = subprocess.run(GET, check=False, capture_output=True)
    if done.returncode:
        return None
    return next((vm for vm in json.loads(done.stdout)["items"] if vm["status"].get("phase") == "Running"), None)


async def fill(sample: dict[str, Any], count: int) -> None:
    """Copies with the sample's status, 16 at a time."""
    connection = Connection(None, None)
    await connection.load()
    slots = asyncio.Semaphore(16)
    async with Api(connection.configuration, Unmetered()) as api:

        async def copy(number: int) -> None:
            metadata = {"name": f"vm-{number}", "labels": sample["metadata"].get("labels", {})}
            body = {"apiVersion": sample["apiVersion"], "kind": sample["kind"], "metadata": metadata}
            path = collection_of(VirtualMachine.KIND, NAMESPACE)
            async with slots:
                await api.request("create", "virtualmachines", path, body={**body, "spec": sample["spec"]})
                change = {"status": sample["status"]}
                await api.request("patch", "virtualmachines", f"{path}/vm-{number}/status", body=change)

        await asyncio.gather(*map(copy, range(count)))


def run(command: Sequence[str]) -> Taken:
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def report(name: str, runs: Sequence[Taken]) -> None:
    median = Taken(*(statistics.median(values) for values in zip(*runs, strict=True)))
    least = Taken(*(min(values) for values in zip(*runs, strict=True)))
    print(
        f"{name}: median {median.seconds:.2f} s ({median.cpu_seconds:.2f} s of CPU),"
        f" least {least.seconds:.2f} s ({least.cpu_seconds:.2f} s of CPU)"
    )


if __name__ == "__main__":
    main()
