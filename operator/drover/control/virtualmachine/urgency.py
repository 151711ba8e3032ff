"""Which VM is placed first: those of a lost host, then by priority, age and name. What needs no place goes before."""

from __future__ import annotations

from drover.api.meta import FINALIZER
from drover.api.virtualmachine import RestartPriority, VirtualMachine
from drover.control.outcome import Urgency
from drover.control.virtualmachine.losing import confirmed_host, is_lost
from drover.control.virtualmachine.power import power_of
from drover.control.world import World
from drover.control.world.claims import created_at

RESTART_ORDER: dict[RestartPriority, int] = {"Highest": 0, "High": 1, "Medium": 2, "Low": 3, "Lowest": 4}
LOST, WAITING = 0, 1


def urgency(vm: VirtualMachine, world: World) -> Urgency:
    """Its place in the queue; ``()`` where the next reconcile looks for no host.

    A VM of a lost host still names it: once it has been refused a new one, it waits as all others do.
    """
    # Before its finalizer is there a VM claims nothing; the sooner it is there, the sooner the VM waits in its place.
    if vm.deleting or FINALIZER not in vm.metadata.finalizers or not power_of(vm).on:
        return ()
    if not vm.status.host_name:
        return (WAITING, -world.priority(vm).value, created_at(vm), vm.name, vm.namespace)
    if is_lost(confirmed_host(vm, world), world):
        return (LOST, RESTART_ORDER[vm.spec.high_availability.restart_priority], vm.name, vm.namespace)
    return ()
