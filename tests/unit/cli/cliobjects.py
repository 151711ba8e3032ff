"""Objects as the API server has them, for what commands make of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from drover.api.host import Host
from drover.api.kinds import KINDS, parse
from drover.api.meta import AnyResource
from drover.api.migrationplan import MigrationPlan
from drover.api.nodepool import NodePool
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration

Wire = dict[str, Any]
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
HARDWARE: Wire = {
    "cpu": {"sockets": 1, "coresPerSocket": 8},
    "memory": "64Gi",
    "disk": "1Ti",
    "nics": [{"name": "eth0", "bandwidth": "1250M"}],
}
SPECS: dict[str, Wire] = {
    "VirtualMachine": {"flavorRef": {"name": "small"}, "imageRef": {"name": "debian"}},
    "Host": {"poolRef": {"name": "p1"}, "hardware": HARDWARE},
    "NodePool": {"template": HARDWARE},
    "MigrationPlan": {"virtualMachines": [{"name": "a"}]},
    "VirtualMachineMigration": {"virtualMachineName": "a"},
}

ResourceT = TypeVar("ResourceT", bound=AnyResource)


def _made(kind: type[ResourceT], name: str, spec: Wire, status: Wire | None, metadata: Wire) -> ResourceT:
    namespace = {"namespace": "shop"} if KINDS[kind.KIND].NAMESPACED else {}
    filled = {"name": name, "uid": f"uid-{name}", "generation": 1, "resourceVersion": "1", **namespace, **metadata}
    raw = {"kind": kind.KIND, "metadata": filled, "spec": {**SPECS.get(kind.KIND, {}), **spec}}
    return cast(ResourceT, parse({**raw, **({"status": status} if status is not None else {})}))


def vm(name: str = "a", status: Wire | None = None, metadata: Wire | None = None, **spec: Any) -> VirtualMachine:
    return _made(VirtualMachine, name, spec, status, metadata or {})


def host(name: str = "p1-0", status: Wire | None = None, metadata: Wire | None = None, **spec: Any) -> Host:
    return _made(Host, name, spec, status, metadata or {})


def pool(name: str = "p1", status: Wire | None = None, **spec: Any) -> NodePool:
    return _made(NodePool, name, spec, status, {})


def plan(name: str = "moves", status: Wire | None = None, **spec: Any) -> MigrationPlan:
    return _made(MigrationPlan, name, spec, status, {})


def migration(name: str = "a-1", status: Wire | None = None, **spec: Any) -> VirtualMachineMigration:
    return _made(VirtualMachineMigration, name, spec, status, {})


def said(type_: str, status: str, reason: str, message: str = "", generation: int = 1) -> Wire:
    """A condition."""
    at = NOW.isoformat()
    told = {"reason": reason, "message": message, "lastTransitionTime": at, "observedGeneration": generation}
    return {"type": type_, "status": status, **told}
