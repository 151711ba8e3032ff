"""What wakes a migration: its VM, its hosts, its turn, and room that comes free.

Of those that wait, only those are woken for whom something has changed: who waits for a slot when it is their turn,
and who is parked (`drover.control.world.queues`) when there may be room.
"""

from __future__ import annotations

from typing import Literal, cast

from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.migrationplan import MigrationPlan
from drover.api.nodepool import NodePool
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.migrationplan.holding import steers
from drover.control.outcome import Watch
from drover.control.virtualmachinemigration.queueing import next_in_line
from drover.control.world import World
from drover.control.world.claims import FINAL_PLAN_PHASES, is_final, is_up

GATHER_SECONDS = 0.25


def _by_vm(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Its migrations; and where one of them can no longer start, whoever is next."""
    old, new = cast("VirtualMachine | None", before), cast("VirtualMachine | None", after)
    own = world.migrations_of_vm[cast(VirtualMachine, new or old).key]
    leaves = old is not None and old.status.phase == "Running" and (new is None or new.status.phase != "Running")
    return own + next_in_line(world) if own and leaves else own


def _by_room(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Migrations that wait for a target, when a VM gave up its host, or is other company there."""
    old, new = cast("VirtualMachine | None", before), cast("VirtualMachine | None", after)
    if old is None or not old.status.host_name:
        return []
    return [] if new is not None and _company(new) == _company(old) else world.parked_migrations["Capacity"]


def _company(vm: VirtualMachine) -> object:
    return vm.status.host_name, vm.status.flavor, vm.metadata.labels, vm.spec.placement


def _by_host(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    old, new = cast("Host | None", before), cast("Host | None", after)
    if old is not None and new is not None and _view(old) == _view(new):
        return []
    return world.migrations_at[cast(Host, new or old).name] + world.parked_migrations["Capacity"]


def _view(host: Host) -> object:
    """What a host is to moves from and to it, and to those that look for one."""
    spec, judged = host.spec, [host.status.condition(type_) for type_ in ("Ready", "Fenced")]
    health = [condition and condition.status for condition in judged]
    return is_up(host), health, spec.unschedulable, spec.maintenance.mode, spec.hardware, spec.taints


def _by_turn(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Whoever is next, when another ended or waits for something else than its turn; its target is room, too."""
    old, new = cast("VirtualMachineMigration | None", before), cast("VirtualMachineMigration | None", after)
    was, is_ = (_stands(side) if side is not None else "out" for side in (old, new))
    if was == "out" or is_ != "out":
        return []
    return next_in_line(world) + (world.parked_migrations["Capacity"] if was == "moving" else [])


def _stands(migration: VirtualMachineMigration) -> Literal["out", "in line", "moving"]:
    status = migration.status
    if is_final(migration):
        return "out"
    if status.target_host:
        return "moving"
    in_line = status.queue is None or status.queue.blocked_by.endswith("Limit")
    return "in line" if in_line else "out"


def _by_limits(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Whoever is next, when a pool takes more moves at a time."""
    old, new = cast("NodePool | None", before), cast("NodePool | None", after)
    same = old is not None and new is not None and old.spec.migration == new.spec.migration
    return [] if same else next_in_line(world)


def _by_plan(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """A plan's migrations, when it is cancelled, ends or goes, or may hold them no longer."""
    plan = cast(MigrationPlan, after if after is not None else before)
    over = after is None or plan.deleting or plan.spec.cancel or plan.status.phase in FINAL_PLAN_PHASES
    steered = before is None or steers(cast(MigrationPlan, before)) != steers(plan)
    return world.migrations_of_plan[plan.key] if over or steered else []


def _by_policy(before: AnyResource | None, _after: AnyResource | None, world: World) -> list[Key]:
    """Whoever may have waited for a policy that is there now."""
    return world.parked_migrations["Policy"] if before is None else []


WATCHES = (
    Watch("MigrationPolicy", _by_policy),
    Watch("MigrationPlan", _by_plan),
    Watch("VirtualMachine", _by_vm),
    Watch("VirtualMachine", _by_room, GATHER_SECONDS),
    Watch("Host", _by_host),
    Watch("NodePool", _by_limits),
    Watch("VirtualMachineMigration", _by_turn),
)
