"""What wakes a migration: its VM, its hosts, and slots or room that come free."""

from __future__ import annotations

from typing import cast

from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.migrationplan import MigrationPlan
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.outcome import Watch
from drover.control.world import World
from drover.control.world.claims import FINAL_PLAN_PHASES, is_final, is_up

GATHER_SECONDS = 0.25


def _by_vm(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    old, new = cast("VirtualMachine | None", before), cast("VirtualMachine | None", after)
    vm = cast(VirtualMachine, new if new is not None else old)
    return world.migrations_of_vm[vm.key]


def _by_room(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Migrations without a target, when a VM gave up its host."""
    old, new = cast("VirtualMachine | None", before), cast("VirtualMachine | None", after)
    if old is None or not old.status.host_name:
        return []
    kept = new is not None and (new.status.host_name, new.status.flavor) == (old.status.host_name, old.status.flavor)
    return [] if kept else world.waiting_migrations[True]


def _by_host(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    old, new = cast("Host | None", before), cast("Host | None", after)
    if old is not None and new is not None and _view(old) == _view(new):
        return []
    return world.active_migrations[True]


def _view(host: Host) -> object:
    return is_up(host), host.spec.unschedulable, host.spec.maintenance.mode, host.spec.hardware


def _by_slot(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Waiting migrations, when another one ended and gave back its slots and its target."""
    old, new = cast("VirtualMachineMigration | None", before), cast("VirtualMachineMigration | None", after)
    ended = old is not None and not is_final(old) and (new is None or is_final(new))
    return world.waiting_migrations[True] if ended else []


def _by_plan(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """A plan's waiting migrations, when it is cancelled, ends or goes."""
    plan = cast(MigrationPlan, after if after is not None else before)
    over = after is None or plan.deleting or plan.spec.cancel or plan.status.phase in FINAL_PLAN_PHASES
    return world.migrations_of_plan[plan.key] if over else []


WATCHES = (
    Watch("MigrationPlan", _by_plan),
    Watch("VirtualMachine", _by_vm),
    Watch("VirtualMachine", _by_room, GATHER_SECONDS),
    Watch("Host", _by_host),
    Watch("VirtualMachineMigration", _by_slot),
)
