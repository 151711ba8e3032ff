"""The books of what is held: hosts, addresses, MACs, segments, volumes.

They follow from the objects' status alone, as observed and as assumed by a write in flight; both count until the
write is answered. Each object is a contributor on each of these two sides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from typing import cast

from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.network import Network
from drover.api.nodepool import AdmissionControl, NodePool
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.world.claims import host_row, migration_claims, vm_claims, volumes_held_by
from drover.control.world.cohorts import Cohorts
from drover.model.addresses import AddressBook, AddressSpace, Subnet
from drover.model.placement import Ledger, Reserve

Side = AnyResource | None
Sides = tuple[Side, Side]
"""One object as observed and as assumed."""
SIDES = ("observed", "assumed")


class Books:
    """All books, kept in step with one object at a time by ``count``."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.addresses = AddressBooks()
        self.macs = Holdings()
        self.segments = Holdings()
        self.attachments = Holdings()
        self.cohorts = Cohorts()
        self._vms: dict[str, dict[Key, Sides]] = defaultdict(dict)
        self._migrations: dict[Key, dict[Key, Sides]] = defaultdict(dict)
        self._hosts: dict[str, Host] = {}
        self._pools: dict[str, NodePool] = {}

    def count(self, key: Key, before: Side, observed: Side, assumed: Side) -> None:
        """Take one object as seen from both sides; ``before`` is what was visible of it until now."""
        visible = assumed if assumed is not None else observed
        same_spec = before is not None and visible is not None and before.spec == visible.spec
        same_spec = same_spec and cast(AnyResource, before).deleting == cast(AnyResource, visible).deleting
        match key.kind:
            case VirtualMachine.KIND:
                self._take_vm(key, (observed, assumed))
            case VirtualMachineMigration.KIND:
                self._take_migration(key, before, (observed, assumed))
            case Host.KIND:
                self._count_host(key.name, cast("Host | None", visible))
            case NodePool.KIND if not same_spec:
                self._count_pool(key.name, cast("NodePool | None", visible))
            case Network.KIND:
                if not same_spec:
                    self.addresses.define(cast("Network | None", visible), key)
                for side, network in (("observed", observed), ("assumed", assumed)):
                    self._count_network((key, side), cast("Network | None", network))

    def violations(self) -> list[str]:
        """Claims that contradict one another: hosts above their capacity, things with two holders."""
        found = [f"host {name} is claimed above its {', '.join(what)}" for name, what in self.ledger.overcommitted()]
        for what, holdings in (("MAC", self.macs), ("segment", self.segments)):
            shared = [thing for thing in holdings if len(holdings.holders(thing)) > 1]
            found += [f"{what} {thing} has {len(holdings.holders(thing))} holders" for thing in shared]
        return found

    def _take_vm(self, key: Key, sides: Sides) -> None:
        vm = cast("VirtualMachine | None", _visible(sides))
        together = self._vms[key.namespace]
        if vm is None:
            together.pop(key, None)
        else:
            together[key] = sides
        # A selector that nobody named before may match anybody of the namespace.
        affected = dict(together) if self.cohorts.learn(key, vm) else {}
        for other, held in {**affected, key: sides}.items():
            self._count_vm(other, held)

    def _count_vm(self, key: Key, sides: Sides) -> None:
        for side, vm in zip(SIDES, cast("tuple[VirtualMachine | None, ...]", sides), strict=True):
            contributor = (key, side)
            self.ledger.set_claims(contributor, vm_claims(vm, self.cohorts.marks(vm) if vm else frozenset()))
            self.addresses.state(contributor, vm)
            uid = vm.uid if vm else ""
            self.macs.state(contributor, uid, [nic.mac for nic in vm.status.interfaces] if vm else ())
            self.attachments.state(contributor, uid, volumes_held_by(vm) if vm else ())
        for migration, held in self._migrations.get(key, {}).items():
            self._count_migration(migration, key, held)

    def _take_migration(self, key: Key, before: Side, sides: Sides) -> None:
        migration = cast(VirtualMachineMigration, _visible(sides) or before)
        vm = Key(VirtualMachine.KIND, key.namespace, migration.spec.virtual_machine_name)
        if _visible(sides) is None:
            self._migrations[vm].pop(key, None)
        else:
            self._migrations[vm][key] = sides
        if not self._migrations[vm]:
            del self._migrations[vm]
        self._count_migration(key, vm, sides)

    def _count_migration(self, key: Key, vm_key: Key, sides: Sides) -> None:
        """A VM counts on the target of its migration as it does where it is."""
        vm = cast("VirtualMachine | None", _visible(self._vms[vm_key.namespace].get(vm_key, (None, None))))
        marks = self.cohorts.marks(vm) if vm is not None else frozenset()
        for side, migration in zip(SIDES, cast("tuple[VirtualMachineMigration | None, ...]", sides), strict=True):
            self.ledger.set_claims((key, side), migration_claims(migration, marks))

    def _count_network(self, contributor: Hashable, network: Network | None) -> None:
        segment = network.status.segmentation_id if network else None
        self.segments.state(contributor, network.uid if network else "", [segment] if segment else [])

    def _count_host(self, name: str, host: Host | None) -> None:
        if host is None:
            self._hosts.pop(name, None)
            self.ledger.remove(name)
        else:
            self._hosts[name] = host
            self.ledger.upsert(host_row(host, self._pools.get(host.spec.pool_ref.name)))

    def _count_pool(self, name: str, pool: NodePool | None) -> None:
        """A pool's strategy is in the rows of its hosts."""
        if pool is None:
            self._pools.pop(name, None)
        else:
            self._pools[name] = pool
        if (reserve := _reserve(pool)) is not None:
            self.ledger.reserves[name] = reserve
        else:
            self.ledger.reserves.pop(name, None)
        for host in self._hosts.values():
            if host.spec.pool_ref.name == name:
                self.ledger.upsert(host_row(host, pool))


def _visible(sides: Sides) -> Side:
    observed, assumed = sides
    return assumed if assumed is not None else observed


def _reserve(pool: NodePool | None) -> Reserve | None:
    match pool.spec.admission_control if pool is not None else None:
        case AdmissionControl(policy="HostFailures", host_failures_to_tolerate=failures):
            return Reserve(host_failures=failures)
        case AdmissionControl(policy="Percentage", percent=percent):
            return Reserve(percent=percent or 0)
        case _:
            return None


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
