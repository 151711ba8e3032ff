"""What the components of the node read: addresses, and the texts of their configuration files.

Inside the namespaces the state directory is always ROOT, and the addresses are always these.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from node import pause
from node.state import LOGS

ROOT = Path("/run/drover-node")
VOLUME_PLUGINS = ROOT / "volume-plugins"
NAME = "node0"
ADDRESS = "172.31.0.1"
SERVICE_OF_API = "10.96.0.1"
POD_SUBNET = "10.244.0.0/24"
PORT = 6443
ETCD_PORT, ETCD_PEER_PORT = 2379, 2380
CONTAINERD_SOCKET = "/run/containerd.sock"
CNI_PLUGINS = ("/usr/lib/cni", "/opt/cni/bin")  # Debian's, and where everybody else puts them

# What kubelet would otherwise write to the kernel of the whole machine, a laptop's too (setupKernelTunables).
KERNEL_TUNABLES = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}


def files(cgroup: str) -> dict[str, str]:
    """Every configuration file by its path below ROOT; pods live in the cgroup ``/cgroup``."""
    return {
        "containerd.toml": containerd(),
        "cni/10-pods.conflist": json.dumps(pod_network(), indent=2),
        "kubelet.yaml": yaml.safe_dump(kubelet(cgroup)),
        "kube-proxy.yaml": yaml.safe_dump(kube_proxy()),
    }


def containerd() -> str:
    """containerd that writes below ROOT and /run only."""
    return f"""\
version = 3
root = "{ROOT}/containerd"
state = "/run/containerd"
[grpc]
  address = "{CONTAINERD_SOCKET}"
[ttrpc]
  address = "{CONTAINERD_SOCKET}.ttrpc"
[plugins.'io.containerd.internal.v1.opt']
  path = "{ROOT}/containerd/opt"
[plugins.'io.containerd.nri.v1.nri']
  disable = true
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '{pause.IMAGE}'
[plugins.'io.containerd.cri.v1.runtime']
  # In a container (CI) a process may not make the kernel spare its children more than itself.
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = {list(CNI_PLUGINS)}
  conf_dir = '{ROOT}/cni'
"""


def pod_network() -> dict[str, Any]:
    """A bridge with an address for each pod, masked behind the node's."""
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": POD_SUBNET}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": f"{ROOT}/addresses",
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,  # a pod may reach itself through its Service
        "ipam": addresses,
    }
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge]}


def kubelet(cgroup: str) -> dict[str, Any]:
    """KubeletConfiguration of a node that shares its machine: it evicts nearly never, and reserves nothing."""
    keys = f"{ROOT}/credentials"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "readOnlyPort": 0,
        "tlsCertFile": f"{keys}/kubelet-serving.crt",
        "tlsPrivateKeyFile": f"{keys}/kubelet-serving.key",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{keys}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,  # an image that is deleted could not be pulled again
        "resolvConf": "",  # there is no name server to reach
        "makeIPTablesUtilChains": False,
        "podLogsDir": f"{ROOT}/{LOGS}/pods",
        "volumePluginDir": str(VOLUME_PLUGINS),
    }


def kube_proxy() -> dict[str, Any]:
    """KubeProxyConfiguration that leaves the machine's connection tracking table as large as it is."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": NAME,
        "clientConnection": {"kubeconfig": f"{ROOT}/kube-proxy.kubeconfig"},
        "clusterCIDR": POD_SUBNET,
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
