"""Process 1 of the namespaces: bring the node up, run the command, end. Called by run.py only."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from controlplane import Kubectl, KubectlError
from controlplane.certificates import write_credentials, write_kubeconfig
from controlplane.components import AUDIT_POLICY
from controlplane.progress import ControlPlaneError, output_of, say, step
from node import components, configs, mounts
from node.configs import ADDRESS, CONTAINERD_SOCKET, NAME, PORT, ROOT
from node.state import LOGS
from node.supervisor import Supervisor

FAILED = 125  # the node, not the command: as `docker run` has it

# Clients of the API server beside the administrator: user and group.
_CLIENTS = {
    "kube-scheduler": ("system:kube-scheduler", None),
    "kube-proxy": ("system:kube-proxy", None),
    "kubelet": (f"system:node:{NAME}", "system:nodes"),
}
_LINKS = f"""\
link set lo up
link add br0 type bridge
address add {ADDRESS}/24 dev br0
link set br0 up
route add default dev br0
"""
# The last: what pods on one bridge say to each other through a Service passes iptables on its way back too.
_NETWORK_TUNABLES = ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables")
_IMPORT_SECONDS = 600.0
_READY = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'


def main() -> int:
    """The exit code of the command; FAILED when the node does not come up, or not stay up."""
    begun = time.monotonic()
    options = _parser().parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        mounts.make_private(options.state)
        _set_environment()
        _set_up_network()
        _write_files(options.cgroup)
        supervisor = Supervisor(ROOT / LOGS)
        _start(supervisor, options.images)
        say(f"node {NAME} is ready, {time.monotonic() - begun:.1f} s after nothing; KUBECONFIG={ROOT}/kubeconfig")
        return supervisor.run(options.command)
    except ControlPlaneError as error:
        say(str(error))
        return FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _set_environment() -> None:
    """What the components and the command inherit. No proxy is reached from here, and none is needed."""
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        os.environ.pop(variable, None)
        os.environ.pop(variable.upper(), None)
    os.environ["PATH"] = f"{components.BIN}:{os.environ['PATH']}"
    os.environ["KUBECONFIG"] = f"{ROOT}/kubeconfig"
    os.environ["KUBECACHEDIR"] = f"{ROOT}/kubectl-cache"
    os.environ["E2E"] = "1"  # tests/e2e may use up this cluster
    for kind in ("CACHE", "CONFIG", "DATA"):
        os.environ[f"HELM_{kind}_HOME"] = f"{ROOT}/helm/{kind.lower()}"


def _set_up_network() -> None:
    output_of(["ip", "-batch", "-"], "ip", stdin=_LINKS)
    for name in _NETWORK_TUNABLES:
        tunable = Path("/proc/sys") / name
        if tunable.exists():
            tunable.write_text("1")


def _write_files(cgroup: str) -> None:
    credentials, url = ROOT / "credentials", f"https://{ADDRESS}:{PORT}"
    credentials.mkdir()
    of_api = ("kubernetes.default.svc", "kubernetes.default", "kubernetes")
    authority = write_credentials(credentials, ADDRESS, configs.SERVICE_OF_API, *of_api)
    authority.serving("kubelet-serving", ADDRESS, NAME)
    write_kubeconfig(ROOT / "kubeconfig", url, credentials)
    for client, (user, group) in _CLIENTS.items():
        authority.client(client, user, group)
        write_kubeconfig(ROOT / f"{client}.kubeconfig", url, credentials, client)
    for name, text in {**configs.files(cgroup), "audit-policy.yaml": AUDIT_POLICY}.items():
        (ROOT / name).parent.mkdir(exist_ok=True)
        (ROOT / name).write_text(text)


def _start(supervisor: Supervisor, images: list[Path]) -> None:
    """Start every component as soon as what it cannot do without is there; return when a pod can run."""
    kubectl = Kubectl(components.BIN / "kubectl", ROOT / "kubeconfig")

    def answers(*query: str, expected: str) -> bool:
        try:
            return kubectl("get", *query) == expected
        except KubectlError:
            return False

    with step("starting containerd, etcd and kube-apiserver"):
        supervisor.start("containerd", components.containerd())
        supervisor.start("etcd", components.etcd())
        supervisor.start("kube-apiserver", components.apiserver())
        supervisor.wait_until(lambda: answers("--raw=/readyz", expected="ok"), "the API server is not ready")
        supervisor.wait_until(Path(CONTAINERD_SOCKET).exists, "containerd does not listen")
    supervisor.start("kube-controller-manager", components.controller_manager())
    supervisor.start("kube-scheduler", components.scheduler())
    supervisor.start("kubelet", components.kubelet())
    supervisor.start("kube-proxy", components.kube_proxy())
    for image in images:
        _import(image)
    with step("waiting for kubelet, kube-controller-manager, kube-scheduler and kube-proxy"):
        supervisor.wait_until(lambda: answers("node", NAME, "-o", _READY, expected="True"), f"{NAME} is not ready")
        account = ("serviceaccount", "default", "-o", "jsonpath={.metadata.name}")
        supervisor.wait_until(lambda: answers(*account, expected="default"), "the namespace default has no account")


def _import(image: Path) -> None:
    command = ["ctr", f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io", "images", "import", str(image)]
    with step(f"importing {image.name}"):
        output_of(command, str(image), _IMPORT_SECONDS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="node.inside")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--cgroup", required=True)
    parser.add_argument("--images", type=Path, action="append", default=[])
    parser.add_argument("command", nargs="+")
    return parser


if __name__ == "__main__":
    sys.exit(main())
