"""The command lines of etcd, kube-apiserver and kube-controller-manager.

Every one of them names a file in the state directory: that is how a process is recognised as ours.
"""

from pathlib import Path

from controlplane.assets import Binaries

# Those Drover's promises lean on: ownerReferences, namespace deletion, accounts and tokens, quotas, and the
# aggregation without which the cluster roles view, edit and admin allow nothing.
CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "resourcequota-controller",
    "clusterrole-aggregation-controller",
)


def etcd(binaries: Binaries, state: Path, client_port: int, peer_port: int) -> list[str]:
    """etcd without fsync: a power cut loses the data, a test does not mind."""
    client, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
    return [
        str(binaries.etcd),
        f"--data-dir={state}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


# Who wrote what of ours: a promise about the number of writes can be checked only here. And all that the accounts of
# the operator and its webhook ask for: what their roles grant can be held against it.
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
  resources: [{group: drover.dev}]
- level: Metadata
  userGroups: ["system:serviceaccounts:drover-system"]
- level: None
"""


def apiserver(binaries: Binaries, state: Path, port: int, etcd_port: int) -> list[str]:
    """kube-apiserver on the loopback address only."""
    return [
        *apiserver_anywhere(binaries, state, etcd_port),
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        "--authorization-mode=RBAC",
        # No Service needs an endpoint for the API server, and 127.0.0.1 would be refused as one.
        "--endpoint-reconciler-type=none",
    ]


def apiserver_anywhere(binaries: Binaries, state: Path, etcd_port: int) -> list[str]:
    """kube-apiserver with an audit log of all writes to Drover's kinds, but for its address and authorization mode."""
    keys = f"{state}/credentials"
    return [
        str(binaries.apiserver),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--tls-cert-file={keys}/apiserver.crt",
        f"--tls-private-key-file={keys}/apiserver.key",
        f"--client-ca-file={keys}/ca.crt",
        # As OpenShift has it: who makes an owner wait for what it owns must have the right to.
        "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={keys}/service-account.pub",
        f"--service-account-signing-key-file={keys}/service-account.key",
        "--service-cluster-ip-range=10.96.0.0/24",
        f"--audit-policy-file={state}/audit-policy.yaml",
        f"--audit-log-path={state}/audit.log",
    ]


def controller_manager(binaries: Binaries, state: Path) -> list[str]:
    """kube-controller-manager with the few controllers of CONTROLLERS."""
    return [*controller_manager_with_all(binaries, state), f"--controllers={','.join(CONTROLLERS)}"]


def controller_manager_with_all(binaries: Binaries, state: Path) -> list[str]:
    """kube-controller-manager with the controllers that are its default, alone and without a port."""
    keys = f"{state}/credentials"
    return [
        str(binaries.controller_manager),
        f"--kubeconfig={state}/kubeconfig",
        f"--service-account-private-key-file={keys}/service-account.key",
        f"--root-ca-file={keys}/ca.crt",
        "--leader-elect=false",
        "--secure-port=0",
    ]
