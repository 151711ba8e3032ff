"""A real Kubernetes API server for tests and demos, without Docker.

    plane = start(Path(".cache/cluster"))
    kubectl = Kubectl(plane.kubectl, plane.kubeconfig)
    install_crds(kubectl, Path("crds"))
    kubectl("get", "namespaces")
    plane.stop()

From a shell: ``PYTHONPATH=hack python -m controlplane up|down|status|env|build|kubectl``.
"""

from controlplane.assets import find_binaries
from controlplane.cluster import ControlPlane, start, status, stop
from controlplane.kubectl import Kubectl, KubectlError, crds_left, delete_crds, install_crds
from controlplane.progress import ControlPlaneError

__all__ = [
    "ControlPlane",
    "ControlPlaneError",
    "Kubectl",
    "KubectlError",
    "crds_left",
    "delete_crds",
    "find_binaries",
    "install_crds",
    "start",
    "status",
    "stop",
]
