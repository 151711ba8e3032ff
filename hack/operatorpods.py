"""The operator of a Deployment that is in the cluster already, with the face that the demo knows of OperatorProcess."""

import json
from dataclasses import dataclass
from pathlib import Path

from controlplane import Kubectl
from operatorprocess import requests_on

_NAME, _COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"


@dataclass(frozen=True)
class OperatorPods:
    """One Deployment of the operator, by namespace and name; ``selector`` finds its pods."""

    kubectl: Kubectl
    namespace: str
    name: str
    selector: str
    log: Path
    ending = ""

    @classmethod
    def find(cls, kubectl: Kubectl, log: Path) -> "OperatorPods | None":
        """The operator of a cluster; None where it has none."""
        found = json.loads(kubectl("get", "deployments", "-A", "-l", f"{_NAME}=drover", "-o", "json"))["items"]
        for item in found:
            metadata, labels = item["metadata"], item["spec"]["selector"]["matchLabels"]
            if metadata["labels"].get(_COMPONENT, "operator") == "operator":
                selector = ",".join(f"{key}={value}" for key, value in labels.items())
                return cls(kubectl, metadata["namespace"], metadata["name"], selector, log)
        return None

    @property
    def whereabouts(self) -> str:
        return f"Deployment {self.namespace}/{self.name}"

    def await_leading(self) -> None:
        """Wait until all its pods are Ready: the work shows whether one leads. Raises KubectlError."""
        self.kubectl("rollout", "status", f"deployment/{self.name}", "-n", self.namespace, "--timeout=120s")

    def requests(self) -> dict[tuple[str, str], int]:
        """Requests answered so far, by (verb, plural), of all pods: only the leader's count patches."""
        counted: dict[tuple[str, str], int] = {}
        base = f"/api/v1/namespaces/{self.namespace}/pods"
        names = ("pods", "-n", self.namespace, "-l", self.selector, "-o", "jsonpath={.items[*].metadata.name}")
        for pod in self.kubectl("get", *names).split():
            for key, count in requests_on(self.kubectl("get", "--raw", f"{base}/{pod}:8080/proxy/metrics")).items():
                counted[key] = counted.get(key, 0) + count
        return counted

    def stop(self) -> None:
        """Leave it running: it is not ours. Its log is kept where that of a process would be."""
        options = ("-n", self.namespace, "-l", self.selector, "--prefix", "--tail=-1")
        self.log.write_text(self.kubectl("logs", *options))
