"""What the demo reads from the API server: one snapshot of VMs, hosts, migrations and plans."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from controlplane import Kubectl

FINAL = ("Succeeded", "Failed", "Cancelled")
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment."""

    vms: list[Manifest]
    hosts: list[Manifest]
    migrations: list[Manifest]
    plans: list[Manifest]

    @classmethod
    def read(cls, kubectl: Kubectl, namespaces: tuple[str, ...]) -> "Snapshot":
        """All hosts and plans, and what is in ``namespaces``."""
        found: dict[str, list[Manifest]] = {}
        for item in json.loads(kubectl("get", "vm,hst,vmm,mplan", "-A", "-o", "json"))["items"]:
            found.setdefault(item["kind"], []).append(item)

        def ours(kind: str) -> list[Manifest]:
            return [item for item in found.get(kind, []) if item["metadata"]["namespace"] in namespaces]

        hosts, plans = found.get("Host", []), found.get("MigrationPlan", [])
        return cls(ours("VirtualMachine"), hosts, ours("VirtualMachineMigration"), plans)

    @property
    def phases(self) -> Counter[str]:
        return Counter(phase(vm) for vm in self.vms)

    def host(self, name: str) -> Manifest:
        """The host of that name; empty while there is none."""
        return next((host for host in self.hosts if name_of(host) == name), {})

    def plan(self, name: str) -> Manifest:
        return next((plan for plan in self.plans if name_of(plan) == name), {})

    def on_host(self, name: str) -> list[str]:
        """The VMs that hold the host."""
        return sorted(name_of(vm) for vm in self.vms if vm["status"].get("hostName") == name)


def name_of(item: Manifest) -> str:
    return str(item["metadata"]["name"])


def phase(item: Manifest) -> str:
    return str(item.get("status", {}).get("phase", "Pending"))


def message(item: Manifest, condition: str = "Ready") -> str:
    """The message of one of its conditions."""
    conditions = item.get("status", {}).get("conditions", [])
    return next((str(c["message"]) for c in conditions if c["type"] == condition), "")


def median(estimate: Manifest | None, field: str) -> float | None:
    """The p50 of one of an estimate's fields."""
    found = (estimate or {}).get(field)
    return float(found["p50"]) if found else None
