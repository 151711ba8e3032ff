"""What objects hold, read off their status: hosts, addresses, MACs, segments, volumes.

A claim is a fact of one object's status. ``count`` keeps the World's books in step with every object, as it is
observed and as it is assumed by a write in flight; both count until the write is answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, cast

from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.network import Network
from drover.api.nodepool import NodePool
from drover.api.virtualmachine import ResolvedFlavor, VirtualMachine
from drover.api.virtualmachinemigration import MigrationClaim, VirtualMachineMigration
from drover.api.volume import Volume
from drover.model.addresses import AddressBook, AddressSpace, Subnet
from drover.model.placement import HostRow, Ratios, Resources, Weights

if TYPE_CHECKING:
    from drover.control.world import World

FINAL_MIGRATION_PHASES = frozenset({"Succeeded", "Failed", "Cancelled"})


class Holdings:
    """Who holds what cannot be shared: things to the uids of their holders, as stated by contributors."""

    def __init__(self) -> None:
        self._stated: dict[Hashable, frozenset[Hashable]] = {}
        self._holders: dict[Hashable, dict[Hashable, str]] = defaultdict(dict)

    def state(self, contributor: Hashable, holder: str, things: Iterable[Hashable]) -> None:
        """Replace everything ``contributor`` states that ``holder`` holds."""
        after = frozenset(things)
        for thing in self._stated.pop(contributor, frozenset()) - after:
            del self._holders[thing][contributor]
            if not self._holders[thing]:
                del self._holders[thing]
        for thing in after:
            self._holders[thing][contributor] = holder
        if after:
            self._stated[contributor] = after

    def holders(self, thing: Hashable) -> frozenset[str]:
        return frozenset(self._holders.get(thing, {}).values())

    def __contains__(self, thing: Hashable) -> bool:
        return thing in self._holders

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._holders)

    def __len__(self) -> int:
        return len(self._holders)


class AddressBooks:
    """The address book of each network and subnet that is known, and claims on those that are not yet."""

    def __init__(self) -> None:
        self._books: dict[tuple[Key, str], AddressBook] = {}
        self._stated: dict[Hashable, dict[tuple[Key, str], dict[str, str]]] = {}

    def define(self, network: Network | None, key: Key) -> None:
        """Lay the network's subnets out anew; None when it is gone."""
        subnets = {subnet.name: subnet for subnet in network.spec.subnets} if network else {}
        for known in [place for place in self._books if place[0] == key and place[1] not in subnets]:
            del self._books[known]
        for name, subnet in subnets.items():
            pools = tuple((pool.start, pool.end) for pool in subnet.allocation_pools)
            space = AddressSpace([Subnet(subnet.cidr, subnet.gateway_ip, pools)])
            book = AddressBook(space)
            for contributor, places in self._stated.items():
                if (key, name) in places:
                    book.set_claims(contributor, places[key, name])
            self._books[key, name] = book

    def state(self, contributor: Hashable, vm: VirtualMachine | None) -> None:
        """Replace the addresses that ``contributor`` states a VM holds."""
        before = self._stated.pop(contributor, {})
        after: dict[tuple[Key, str], dict[str, str]] = defaultdict(dict)
        for interface in vm.status.interfaces if vm else ():
            namespace, _, name = interface.network.partition("/")
            place = (Key(Network.KIND, namespace, name), interface.subnet)
            after[place][interface.ip_address] = f"{cast(VirtualMachine, vm).namespace}/{cast(VirtualMachine, vm).name}"
        if after:
            self._stated[contributor] = dict(after)
        for place in before.keys() | after.keys():
            if before.get(place) != after.get(place) and place in self._books:
                self._books[place].set_claims(contributor, after.get(place, {}))

    def book(self, network: Key, subnet: str) -> AddressBook | None:
        return self._books.get((network, subnet))

    def held(self, network: Key) -> bool:
        """Whether anybody states to hold an address of the network."""
        return any(place[0] == network for places in self._stated.values() for place in places)


def count(
    world: World, key: Key, before: AnyResource | None, observed: AnyResource | None, assumed: AnyResource | None
) -> None:
    """Bring the books in step with one object, seen from both sides; ``before`` is what was visible until now."""
    visible = assumed if assumed is not None else observed
    match key.kind:
        case VirtualMachine.KIND:
            for side, vm in (("observed", observed), ("assumed", assumed)):
                _count_vm(world, (key, side), cast("VirtualMachine | None", vm))
        case VirtualMachineMigration.KIND:
            for side, migration in (("observed", observed), ("assumed", assumed)):
                held = migration_claims(cast("VirtualMachineMigration | None", migration))
                world.ledger.set_claims((key, side), held)
        case Host.KIND:
            if visible is None:
                world.ledger.remove(key.name)
            else:
                host = cast(Host, visible)
                world.ledger.upsert(host_row(host, world.pool(host.spec.pool_ref.name)))
        case NodePool.KIND if before is None or visible is None or before.spec != visible.spec:
            for host in world.hosts_in(key.name):
                world.ledger.upsert(host_row(host, cast("NodePool | None", visible)))
        case Network.KIND:
            if before is None or visible is None or before.spec != visible.spec:
                world.addresses.define(cast("Network | None", visible), key)
            for side, network in (("observed", observed), ("assumed", assumed)):
                segment = cast(Network, network).status.segmentation_id if network else None
                world.segments.state((key, side), network.uid if network else "", [segment] if segment else [])


def _count_vm(world: World, contributor: Hashable, vm: VirtualMachine | None) -> None:
    world.ledger.set_claims(contributor, vm_claims(vm))
    world.addresses.state(contributor, vm)
    uid = vm.uid if vm else ""
    world.macs.state(contributor, uid, [nic.mac for nic in vm.status.interfaces] if vm else ())
    world.attachments.state(contributor, uid, volumes_held_by(vm) if vm else ())


def vm_claims(vm: VirtualMachine | None) -> dict[tuple[str, str], Resources]:
    """The host a VM's status says it holds."""
    if vm is None or not vm.status.host_name or vm.status.flavor is None:
        return {}
    return {(vm.uid, vm.status.host_name): size_of(vm.status.flavor)}


def migration_claims(migration: VirtualMachineMigration | None) -> dict[tuple[str, str], Resources]:
    """The target a migration holds for its VM. It is charged once, with the VM, after the commit."""
    if migration is None or is_final(migration):
        return {}
    status = migration.status
    if not status.target_host or not status.vm_uid or status.resources is None:
        return {}
    return {(status.vm_uid, status.target_host): claim_size(status.resources)}


def size_of(flavor: ResolvedFlavor) -> Resources:
    return Resources(
        flavor.vcpus * 1000, flavor.memory_bytes, flavor.root_disk_bytes, flavor.bandwidth_bytes_per_second
    )


def claim_size(claim: MigrationClaim) -> Resources:
    return Resources(claim.vcpus * 1000, claim.memory_bytes, claim.disk_bytes, claim.bandwidth_bytes_per_second)


def holds_target(migration: VirtualMachineMigration, vm: VirtualMachine) -> bool:
    status = migration.status
    return not is_final(migration) and status.target_host is not None and status.vm_uid == vm.uid


def is_final(migration: VirtualMachineMigration) -> bool:
    return migration.status.phase in FINAL_MIGRATION_PHASES


def host_row(host: Host, pool: NodePool | None) -> HostRow:
    """A host as placement sees it, with its pool's strategy."""
    hardware = host.spec.hardware
    cpu = hardware.cpu
    overcommit = hardware.overcommit
    placement = pool.spec.placement if pool else None
    return HostRow(
        name=host.name,
        pool=host.spec.pool_ref.name,
        total=Resources(
            cpu.sockets * cpu.cores_per_socket * cpu.threads_per_core * 1000,
            hardware.memory.bytes,
            hardware.disk.bytes,
            sum(nic.bandwidth.bytes for nic in hardware.nics if nic.role in ("Tenant", "Shared")),
        ),
        reserved=Resources(hardware.reserved.cpu.milli, hardware.reserved.memory.bytes, hardware.reserved.disk.bytes),
        ratios=Ratios(overcommit.cpu.fraction, overcommit.memory.fraction, overcommit.disk.fraction),
        labels=hardware.labels,
        failure_domain=host.spec.failure_domain or "",
        blocked=_blocked(host, pool),
        strategy=placement.strategy if placement else "Balance",
        weights=Weights(**dict(placement.weights)) if placement else Weights(),
    )


def _blocked(host: Host, pool: NodePool | None) -> str | None:
    """Why nothing new may be placed on a host, in the words a refusal counts it under."""
    if host.deleting or (pool is not None and pool.deleting):
        return "being deleted"
    if not is_up(host):
        return "not ready"
    if host.spec.maintenance.mode == "Drain":
        return "in maintenance"
    return "cordoned" if host.spec.unschedulable else None


def is_up(host: Host | None) -> bool:
    """Whether guests can run there: observed Ready, and no fault or power-off asked for since."""
    return (
        host is not None
        and host.status.is_true("Ready")
        and host.spec.fault.type == "None"
        and host.spec.power_state == "On"
    )


def migration_bandwidth(host: Host) -> int:
    """Bytes a second of the cards that carry live migrations."""
    nics = host.spec.hardware.nics
    dedicated = [nic.bandwidth.bytes for nic in nics if nic.role == "Migration"]
    return sum(dedicated) or sum(nic.bandwidth.bytes for nic in nics if nic.role == "Shared")


# What refers to what, for the indexes


def images_of_vm(vm: VirtualMachine) -> list[Key]:
    reference = vm.spec.image_ref
    return [Key("Image", reference.namespace or vm.namespace, reference.name)] if reference else []


def images_of_volume(volume: Volume) -> list[Key]:
    reference = volume.spec.source.ref
    return [Key("Image", reference.namespace or volume.namespace, reference.name)] if reference else []


def networks_of_vm(vm: VirtualMachine) -> set[Key]:
    """Networks a VM asks for, and those it still holds an address on."""
    asked = {
        Key("Network", nic.network_ref.namespace or vm.namespace, nic.network_ref.name) for nic in vm.spec.networks
    }
    return asked | {Key("Network", *nic.network.split("/", 1)) for nic in vm.status.interfaces}


def volume_name(vm: VirtualMachine, disk: str) -> str:
    """The name of the Volume made from a VM's template: the same after every crash."""
    return f"{vm.name}-{disk}"


def volumes_of_vm(vm: VirtualMachine) -> set[Key]:
    """Volumes a VM asks for, and those it still holds."""
    asked = {
        Key("Volume", vm.namespace, disk.volume_ref.name if disk.volume_ref else volume_name(vm, disk.name))
        for disk in vm.spec.volumes
    }
    return asked | volumes_held_by(vm)


def volumes_held_by(vm: VirtualMachine) -> set[Key]:
    return {Key("Volume", vm.namespace, disk.volume) for disk in vm.status.volumes}


def plan_of_migration(migration: VirtualMachineMigration) -> list[Key]:
    spec = migration.spec
    if not spec.plan_name:
        return []
    return [Key("MigrationPlan", spec.plan_namespace or migration.namespace, spec.plan_name)]


def violations(world: World) -> list[str]:
    """Claims that contradict one another: hosts above their capacity, things with two holders."""
    found = [f"host {name} is claimed above its {', '.join(what)}" for name, what in world.ledger.overcommitted()]
    for name, holdings in (("MAC", world.macs), ("segment", world.segments)):
        found += [
            f"{name} {thing} has {len(holdings.holders(thing))} holders"
            for thing in holdings
            if len(holdings.holders(thing)) > 1
        ]
    return found
