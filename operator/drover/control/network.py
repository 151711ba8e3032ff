"""Network: an overlay segment and the addresses on it.

::

    Pending --segment allocated--> Active <--spec.adminStateUp--> Down
        \\--subnets overlap, no segment left, segment held twice--> Failed
    (any) --deleted--> Terminating --no VM holds an address--> gone
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import cast

from drover.api.meta import Key
from drover.api.network import Network
from drover.api.usage import Charge
from drover.api.virtualmachine import VirtualMachine
from drover.control.conditions import Verdict, false, true
from drover.control.metering.charging import charged
from drover.control.outcome import Controller, Event, Outcome, Watch, warning
from drover.control.stage import Hold, Stage, conclude, counted, named, ready, stalled, waiting
from drover.control.watching import on_change
from drover.control.world import World
from drover.model import addresses

NEARLY = 0.9
"""Share of the addresses above which they are nearly exhausted."""
TRY_SEGMENT_AGAIN = timedelta(minutes=1)


def reconcile(network: Network, world: World, now: datetime) -> Outcome:
    holders = _holders(network, world)
    ports = sum(_ports(vm, network) for vm in holders)
    total, used = _addresses(network, world)
    available = _availability(total, used)
    segment = _segment(network, world, ports)
    phase, readiness = _readiness(network, segment)
    stage = Stage(
        phase=phase,
        verdicts=(*readiness, available),
        fields={
            "segmentation_id": segment if isinstance(segment, int) else network.status.segmentation_id,
            "total_ips": total,
            "used_ips": used,
            "ports": ports,
            "usage": charged(network.status.usage, now, "Allocated", _charges(used)),
        },
        events=(*_segment_events(network, segment), *_exhaustion_events(network, available)),
        requeue_at=now + TRY_SEGMENT_AGAIN if isinstance(segment, addresses.SegmentsExhausted) else None,
    )
    return conclude(network, stage, now, _hold(holders, ports), released=not world.books.addresses.held(network.key))


class SegmentConflict:
    """Another network holds this one's segment too, and this one is the one to give way but has ports."""


Segment = int | addresses.SegmentsExhausted | SegmentConflict


def _segment(network: Network, world: World, ports: int) -> Segment:
    """The segment it has; a new one where it has none, or where it must give way to another network."""
    current = network.status.segmentation_id
    if current is not None and not _must_give_way(network, current, world):
        return current
    if current is not None and ports:
        return SegmentConflict()
    return addresses.segment_id(network.uid, cast("Collection[int]", world.books.segments))


def _must_give_way(network: Network, segment: int, world: World) -> bool:
    """Of several networks on one segment the one with the lowest uid stays."""
    return min(world.books.segments.holders(segment), default=network.uid) < network.uid


def _readiness(network: Network, segment: Segment) -> tuple[str, tuple[Verdict, ...]]:
    overlap = addresses.overlapping(subnet.cidr for subnet in network.spec.subnets)
    if overlap:
        why = f"subnets {overlap[0]} and {overlap[1]} share addresses: remove one of them"
        return "Failed", stalled("SubnetOverlap", why)
    if isinstance(segment, addresses.SegmentsExhausted):
        return "Failed", stalled("SegmentsExhausted", segment.message)
    if isinstance(segment, SegmentConflict):
        why = f"another network uses segment {network.status.segmentation_id} too: move the VMs off this one"
        return "Failed", stalled("SegmentConflict", why)
    if not network.spec.admin_state_up:
        return "Down", waiting("AdminDown", "spec.adminStateUp is false: set it to true to bring it up")
    return "Active", ready("Active", f"segment {segment}")


def _segment_events(network: Network, segment: Segment) -> tuple[Event, ...]:
    if not isinstance(segment, int) or segment == network.status.segmentation_id:
        return ()
    return (Event("SegmentAllocated", f"segment {segment}"),)


def _addresses(network: Network, world: World) -> tuple[int, int]:
    """(addresses that VMs may get, those that are held), over all subnets."""
    books = [world.books.addresses.book(network.key, subnet.name) for subnet in network.spec.subnets]
    known = [book for book in books if book is not None]
    return sum(book.space.total for book in known), sum(book.used for book in known)


def _charges(used: int) -> tuple[Charge, ...]:
    """The addresses that VMs hold; those of other namespaces on a shared network are its owner's too."""
    return (Charge(meter="address", rate=used),) if used else ()


def _availability(total: int, used: int) -> Verdict:
    count = f"{used} of {total} addresses are used"
    if used >= total:
        return false("AddressesAvailable", "Exhausted", f"{count}: delete VMs or add a subnet")
    if used > NEARLY * total:
        return true("AddressesAvailable", "NearlyExhausted", f"{count}: add a subnet before they run out")
    return true("AddressesAvailable", "Available", count)


def _exhaustion_events(network: Network, available: Verdict) -> tuple[Event, ...]:
    known = network.status.condition("AddressesAvailable")
    if available.reason != "Exhausted" or (known is not None and known.reason == "Exhausted"):
        return ()
    return (warning("AddressPoolExhausted", available.message),)


def _ports(vm: VirtualMachine, network: Network) -> int:
    place = f"{network.namespace}/{network.name}"
    return sum(nic.network == place for nic in vm.status.interfaces)


def _holders(network: Network, world: World) -> list[VirtualMachine]:
    """The VMs that hold an address on it; those that only ask for one do not keep it."""
    asking = world.vms(world.vms_of_network[network.key])
    return [vm for vm in asking if _ports(vm, network)]


def _hold(holders: list[VirtualMachine], ports: int) -> Hold | None:
    if not holders:
        return None
    users = named(vm.key for vm in holders)
    who = f"{counted(len(holders), 'VM')} with {counted(ports, 'port')} on it: {users}"
    return Hold(f"{who}; delete them first")


def _networks_of(vm: VirtualMachine) -> list[Key]:
    return [Key(Network.KIND, *nic.network.split("/", 1)) for nic in vm.status.interfaces]


CONTROLLER = Controller(
    kind=Network.KIND,
    reconcile=reconcile,
    watches=(Watch(VirtualMachine.KIND, on_change(_networks_of, of=lambda vm: vm.status.interfaces), after=1.0),),
)
