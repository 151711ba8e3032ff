"""How the components of the node are called, beside those of the bare control plane."""

from controlplane import components
from controlplane.assets import Binaries
from node.configs import ADDRESS, ETCD_PEER_PORT, ETCD_PORT, NAME, PORT, ROOT, VOLUME_PLUGINS

BIN = ROOT / "bin"
_BINARIES = Binaries(str(BIN), BIN / "etcd", BIN / "kube-apiserver", BIN / "kube-controller-manager", BIN / "kubectl")


def etcd() -> list[str]:
    """The one of the bare control plane."""
    return components.etcd(_BINARIES, ROOT, ETCD_PORT, ETCD_PEER_PORT)


def apiserver() -> list[str]:
    """kube-apiserver on an address that pods reach; kubelets log in by certificate and see their own pods only."""
    keys = f"{ROOT}/credentials"
    return [
        *components.apiserver_anywhere(_BINARIES, ROOT, ETCD_PORT),
        f"--advertise-address={ADDRESS}",
        f"--secure-port={PORT}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={keys}/ca.crt",
        f"--kubelet-client-certificate={keys}/admin.crt",
        f"--kubelet-client-key={keys}/admin.key",
    ]


def controller_manager() -> list[str]:
    """kube-controller-manager with all default controllers, each with the rights of its own account."""
    return [
        *components.controller_manager_with_all(_BINARIES, ROOT),
        "--use-service-account-credentials=true",
        f"--flex-volume-plugin-dir={VOLUME_PLUGINS}",
        # Every controller asks for its account and a token before it starts: at the usual 20 a second that takes 4 s.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def scheduler() -> list[str]:
    """kube-scheduler, alone and without a port."""
    kubeconfig = f"--kubeconfig={ROOT}/kube-scheduler.kubeconfig"
    return [str(BIN / "kube-scheduler"), kubeconfig, "--leader-elect=false", "--secure-port=0"]


def containerd() -> list[str]:
    """containerd, which finds its shim and runc on PATH."""
    return [str(BIN / "containerd"), f"--config={ROOT}/containerd.toml"]


def kubelet() -> list[str]:
    """kubelet of the only node."""
    return [
        str(BIN / "kubelet"),
        f"--config={ROOT}/kubelet.yaml",
        f"--kubeconfig={ROOT}/kubelet.kubeconfig",
        f"--root-dir={ROOT}/kubelet",
        f"--node-ip={ADDRESS}",
        f"--hostname-override={NAME}",
    ]


def kube_proxy() -> list[str]:
    """kube-proxy, which makes the addresses of Services with iptables."""
    return [str(BIN / "kube-proxy"), f"--config={ROOT}/kube-proxy.yaml"]
