"""What a plan was made on, as one short hash: while it holds, planning again would say much the same.

It covers what the plan asks for, the VMs in its scope (which they are, where, how large), and whether the hosts it
would use can be used. Room that comes and goes on those hosts is left out: in a busy cloud no plan would ever hold.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from drover.api.meta import dump
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import PlanMigration
from drover.api.virtualmachine import VirtualMachine
from drover.control.migrationplan.targets import scope
from drover.control.world import World
from drover.control.world.claims import is_up, migration_bandwidth

HASHED = (
    "mode",
    "virtualMachines",
    "selector",
    "hostName",
    "target",
    "priority",
    "order",
    "limits",
    "retry",
    "policyName",
    "overrides",
)
LENGTH = 16
"""Hex digits: plenty to tell a change, and a plan is only ever compared with itself."""


def plan_hash(plan: MigrationPlan, entries: Sequence[PlanMigration], world: World) -> str:
    """``entries`` as planned: they name the hosts."""
    spec = dump(plan.spec)
    asked = {name: spec[name] for name in HASHED if name in spec}
    asked["limits"] = plan.spec.limits.max_concurrent
    vms = [_vm(wanted.namespace, wanted.name, world) for wanted in scope(plan, world)]
    names = sorted({name for entry in entries for name in (entry.source, entry.target) if name})
    text = json.dumps([asked, vms, [_host(name, world) for name in names]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def _vm(namespace: str, name: str, world: World) -> object:
    vm = world.get(VirtualMachine, namespace, name)
    if vm is None:
        return namespace, name
    flavor = dump(vm.status.flavor) if vm.status.flavor is not None else None
    model = dump(vm.spec.model) if vm.spec.model is not None else None
    return namespace, name, vm.uid, vm.status.host_name, flavor, model


def _host(name: str, world: World) -> object:
    host = world.host(name)
    if host is None:
        return name
    return name, is_up(host), host.spec.unschedulable, host.spec.maintenance.mode, migration_bandwidth(host)
