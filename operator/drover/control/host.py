"""Host: one modelled hypervisor, and what is known of it.

::

    (new) --> Ready --maintenance.mode Drain--> Draining --no VM left--> Maintenance
                ^ <-------------------maintenance.mode None------------------+
    any --fault Crash--> Failed    any --powerState Off--> Off    any --no such pool--> NotReady
    any --fault NetworkPartition--> NotReady --60 s--> Failed
    any --cause lifted--> Ready
    (any) --deleted--> stays while VMs are on it --> gone

``Ready`` says whether guests can run here, also in maintenance; ``hosthealth`` decides it, and fences what failed.
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

from drover.api.host import Host, HostPhase
from drover.api.meta import AnyResource, Key
from drover.api.migrationplan import MigrationPlan
from drover.api.nodepool import NodePool
from drover.api.quantity import Quantity, human
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.amounts import amounts, in_use
from drover.control.conditions import Verdict, false, true
from drover.control.drain import drain
from drover.control.hosthealth import Health, health_of
from drover.control.outcome import Controller, Event, Outcome, Watch, warning
from drover.control.stage import Hold, Stage, conclude, counted, named
from drover.control.virtualmachine.losing import knows_its_guest_died
from drover.control.watching import on_change
from drover.control.world import World
from drover.control.world.claims import host_row, is_final, is_up


def reconcile(host: Host, world: World, now: datetime) -> Outcome:
    vms = world.vms(world.vms_on[host.name])
    health = health_of(host, world, now)
    up = health.ready.status == "True"
    drained = drain(host, vms, world, now, up=up)
    schedulable = _schedulable(host, up)
    stage = Stage(
        phase=_phase(host, health, vms),
        verdicts=(*health.verdicts, schedulable, *drained.verdicts, *_overcommitted(host, world)),
        fields={**_amounts(host, world), "virtual_machines": len(vms), "drain": drained.status},
        events=(*_health_events(host, health), *_cordon_events(host, schedulable), *drained.events),
        requeue_at=health.requeue_at or drained.requeue_at,
        children=drained.children,
        work=health.work,
    )
    return conclude(
        host,
        stage,
        now,
        _hold(host, vms, world),
        phase_when_deleting=None,
        released=not world.ledger.claims_on(host.name),
    )


# Conditions, phase and events


def _phase(host: Host, health: Health, vms: list[VirtualMachine]) -> HostPhase:
    if health.phase == "Ready" and host.spec.maintenance.mode == "Drain":
        return "Draining" if vms else "Maintenance"
    return health.phase


def _health_events(host: Host, health: Health) -> tuple[Event, ...]:
    known = host.status.condition("Ready")
    changed = known is None or known.reason != health.ready.reason
    fenced = [verdict for verdict in health.verdicts if verdict.type == "Fenced" and verdict.status == "True"]
    told = [_ready_event(health.ready)] if changed else []
    if fenced and not host.status.is_true("Fenced"):
        told.append(Event("HostFenced", fenced[0].message))
    return tuple(told)


def _ready_event(ready: Verdict) -> Event:
    match ready.reason:
        case "HostReady":
            return Event("HostReady", ready.message)
        case "HostFailed":
            return warning("HostFailed", ready.message)
    return Event("HostNotReady", ready.message)


def _schedulable(host: Host, up: bool) -> Verdict:
    if not up:
        return false("Schedulable", "HostNotReady", "guests cannot run here now")
    if host.spec.maintenance.mode == "Drain":
        return false("Schedulable", "InMaintenance", "spec.maintenance.mode is Drain: set it to None to end it")
    if host.spec.unschedulable:
        return false("Schedulable", "Cordoned", "spec.unschedulable is true: no new VM is placed here")
    return true("Schedulable", "Schedulable", "VMs can be placed here")


def _cordon_events(host: Host, schedulable: Verdict) -> tuple[Event, ...]:
    known = host.status.condition("Schedulable")
    if schedulable.reason != "Cordoned" or (known is not None and known.reason == "Cordoned"):
        return ()
    return (Event("HostCordoned", schedulable.message),)


# Amounts


def _amounts(host: Host, world: World) -> dict[str, object]:
    row = host_row(host, world.pool(host.spec.pool_ref.name))
    arriving, leaving = _migrations(host, world)
    return {
        "capacity": amounts(row.total),
        "allocatable": amounts(row.allocatable),
        "allocated": amounts(in_use(host.name, world.ledger)),
        "migrations_in": arriving,
        "migrations_out": leaving,
    }


def _migrations(host: Host, world: World) -> tuple[int, int]:
    """(onto, away from) this host, of the migrations that hold a target."""
    active = [m.status for m in world.migrations(world.migrations_at[host.name])]
    arriving = sum(status.target_host == host.name for status in active)
    return arriving, sum(status.source_host == host.name for status in active)


def _overcommitted(host: Host, world: World) -> tuple[Verdict, ...]:
    """Present while more is claimed than may be: the hardware shrank under its VMs."""
    may = host_row(host, world.pool(host.spec.pool_ref.name)).allocatable
    held = in_use(host.name, world.ledger)
    above = [
        f"{name} {shown(have)} of {shown(most)}"
        for name, have, most, shown in (
            ("cpu", held.milli_cpu, may.milli_cpu, Quantity.of_milli),
            ("memory", held.memory, may.memory, human),
            ("disk", held.disk, may.disk, human),
        )
        if have > most
    ]
    gpus = dict(may.gpus)
    above += [f"{device} {have} of {gpus.get(device, 0)}" for device, have in held.gpus if have > gpus.get(device, 0)]
    if not above:
        return ()
    why = f"allocated above allocatable: {', '.join(above)}; drain the host or give it back its hardware"
    return (true("Overcommitted", "CapacityShrank", why),)


# Deletion


def _hold(host: Host, vms: list[VirtualMachine], world: World) -> Hold | None:
    arriving = [
        migration.key
        for migration in world.migrations(world.migrations_at[host.name])
        if migration.status.target_host == host.name
    ]
    if not vms and not arriving:
        return None
    users = named([*(vm.key for vm in vms), *arriving])
    who = f"{counted(len(vms), 'VM')} on it and {counted(len(arriving), 'migration')} onto it: {users}"
    return Hold(f"{who}; set spec.maintenance.mode to Drain, or delete the VMs")


# What wakes it


def _host_of(vm: VirtualMachine) -> list[Key]:
    return [Key(Host.KIND, "", vm.status.host_name)] if vm.status.host_name else []


def place_of(vm: VirtualMachine) -> object:
    """What of a VM counts for the totals of its host and pool."""
    return vm.status.host_name, vm.status.flavor


def _mourned(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """The host that has died, when one of its VMs comes to know it: the host comes back once all of them do."""
    old, new = cast("VirtualMachine | None", before), cast("VirtualMachine | None", after)
    if new is None or not knows_its_guest_died(new) or (old is not None and knows_its_guest_died(old)):
        return []
    host = world.host(new.status.host_name)
    return [host.key] if host is not None and not host.status.is_true("Ready") else []


def _ends_of(migration: VirtualMachineMigration) -> list[Key]:
    ends = (migration.status.source_host, migration.status.target_host)
    return [Key(Host.KIND, "", name) for name in ends if name]


def _course_of(migration: VirtualMachineMigration) -> object:
    return _ends_of(migration), is_final(migration)


def _drained_by(plan: MigrationPlan) -> list[Key]:
    return [Key(Host.KIND, "", plan.spec.host_name)] if plan.spec.host_name else []


def _blocked_drains(world: World) -> list[Key]:
    hosts = (cast(Host, world.find(key)) for key in world.draining_hosts[True])
    drained = ((host.key, host.status.condition("Drained")) for host in hosts)
    return [key for key, condition in drained if condition is not None and condition.reason == "Blocked"]


def _by_room(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """Drains that are blocked, when a VM gave up a host: there may be room on it."""
    old, new = cast("VirtualMachine | None", before), cast("VirtualMachine | None", after)
    if old is None or not old.status.host_name or (new is not None and new.status.host_name == old.status.host_name):
        return []
    return _blocked_drains(world)


def _by_host(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """The same, when another host can take VMs that could not, or other ones."""
    old, new = cast("Host | None", before), cast("Host | None", after)
    if new is None or (old is not None and _offer(old) == _offer(new)):
        return []
    return [key for key in _blocked_drains(world) if key != new.key]


def _offer(host: Host) -> object:
    spec = host.spec
    return is_up(host), spec.unschedulable, spec.maintenance.mode, spec.hardware, spec.taints


def _by_stuck(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """The host whose drain a VM blocks, when the VM is edited."""
    old, new = cast("VirtualMachine | None", before), cast("VirtualMachine | None", after)
    if old is None or new is None or old.metadata.generation == new.metadata.generation:
        return []
    return [key for key in _blocked_drains(world) if key.name == new.status.host_name]


def _hosts_of_pool(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """The hosts of a pool that appeared or went, or whose time scale changed."""
    old, new = cast("NodePool | None", before), cast("NodePool | None", after)
    if old is not None and new is not None and old.spec.driver == new.spec.driver:
        return []
    pool = cast(NodePool, new if new is not None else old)
    return world.hosts_of_pool[pool.name]


CONTROLLER = Controller(
    kind=Host.KIND,
    reconcile=reconcile,
    watches=(
        Watch(VirtualMachine.KIND, on_change(_host_of, of=place_of), after=1.0),
        Watch(VirtualMachine.KIND, _mourned, after=1.0),
        Watch(VirtualMachineMigration.KIND, on_change(_ends_of, of=_course_of), after=1.0),
        Watch(VirtualMachine.KIND, _by_room, after=1.0),
        Watch(VirtualMachine.KIND, _by_stuck, after=1.0),
        Watch(Host.KIND, _by_host, after=1.0),
        Watch(MigrationPlan.KIND, on_change(_drained_by, of=lambda plan: plan.status), after=1.0),
        Watch(NodePool.KIND, _hosts_of_pool),
    ),
)
