"""Flavor: a size that VMs refer to.

::

    Active <--spec.lifecycle.state--> Deprecated <--> Obsolete        (any) --deleted--> Terminating --no VM--> gone
"""

from __future__ import annotations

from datetime import datetime

from drover.api.flavor import Flavor
from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.nodepool import NodePool
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.capacity import capacity
from drover.control.conditions import Verdict
from drover.control.nodepool import claim_of, course_of_host, target_of
from drover.control.outcome import Controller, Event, Outcome, Watch
from drover.control.stage import Hold, Stage, conclude, counted, named, ready
from drover.control.watching import on_change, whenever
from drover.control.world import World

USERS_SECONDS = 5.0
"""A flavor is counted anew so long after its VMs, or the hosts, have begun to change."""
ROOM_SECONDS = 10.0
"""And so long after VMs of other flavors have: each VM that comes or goes leaves all flavors another number."""


def reconcile(flavor: Flavor, world: World, now: datetime) -> Outcome:
    users = world.vms_of_flavor.count(flavor.name)
    edited = flavor.metadata.generation != flavor.status.observed_generation
    room = capacity(flavor, world, now, told_anyway=edited or users != flavor.status.instances)
    stage = Stage(
        phase=flavor.spec.lifecycle.state,
        verdicts=(*_readiness(flavor), *room.verdicts),
        fields={"instances": users, "capacity": room.numbers},
        events=(*_lifecycle_events(flavor, users), *room.events),
        requeue_at=room.requeue_at,
    )
    return conclude(flavor, stage, now, _hold(world.vms_of_flavor[flavor.name]) if flavor.deleting else None)


def _readiness(flavor: Flavor) -> tuple[Verdict, ...]:
    """True in every state: the declared one is reached. VMs look at the state itself."""
    match flavor.spec.lifecycle.state:
        case "Active":
            return ready("Available", "new VMs may use it")
        case "Deprecated":
            return ready("Deprecated", f"it still works; new VMs should use {_replacement(flavor)}")
        case "Obsolete":
            return ready("Obsolete", f"no new VM may use it; use {_replacement(flavor)}")


def _replacement(flavor: Flavor) -> str:
    reference = flavor.spec.lifecycle.replacement_ref
    return f"flavor {reference.name}" if reference else "another flavor"


def _lifecycle_events(flavor: Flavor, users: int) -> tuple[Event, ...]:
    state = flavor.spec.lifecycle.state
    known = flavor.status.condition("Ready")
    if state == "Active" or (known is not None and known.reason == state):
        return ()
    return (Event(f"Flavor{state}", f"{counted(users, 'VM')} of it; use {_replacement(flavor)} instead"),)


def _hold(users: list[Key]) -> Hold | None:
    if not users:
        return None
    who = f"{counted(len(users), 'VM')} of this flavor: {named(users)}"
    return Hold(f"{who}; delete them or change their spec.flavorRef")


# What wakes it


def _flavor_of(vm: VirtualMachine) -> list[Key]:
    return [Key(Flavor.KIND, "", vm.spec.flavor_ref.name)]


_users_changed = on_change(_flavor_of)


def _awaited(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Flavors that get their first VM, or wait for their last one to go."""
    found = [(key, world.get(Flavor, "", key.name)) for key in _users_changed(before, after, world)]
    return [key for key, flavor in found if flavor is not None and (flavor.deleting or not flavor.status.instances)]


def _all(world: World) -> list[Key]:
    return world.keys(Flavor.KIND)


CONTROLLER = Controller(
    kind=Flavor.KIND,
    reconcile=reconcile,
    watches=(
        Watch(VirtualMachine.KIND, _awaited, after=1.0),
        Watch(VirtualMachine.KIND, _users_changed, after=USERS_SECONDS),
        Watch(Host.KIND, whenever(course_of_host, _all), after=USERS_SECONDS),
        Watch(NodePool.KIND, whenever(lambda pool: pool.spec, _all), after=USERS_SECONDS),
        Watch(VirtualMachine.KIND, whenever(claim_of, _all), after=ROOM_SECONDS),
        Watch(VirtualMachineMigration.KIND, whenever(target_of, _all), after=ROOM_SECONDS),
    ),
)
