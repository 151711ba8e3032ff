"""The in-memory view of everything.

An object is held twice while a write of it is in flight::

    observed --assume(new status)--> observed + assumed --settle--> observed
        |                                  |                            ^
        |                                  +-- write refused: forgotten-+
        +-- watch event or write response: a newer resourceVersion replaces an older one, never the reverse

Decisions read the assumed object. *Claims* are counted for both (``books``): until the API server has answered, a VM
that is about to leave a host still holds it, and one about to arrive holds it already. That is what lets one leader
decide without waiting for its writes and never claim a host twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar, cast

from drover.api.host import Host
from drover.api.image import Image
from drover.api.meta import OPERATOR_NAMESPACE, AnyResource, Key
from drover.api.migrationplan import MigrationPlan
from drover.api.network import Network
from drover.api.nodepool import NodePool
from drover.api.priorityclass import PriorityClass
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.api.volume import Volume
from drover.control.driver import Command, Completion, Pace
from drover.control.metering.ledger import UsageLedger
from drover.control.world import claims
from drover.control.world.books import Books
from drover.control.world.index import Index, Lines
from drover.control.world.priorities import Priority, priority_of
from drover.control.world.queues import Queues, Side, parked_for
from drover.model.placement import Ledger

ResourceT = TypeVar("ResourceT", bound=AnyResource)
Listener = Callable[[AnyResource | None, AnyResource | None], None]

MAX_TOMBSTONES = 65_536


class World:
    """Every object by key, the indexes over them, the host ledger and the address books."""

    def __init__(self, operator_namespace: str = OPERATOR_NAMESPACE) -> None:
        self.operator_namespace = operator_namespace
        self._observed: dict[str, dict[Key, AnyResource]] = defaultdict(dict)
        self._assumed: dict[Key, AnyResource] = {}
        self._assumed_over: dict[Key, AnyResource | None] = {}
        self._completions: dict[Command, Completion] = {}
        self._tombstones: dict[str, None] = {}
        self._listeners: list[Listener] = []
        self.closed_kinds: set[str] = set()
        """Kinds whose CRD is being deleted, as the API server has said: nothing of them can be created any more."""
        self.books = Books()
        self.usage = UsageLedger()
        self.queues = Queues()
        self.vms_on = Index(_host_of_vm)
        self.vms_of_flavor = Index(lambda vm: [vm.spec.flavor_ref.name])
        self.vms_of_image = Index(claims.images_of_vm)
        self.vms_of_network = Index(claims.networks_of_vm)
        self.vms_of_volume = Index(claims.volumes_of_vm)
        self.vms_of_group = Index(claims.group_of_vm)
        self.vms_preemptible = Index(lambda vm: [True] if vm.spec.preemptible and vm.status.host_name else [])
        self.vms_preempting = Index(claims.preempted_by)
        self.vms_nominating = Index(claims.nominated_by)
        self.vms_unschedulable = Lines(claims.waits_like, order=claims.created_at)
        self.vms_unplaced = Index(lambda vm: [vm.status.phase] if not vm.status.host_name else [])
        self.volumes_of_image = Index(claims.images_of_volume)
        self.hosts_of_pool = Index(lambda host: [host.spec.pool_ref.name])
        self.draining_hosts = Index(lambda host: [True] if host.spec.maintenance.mode == "Drain" else [])
        self.migrations_of_vm = Index(lambda m: [Key("VirtualMachine", m.namespace, m.spec.virtual_machine_name)])
        self.migrations_of_plan = Index(claims.plan_of_migration)
        self.active_migrations = Index(lambda m: [] if claims.is_final(m) else [True])
        self.parked_migrations = Index(parked_for)
        self.moving_migrations = Index(lambda m: [True] if claims.hosts_of_migration(m) else [])
        self.migrations_at = Index(claims.hosts_of_migration)
        self.default_priority_classes = Index(lambda named: [True] if named.spec.global_default else [])
        self.plans_of_host = Index(lambda plan: [plan.spec.host_name] if plan.spec.host_name else [])
        self._indexes: dict[str, tuple[Index | Lines, ...]] = {
            "VirtualMachine": (
                self.vms_on,
                self.vms_of_flavor,
                self.vms_of_image,
                self.vms_of_network,
                self.vms_of_volume,
                self.vms_of_group,
                self.vms_preemptible,
                self.vms_preempting,
                self.vms_nominating,
                self.vms_unschedulable,
                self.vms_unplaced,
            ),
            "Volume": (self.volumes_of_image,),
            "Host": (self.hosts_of_pool, self.draining_hosts),
            "VirtualMachineMigration": (
                self.migrations_of_vm,
                self.migrations_of_plan,
                self.active_migrations,
                self.parked_migrations,
                self.moving_migrations,
                self.migrations_at,
            ),
            "MigrationPlan": (self.plans_of_host,),
            "PriorityClass": (self.default_priority_classes,),
        }

    @property
    def ledger(self) -> Ledger:
        """What the hosts have, and what is claimed on them."""
        return self.books.ledger

    # Reading

    def get(self, kind: type[ResourceT], namespace: str, name: str) -> ResourceT | None:
        """The object as decisions see it: with the write in flight, if there is one."""
        return cast("ResourceT | None", self.find(Key(kind.KIND, namespace, name)))

    def find(self, key: Key) -> AnyResource | None:
        return self._assumed.get(key) or self._observed[key.kind].get(key)

    def confirmed(self, key: Key) -> AnyResource | None:
        """The object as the API server last told it, without what is only assumed."""
        return self._observed[key.kind].get(key)

    def all(self, kind: type[ResourceT]) -> Iterator[ResourceT]:
        for key in list(self._observed[kind.KIND]):
            yield cast(ResourceT, self.find(key))

    def keys(self, kind: str) -> list[Key]:
        return list(self._observed[kind])

    def count(self, kind: str) -> int:
        return len(self._observed[kind])

    def vms(self, keys: Iterable[Key]) -> list[VirtualMachine]:
        return [cast(VirtualMachine, self.find(key)) for key in keys]

    def host(self, name: str | None) -> Host | None:
        return self.get(Host, "", name) if name else None

    def pool(self, name: str | None) -> NodePool | None:
        return self.get(NodePool, "", name) if name else None

    def hosts_in(self, pool: str) -> list[Host]:
        return [cast(Host, self.find(key)) for key in self.hosts_of_pool[pool]]

    def plan(self, namespace: str, name: str) -> MigrationPlan | None:
        return self.get(MigrationPlan, namespace, name)

    def image(self, namespace: str, name: str) -> Image | None:
        return self.get(Image, namespace, name)

    def volume(self, namespace: str, name: str) -> Volume | None:
        return self.get(Volume, namespace, name)

    def network(self, namespace: str, name: str) -> Network | None:
        return self.get(Network, namespace, name)

    def priority(self, vm: VirtualMachine) -> Priority:
        """How urgent a VM is to place, and whether it may preempt others."""
        name = vm.spec.priority_class_name
        named = self.get(PriorityClass, "", name) if name else None
        defaults = (cast(PriorityClass, self.find(key)) for key in self.default_priority_classes[True])
        return priority_of(named, defaults)

    def migration_of(self, vm: VirtualMachine) -> VirtualMachineMigration | None:
        """The one migration of a VM that holds a target, if any; at most one does.

        One whose end is only assumed holds its target still: the write that gives it up may be refused.
        """
        for key in self.migrations_of_vm[vm.key]:
            migration = cast(VirtualMachineMigration, self.find(key))
            confirmed = cast("VirtualMachineMigration | None", self.confirmed(key))
            if any(side is not None and claims.holds_target(side, vm) for side in (migration, confirmed)):
                return migration
        return None

    def migrations(self, keys: Iterable[Key]) -> list[VirtualMachineMigration]:
        return [cast(VirtualMachineMigration, self.find(key)) for key in keys]

    def pace(self, pool: str | None = None) -> Pace:
        """The driver's seed and time scale: of one pool, or for work of no pool, of the fastest."""
        named = self.pool(pool)
        pools = (
            [named]
            if named
            else sorted(self.all(NodePool), key=lambda p: (-p.spec.driver.time_scale.fraction, p.name))[:1]
        )
        return next((Pace(p.spec.driver.seed, float(p.spec.driver.time_scale.fraction)) for p in pools), Pace())

    def completion(self, command: Command) -> Completion | None:
        return self._completions.get(command)

    # Changing

    def subscribe(self, listener: Listener) -> None:
        """Be told of every change of what decisions see, as (before, after).

        A write is told twice: as it is assumed, and from the same ``before`` as it is answered. Only then is what it
        gives up free, so who waits for that has to look again.
        """
        self._listeners.append(listener)

    def observe(self, resource: AnyResource) -> bool:
        """Take what the API server says, unless it is older than what is known. True where anything changed."""
        key = resource.key
        known = self._observed[key.kind].get(key)
        if resource.uid in self._tombstones or (known is not None and _version(resource) <= _version(known)):
            return False
        before = self.find(key)
        if known is not None and known.uid != resource.uid:
            self._assumed.pop(key, None)
            self._bury(known.uid)
        self._observed[key.kind][key] = resource
        self._changed(key, before)
        return True

    def gone(self, key: Key, uid: str) -> bool:
        """The API server no longer has the object; a later one of the same name is another."""
        known = self._observed[key.kind].get(key)
        if known is None or (uid and known.uid != uid):
            return False
        before = self.find(key)
        del self._observed[key.kind][key]
        self._assumed.pop(key, None)
        assumed_over = self._assumed_over.pop(key, None)
        self._bury(known.uid)
        self._changed(key, before)
        if assumed_over is not None:
            self._tell(assumed_over, None)
        return True

    def unlisted(self, kind: str, uids: Mapping[Key, str], version: int) -> list[AnyResource]:
        """What a complete list of ``version`` does not name, and so is gone: a watch that was down does not tell of
        deletions.
        """
        known = [resource for key, resource in self._observed[kind].items() if uids.get(key) != resource.uid]
        return [resource for resource in known if _version(resource) <= version]

    def _bury(self, uid: str) -> None:
        # The response to a write, or a watch that lags, may still show an object after its deletion was seen.
        self._tombstones[uid] = None
        if len(self._tombstones) > MAX_TOMBSTONES:
            del self._tombstones[next(iter(self._tombstones))]

    def assume(self, resource: AnyResource) -> None:
        """Decide on with a write that has not been answered yet."""
        before = self.find(resource.key)
        self._assumed[resource.key] = resource
        self._assumed_over[resource.key] = before
        self._changed(resource.key, before)

    def settle(self, key: Key) -> None:
        """The write was answered: what is observed is all there is."""
        before = self.find(key)
        assumed_over = self._assumed_over.pop(key, None)
        if self._assumed.pop(key, None) is not None:
            self._changed(key, before)
            after = self.find(key)
            if after is not assumed_over:
                self._tell(assumed_over, after)

    def complete(self, completion: Completion) -> None:
        self._completions[completion.command] = completion

    def drop_completion(self, command: Command) -> None:
        self._completions.pop(command, None)

    def _changed(self, key: Key, before: AnyResource | None) -> None:
        after = self.find(key)
        for index in self._indexes.get(key.kind, ()):
            index.replace(before, after)
        observed = self._observed[key.kind].get(key)
        self.books.count(key, before, observed, self._assumed.get(key))
        self.usage.take(key, observed)
        if key.kind == VirtualMachineMigration.KIND:
            self._queue(key, before)
        elif key.kind == VirtualMachine.KIND:
            for migration in self.migrations_of_vm[key]:
                self._queue(migration, self.find(migration))
        self._tell(before, after)

    def _queue(self, key: Key, before: AnyResource | None) -> None:
        """Count a migration in its queue; ``before`` is what was visible of it until now."""
        visible = cast(VirtualMachineMigration, self.find(key) or before)
        vm = self.get(VirtualMachine, key.namespace, visible.spec.virtual_machine_name)
        observed, assumed = self._observed[key.kind].get(key), self._assumed.get(key)
        self.queues.count(key, *cast("tuple[Side, Side]", (observed, assumed)), vm)

    def _tell(self, before: AnyResource | None, after: AnyResource | None) -> None:
        for listener in self._listeners:
            listener(before, after)


def _host_of_vm(vm: VirtualMachine) -> list[str]:
    return [vm.status.host_name] if vm.status.host_name else []


def _version(resource: AnyResource) -> int:
    """resourceVersions are comparable as integers for one resource (KEP-5504)."""
    return int(resource.metadata.resource_version or 0)
