"""Addresses of a VM's interfaces: kept once given, else the one asked for or the lowest free one."""

from __future__ import annotations

from dataclasses import dataclass

from drover.api.meta import Key
from drover.api.network import Network
from drover.api.virtualmachine import Interface, VirtualMachine, VirtualMachineNetwork
from drover.control.world import World
from drover.model.addresses import Exhausted, OutsideSubnet, Taken, mac_address


@dataclass(frozen=True, slots=True)
class NoAddress:
    message: str
    stalled: bool
    """True where no address will come free by itself: what was asked for cannot be had."""


def allocate_interfaces(vm: VirtualMachine, world: World) -> tuple[Interface, ...] | NoAddress:
    """One interface for each of ``spec.networks``. Claims nothing: the claim is the status that says so."""
    given: list[Interface] = []
    for nic in vm.spec.networks:
        interface = _kept(vm, nic, given) or _new(vm, nic, world, given)
        if isinstance(interface, NoAddress):
            return interface
        given.append(interface)
    return tuple(given)


def _network_of(vm: VirtualMachine, nic: VirtualMachineNetwork) -> Key:
    return Key(Network.KIND, nic.network_ref.namespace or vm.namespace, nic.network_ref.name)


def _kept(vm: VirtualMachine, nic: VirtualMachineNetwork, given: list[Interface]) -> Interface | None:
    """The interface as it is, where it still is what the spec asks for and no other interface took its address."""
    key = _network_of(vm, nic)
    for interface in vm.status.interfaces:
        if (
            interface.name == nic.name
            and interface.network == f"{key.namespace}/{key.name}"
            and nic.subnet in (None, interface.subnet)
            and nic.ip_address in (None, interface.ip_address)
            and nic.mac_address in (None, interface.mac)
            and not any(_clash(interface, other) for other in given)
        ):
            return interface
    return None


def _clash(one: Interface, other: Interface) -> bool:
    return one.mac == other.mac or (one.network, one.ip_address) == (other.network, other.ip_address)


def _new(vm: VirtualMachine, nic: VirtualMachineNetwork, world: World, given: list[Interface]) -> Interface | NoAddress:
    mac = _mac(vm, nic, world, given)
    if isinstance(mac, NoAddress):
        return mac
    key = _network_of(vm, nic)
    network = world.network(key.namespace, key.name)
    subnets = [s.name for s in network.spec.subnets if nic.subnet in (None, s.name)] if network else []
    refusals = []
    for subnet in subnets:
        book = world.books.addresses.book(key, subnet)
        if book is None:
            continue
        mine = {i.ip_address for i in given if (i.network, i.subnet) == (f"{key.namespace}/{key.name}", subnet)}
        answer = book.allocate(f"{vm.namespace}/{vm.name}", nic.ip_address, exclude=mine)
        if isinstance(answer, str) and answer not in mine:
            return Interface(
                name=nic.name,
                ip_address=answer,
                mac=mac,
                network=f"{key.namespace}/{key.name}",
                subnet=subnet,
            )
        refusals.append(Taken(answer, "another interface of this VM") if isinstance(answer, str) else answer)
    # A refusal by the subnet an address lies in says more than those of the others.
    refusals.sort(key=lambda refusal: isinstance(refusal, OutsideSubnet))
    message = refusals[0].message if refusals else "it has no subnet"
    exhausted = all(isinstance(r, Exhausted) for r in refusals)
    return NoAddress(f"network {key.namespace}/{key.name}: {message}", stalled=not exhausted)


def _mac(vm: VirtualMachine, nic: VirtualMachineNetwork, world: World, given: list[Interface]) -> str | NoAddress:
    mine = {interface.mac for interface in given}
    if nic.mac_address is None:
        # A VM's own MACs are free for it to keep, those of its other interfaces are not.
        taken = mine | {i.mac for i in vm.status.interfaces if i.name != nic.name}
        return mac_address(vm.uid, nic.name, _Taken(world, vm.uid, taken))
    if nic.mac_address in mine or world.books.macs.holders(nic.mac_address) - {vm.uid}:
        return NoAddress(f"MAC {nic.mac_address} is taken: ask for another or leave macAddress out", stalled=True)
    return nic.mac_address


class _Taken:
    """The MACs a new interface of one VM may not have."""

    def __init__(self, world: World, uid: str, taken: set[str]) -> None:
        self._world, self._uid, self._taken = world, uid, taken

    def __contains__(self, mac: object) -> bool:
        return mac in self._taken or bool(self._world.books.macs.holders(mac) - {self._uid})
