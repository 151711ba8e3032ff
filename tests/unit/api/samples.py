"""The least a user can write, for every kind."""

from typing import Any

SPECS: dict[str, dict[str, Any]] = {
    "NodePool": {"template": {"cpu": {"coresPerSocket": 16}, "memory": "256Gi"}},
    "Host": {"poolRef": {"name": "p1"}, "hardware": {"cpu": {"coresPerSocket": 16}, "memory": "256Gi"}},
    "Flavor": {"cpu": {"guest": 2}, "memory": {"guest": "4Gi"}},
    "Image": {
        "source": {"type": "HTTP", "http": {"url": "https://example.test/debian.qcow2"}},
        "size": "600Mi",
    },
    "Volume": {"size": "10Gi"},
    "Network": {"subnets": [{"name": "a", "cidr": "10.0.0.0/24"}]},
    "PlacementGroup": {"policy": "AntiAffinity"},
    "MigrationPolicy": {"selectors": {"virtualMachineSelector": {"tier": "gold"}}},
    "VirtualMachine": {"flavorRef": {"name": "m1.small"}, "imageRef": {"name": "debian"}},
    "VirtualMachineMigration": {"virtualMachineName": "web-1"},
    "MigrationPlan": {"virtualMachines": [{"name": "web-1"}]},
    "UsageRecord": {"month": "2026-11"},
}


def raw(kind: str, **changes: Any) -> dict[str, Any]:
    """The minimal object of ``kind`` as a client would send it, with top-level spec fields replaced."""
    spec = SPECS[kind] | changes
    return {"apiVersion": "drover.dev/v1alpha1", "kind": kind, "metadata": {"name": "it"}, "spec": spec}
