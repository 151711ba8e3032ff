"""The chart's release under test: installed, upgraded, looked into and asked for its pages."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from clouds import PATIENCE, Cloud
from running import eventually

from chart.helm import Helm
from controlplane import Kubectl

CHART = Path(__file__).parents[2] / "charts" / "drover"
NAME, NAMESPACE = "drover", "drover-system"
SELECTOR = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component=operator"
ROLLOUT_SECONDS = 120
LEADING_SECONDS = 60.0
"""A Lease of 15 s that has to run out, and a start on a machine that is busy."""
Manifest = dict[str, Any]


@dataclass
class Release:
    """One release of the chart. ``values`` are as for ``helm --set``."""

    kubectl: Kubectl
    helm: Helm
    seconds_to_ready: float = 0.0
    values: tuple[str, ...] | None = field(default=None)

    def first_install(self) -> None:
        """Install with the chart's defaults; how long that took until the pod was Ready is kept."""
        begun = time.monotonic()
        self.upgrade()
        self.seconds_to_ready = time.monotonic() - begun

    def upgrade(self, *values: str) -> None:
        """Install, or upgrade to exactly these values; return when all pods are of them, and one leads."""
        if values != self.values:
            settings = [part for value in values for part in ("--set", value)]
            self.helm("upgrade", "--install", NAME, str(CHART), "--namespace", NAMESPACE, *settings)
            self.values = values
        self.settle()

    def settle(self) -> None:
        """Wait until all pods are there and Ready, those to be replaced are gone, and one of them leads."""
        self.kubectl("rollout", "status", f"deployment/{NAME}", "-n", NAMESPACE, f"--timeout={ROLLOUT_SECONDS}s")
        eventually(self._settled, LEADING_SECONDS, lambda: f"leader {self.leader()!r}, {self.pods()}")

    def _settled(self) -> bool:
        pods = self.pods()
        return self.leader() in pods and all(ready(pod) for pod in pods.values())

    def uninstall(self) -> None:
        """Uninstall, and wait until the last pod is gone."""
        self.helm("uninstall", NAME, "--namespace", NAMESPACE)
        self.values = None
        eventually(lambda: not self.pods(), PATIENCE, lambda: f"still there: {list(self.pods())}")

    def pods(self) -> dict[str, Manifest]:
        """The operator's pods by name, those that are ending too."""
        found = json.loads(self.kubectl("get", "pods", "-n", NAMESPACE, "-l", SELECTOR, "-o", "json"))
        return {pod["metadata"]["name"]: pod for pod in found["items"]}

    def leader(self) -> str:
        """The pod that holds the Lease; empty while nobody does."""
        lease = self.kubectl("get", "lease", "drover", "-n", NAMESPACE, "--ignore-not-found", "-o", "json")
        return str(json.loads(lease or "{}").get("spec", {}).get("holderIdentity", "")).rpartition("_")[0]

    def execute(self, *command: str) -> str:
        """Run a command in the container of the leader."""
        return self.kubectl("exec", self.leader(), "-n", NAMESPACE, "--", *command)

    def run(self, name: str, code: str, *arguments: str) -> str:
        """Run Python in a pod of its own, of the release's image, and return what it printed."""
        container = {
            "name": "python",
            "image": next(iter(self.pods().values()))["spec"]["containers"][0]["image"],
            "command": ["python3", "-c", code, *arguments],
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "restartPolicy": "Never",
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [container],
            },
        }
        self.kubectl("apply", "-f", "-", input=yaml.safe_dump(pod))
        try:
            ended = "--for=jsonpath={.status.containerStatuses[0].state.terminated}"
            self.kubectl("wait", ended, f"--timeout={PATIENCE:.0f}s", "pod", name, "-n", NAMESPACE)
            return self.kubectl("logs", name, "-n", NAMESPACE)
        finally:
            self.kubectl("delete", "pod", name, "-n", NAMESPACE, "--grace-period=1", "--wait=false")


def ready(pod: Manifest) -> bool:
    """Whether a pod is Ready and not ending."""
    conditions = {c["type"]: c["status"] for c in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def guests(cloud: Cloud) -> dict[str, Manifest]:
    """What tells of each VM of a cloud whether its guest was ever disturbed."""
    fields = ("bootAttempt", "restarts", "lastStartTime", "primaryIP")
    return {
        vm["metadata"]["name"]: {"uid": vm["metadata"]["uid"], **{name: vm["status"][name] for name in fields}}
        for vm in cloud.list("vm")
    }


def claims(cloud: Cloud) -> dict[str, Manifest]:
    """What each VM of a cloud holds, and what is metered of it: intervals that ended, and the one that runs."""
    fields = ("hostName", "flavor", "interfaces", "usage")
    return {vm["metadata"]["name"]: {name: vm["status"][name] for name in fields} for vm in cloud.list("vm")}
