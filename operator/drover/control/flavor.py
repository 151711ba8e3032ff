"""Flavor: a size that VMs refer to.

::

    Active <--spec.lifecycle.state--> Deprecated <--> Obsolete        (any) --deleted--> Terminating --no VM--> gone
"""

from __future__ import annotations

from datetime import datetime

from drover.api.flavor import Flavor
from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.control.conditions import Verdict
from drover.control.outcome import Controller, Event, Outcome, Watch
from drover.control.stage import Hold, Stage, conclude, counted, named, ready
from drover.control.watching import on_change
from drover.control.world import World


def reconcile(flavor: Flavor, world: World, now: datetime) -> Outcome:
    users = world.vms_of_flavor[flavor.name]
    state = flavor.spec.lifecycle.state
    stage = Stage(
        phase=state,
        verdicts=_readiness(flavor),
        fields={"instances": len(users)},
        events=_lifecycle_events(flavor, len(users)),
    )
    return conclude(flavor, stage, now, _hold(users))


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


def _flavor_of(vm: VirtualMachine) -> list[Key]:
    return [Key(Flavor.KIND, "", vm.spec.flavor_ref.name)]


CONTROLLER = Controller(
    kind=Flavor.KIND,
    reconcile=reconcile,
    watches=(Watch(VirtualMachine.KIND, on_change(_flavor_of), after=1.0),),
)
