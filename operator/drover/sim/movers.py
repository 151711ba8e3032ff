"""What tenants and administrators ask of live migrations, at random: moves, plans of every sort, policies."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from drover.api.host import Host
from drover.api.meta import OPERATOR_NAMESPACE
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationpolicy import MigrationPolicy
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.sim import cloud
from drover.sim.cloud import NAMESPACES, manifest
from drover.sim.requests import anything, create, delete, everything, fresh, patch
from drover.sim.simulation import Simulation

PRIORITIES = ("SystemCritical", "UserTriggered", "SystemMaintenance")
ORDERS = ("SmallestFirst", "LargestFirst", "ShortestDowntimeFirst", "PriorityFirst", "AsListed")


def migrate_vm(sim: Simulation) -> None:
    vm = anything(sim, VirtualMachine)
    if vm is None:
        return
    random = sim.random
    spec: dict[str, Any] = {"virtualMachineName": vm.name, "priority": random.choice(PRIORITIES)}
    host = anything(sim, Host)
    if host is not None and random.random() < 0.3:
        spec["targetHostName"] = host.name
    if random.random() < 0.3:
        spec["policyName"] = random.choice((*cloud.POLICIES, "no-such-policy"))
    if random.random() < 0.2:
        spec["ttlSecondsAfterFinished"] = random.choice((0, 5, 60))
    create(sim, manifest("VirtualMachineMigration", fresh(sim, "move"), spec, vm.namespace))


def cancel_migration(sim: Simulation) -> None:
    patch(sim, anything(sim, VirtualMachineMigration), {"spec": {"cancel": True}})


def hurry_migration(sim: Simulation) -> None:
    """Its place in the queue changes."""
    patch(sim, anything(sim, VirtualMachineMigration), {"spec": {"priority": sim.random.choice(PRIORITIES)}})


def delete_migration(sim: Simulation) -> None:
    delete(sim, anything(sim, VirtualMachineMigration))


def plan_migrations(sim: Simulation) -> None:
    random, host = sim.random, anything(sim, Host)
    namespace = random.choice(NAMESPACES)
    scope: dict[str, Any] = {"selector": {"matchLabels": {"tier": "x"}}}
    if host is not None and random.random() < 0.5:
        scope, namespace = {"hostName": host.name}, OPERATOR_NAMESPACE
    elif random.random() < 0.3:
        vms = [vm.name for vm in everything(sim, VirtualMachine) if vm.namespace == namespace]
        chosen = random.sample(vms, min(len(vms), random.randint(1, 4)))
        scope = {"virtualMachines": [{"name": name} for name in (*chosen, "no-such-vm")]}
    spec = scope | {"mode": random.choices(("Execute", "DryRun"), (4, 1))[0]} | _care(random, sim.now)
    create(sim, manifest("MigrationPlan", fresh(sim, "plan"), spec, namespace))


def _care(random: Random, now: datetime) -> dict[str, Any]:
    """How a plan is to be carried out; nothing special in most respects."""
    choices: tuple[tuple[float, dict[str, Any]], ...] = (
        (0.2, {"approval": "Manual"}),
        (0.5, {"order": random.choice(ORDERS), "priority": random.choice(PRIORITIES)}),
        (0.2, {"window": _window(random, now)}),
        (0.3, {"limits": _limits(random)}),
        (0.6, {"failurePolicy": random.choice(("Continue", "Stop", "Rollback"))}),
        (0.5, {"retry": {"limit": random.randint(0, 2), "backoff": "2s"}}),
        (0.2, {"policyName": random.choice((*cloud.POLICIES, "no-such-policy"))}),
        (0.3, {"overrides": random.choice(tuple(cloud.POLICIES.values()))}),
        (0.2, {"ttlSecondsAfterFinished": random.choice((0, 30))}),
    )
    return {name: value for chance, given in choices if random.random() < chance for name, value in given.items()}


def _window(random: Random, now: datetime) -> dict[str, str]:
    opens = now + timedelta(seconds=random.uniform(-20, 20))
    closes = opens + timedelta(seconds=random.uniform(1, 60))
    return {"notBefore": opens.isoformat(), "notAfter": closes.isoformat()}


def _limits(random: Random) -> dict[str, Any]:
    return random.choice(({"maxConcurrent": random.randint(1, 2)}, {"maxTotalDowntime": "1s"}, {"maxDuration": "20s"}))


def steer_plan(sim: Simulation) -> None:
    """Approve it, pause it or let it go on."""
    plan = anything(sim, MigrationPlan)
    if plan is not None:
        approve = {"approved": True} if plan.spec.approval == "Manual" else {}
        patch(sim, plan, {"spec": sim.random.choice((approve, approve, {"paused": not plan.spec.paused}))})


def cancel_plan(sim: Simulation) -> None:
    patch(sim, anything(sim, MigrationPlan), {"spec": {"cancel": True}})


def delete_plan(sim: Simulation) -> None:
    delete(sim, anything(sim, MigrationPlan))


def change_policy(sim: Simulation) -> None:
    """Its settings are another's; or it goes, and is made anew later like all that is shared."""
    policy = anything(sim, MigrationPolicy)
    if sim.random.random() < 0.3:
        delete(sim, policy)
        return
    mine = dict.fromkeys(name for settings in cloud.POLICIES.values() for name in settings)
    patch(sim, policy, {"spec": mine | sim.random.choice(tuple(cloud.POLICIES.values()))})


def let_plans_go_on(sim: Simulation) -> None:
    """Nothing that a user has to do keeps a plan from its end any more."""
    free = {"paused": False, "limits": {"maxTotalDowntime": None, "maxDuration": None}}
    for plan in everything(sim, MigrationPlan):
        patch(sim, plan, {"spec": free | ({"approved": True} if plan.spec.approval == "Manual" else {})})
