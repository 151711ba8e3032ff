"""Whose turn comes first in a plan (``spec.order``). Equal ones go as the plan's scope has them."""

from __future__ import annotations

from math import inf

from drover.api.migrationplan import MigrationPlan
from drover.api.virtualmachine import VirtualMachine
from drover.control.policies import Chosen, bandwidth_cap, policy_of
from drover.control.virtualmachinemigration.inputs import route_of, setting_of, workload_of
from drover.control.world import World
from drover.model import migration as model


def turn(plan: MigrationPlan, vm: VirtualMachine | None, world: World) -> float:
    """Sorts first what is smallest; what cannot be moved comes last."""
    if vm is None or vm.status.flavor is None:
        return inf
    match plan.spec.order:
        case "SmallestFirst":
            return vm.status.flavor.memory_bytes
        case "LargestFirst":
            return -vm.status.flavor.memory_bytes
        case "PriorityFirst":
            return -world.priority(vm).value
        case "ShortestDowntimeFirst":
            return _pause(plan, vm, world)
        case "AsListed":
            return 0.0


def _pause(plan: MigrationPlan, vm: VirtualMachine, world: World) -> float:
    """Seconds of pause if it moved alone to a host with the cards of its own; one that would not end comes last."""
    host = world.host(vm.status.host_name)
    chosen = policy_of(vm, world, plan.spec.policy_name, plan.spec.overrides)
    if host is None or not isinstance(chosen, Chosen):
        return inf
    route = route_of(host, host, world, bandwidth_cap(chosen.settings))
    course = model.run(setting_of(workload_of(vm, world), chosen.settings, route))
    return inf if course.verdict in ("Blocked", "DoesNotConverge") else course.downtime
