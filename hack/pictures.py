"""``make pictures``: docs/images/drover-*.png, the dashboards drawn from a Prometheus that scraped a running operator.

Some minutes of a small data centre: examples/ come up, a host is drained, another crashes and comes back, VMs come and
go and move. No Grafana is needed, and the pictures are Prometheus' own answers to the dashboards' queries.
"""

import json
import sys
import time
from pathlib import Path

from controlplane import Kubectl, install_crds, start
from mixin.boards import BOARDS
from mixin.drawing import Window, draw
from mixin.server import Prometheus
from operatorprocess import OperatorProcess

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "pictures"
IMAGES = ROOT / "docs" / "images"
ROUNDS = 6
CHOSEN = {"drover-vm": {"namespace": "shop", "vm": "web-1"}}
"""What is chosen at the top of a board."""
CRASH = '{"spec":{"fault":{"type":"Crash"}}}'
REPAIR = '{"spec":{"fault":{"type":"None"}}}'


def main() -> int:
    plane = start(CACHE / "cluster")
    kubectl = Kubectl(plane.kubectl, plane.kubeconfig)
    operator = None
    try:
        install_crds(kubectl, ROOT / "crds")
        operator = OperatorProcess(plane.kubeconfig, CACHE / "operator.log")
        operator.await_leading()
        data = CACHE / f"prometheus-{time.time():.0f}"
        data.mkdir(parents=True)
        with Prometheus(data, [operator.address]) as prometheus:
            begun = time.time()
            live(kubectl)
            IMAGES.mkdir(parents=True, exist_ok=True)
            for board in BOARDS:
                window = Window(begun, time.time())
                draw(board, prometheus, window, IMAGES / f"{board.uid}.png", **CHOSEN.get(board.uid, {}))
                print(IMAGES / f"{board.uid}.png")
    finally:
        if operator is not None:
            operator.stop()
        plane.stop()
    return 0


def live(kubectl: Kubectl) -> None:
    """Some minutes of life."""
    kubectl("apply", "-f", str(ROOT / "examples"))
    time.sleep(20)
    drain = ROOT / "examples" / "maintenance"
    kubectl("patch", "host", "highmem-0", "--type=merge", f"--patch-file={drain / '2-drain.yaml'}")
    for number in range(ROUNDS):
        vms = json.loads(kubectl("get", "vm", "-n", "shop", "-o", "json"))["items"]
        for vm in vms[number % 2 :: 2]:
            _move(kubectl, vm["metadata"]["name"], number)
        victim = f"general-{number}"
        kubectl("patch", "host", victim, "--type=merge", "-p", CRASH)
        time.sleep(15)
        kubectl("patch", "host", victim, "--type=merge", "-p", REPAIR)
        kubectl("delete", "vm", "-n", "batch", "--field-selector=status.phase=Running", "--wait=false")
        time.sleep(10)
        kubectl("apply", "-f", str(ROOT / "examples" / "51-batch.yaml"))
    kubectl("patch", "host", "highmem-0", "--type=merge", f"--patch-file={drain / '3-return.yaml'}")
    time.sleep(15)


def _move(kubectl: Kubectl, vm: str, number: int) -> None:
    manifest = {
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "VirtualMachineMigration",
        "metadata": {"name": f"{vm}-{number}", "namespace": "shop"},
        "spec": {"virtualMachineName": vm},
    }
    kubectl("apply", "-f", "-", input=json.dumps(manifest))


if __name__ == "__main__":
    sys.exit(main())
