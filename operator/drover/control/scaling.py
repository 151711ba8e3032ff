"""Which hosts of a pool to make, to empty and to delete."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice

from drover.api.host import Host, HostSpec
from drover.api.meta import FINALIZER, GROUP, ObjectMeta, Ref
from drover.api.nodepool import NodePool
from drover.control.outcome import Child, Create, Delete, Event, PatchSpec
from drover.control.spreading import Place, leavers, place_of_host, places
from drover.control.world import World

POOL_LABEL = f"{GROUP}/pool"
SCALED_DOWN = "its pool was scaled down"
"""The maintenance reason that tells a host the pool takes away from one that people service."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """What is done about the number of hosts."""

    creating: int = 0
    leaving: tuple[Host, ...] = ()
    """Hosts on their way out, among them those that were chosen just now."""
    children: tuple[Child, ...] = ()
    events: tuple[Event, ...] = ()


def scale(pool: NodePool, hosts: list[Host], world: World) -> Scaling:
    """Towards ``spec.replicas``: hosts that were leaving stay first, then new ones are made."""
    present = [host for host in hosts if not host.deleting]
    staying = [host for host in present if not is_leaving(host)]
    leaving = [host for host in present if is_leaving(host)]
    missing = pool.spec.replicas - len(staying)
    returning, leaving = leaving[: max(missing, 0)], leaving[max(missing, 0) :]
    surplus = _surplus(pool, staying, world, max(-missing, 0))
    removed = [host for host in leaving if is_empty(host, world)]
    created = _new_hosts(pool, hosts, max(missing - len(returning), 0))
    return Scaling(
        creating=len(created),
        leaving=(*leaving, *surplus),
        children=(
            *(PatchSpec(host, {"maintenance": {"mode": "None", "reason": None}}) for host in returning),
            *(Create(host) for host in created),
            *(PatchSpec(host, {"maintenance": {"mode": "Drain", "reason": SCALED_DOWN}}) for host in surplus),
            *(Delete(host) for host in removed),
        ),
        events=(
            *(Event("HostAdded", _described(host)) for host in created),
            *(Event("HostRemoved", _described(host)) for host in removed),
        ),
    )


def is_leaving(host: Host) -> bool:
    """Whether its pool is emptying it in order to delete it."""
    return host.spec.maintenance.mode == "Drain" and host.spec.maintenance.reason == SCALED_DOWN


def is_empty(host: Host, world: World) -> bool:
    """Whether no VM is on the host or, with a migration, on its way to it."""
    return not world.ledger.claims_on(host.name) and not world.vms_on.count(host.name)


def index_of(pool: NodePool, host: Host) -> int:
    """The n of ``<pool>-<n>``; after all of them for a host that people named."""
    number = host.name.removeprefix(f"{pool.name}-")
    return int(number) if number.isdecimal() and number != host.name else 2**31


def _surplus(pool: NodePool, staying: list[Host], world: World, number: int) -> list[Host]:
    """Empty hosts first, of them those that people have set aside; then those with the least memory to move.

    Of each kind those that keep zones and racks even, the last made.
    """
    if not number:
        return []
    last_made_first = staying[::-1]
    empty = [host for host in last_made_first if is_empty(host, world)]
    aside = [host for host in empty if host.spec.unschedulable or host.spec.maintenance.mode != "None"]
    others = [host for host in empty if host not in aside]
    loaded = [host for host in last_made_first if not is_empty(host, world)]
    loaded.sort(key=lambda host: world.ledger.allocated(host.name).memory)
    return list(islice(leavers(pool, staying, (aside, others, loaded)), number))


def _new_hosts(pool: NodePool, hosts: list[Host], number: int) -> list[Host]:
    taken = {index_of(pool, host) for host in hosts} if number else set()
    free = (index for index in count() if index not in taken)
    dealt = places(pool, [host for host in hosts if not host.deleting])
    return [_new_host(pool, index, place) for index, place in islice(zip(free, dealt, strict=False), number)]


def _new_host(pool: NodePool, index: int, place: Place) -> Host:
    return Host(
        metadata=ObjectMeta(
            name=f"{pool.name}-{index}",
            labels={POOL_LABEL: pool.name},
            finalizers=(FINALIZER,),
            owner_references=(pool.as_owner(),),
        ),
        spec=HostSpec(
            pool_ref=Ref(name=pool.name), failure_domain=place.zone, rack=place.rack, hardware=pool.spec.template
        ),
    )


def _described(host: Host) -> str:
    zone, rack = place_of_host(host)
    where = ", ".join((zone, f"rack {rack}") if zone and rack else (zone,) if zone else ())
    return f"host {host.name} in {where}" if where else f"host {host.name}"
