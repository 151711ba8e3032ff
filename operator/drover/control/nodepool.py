"""NodePool: Hosts made from a template, and taken away without losing a VM.

A host of the pool::

    (missing) --create--> member --one too many--> leaving (drained) --empty--> deleted --> gone
                            ^ <---wanted again-------+

A host leaves through maintenance even when it is empty: what is deleted has first been seen to take no new VM, so
none can arrive between the decision and the deletion. The pool itself::

    Pending --a host is ready--> Ready <--some are not--> Degraded
    (any) --deleted--> Terminating: stays while VMs are on its hosts, deletes the hosts, goes
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import reduce
from operator import add
from typing import NamedTuple, cast

import numpy as np

from drover.api.host import Host
from drover.api.meta import FINALIZER, AnyResource, Key
from drover.api.nodepool import NodePool, NodePoolPhase, Utilization
from drover.api.quantity import Quantity, human
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.amounts import amounts, in_use
from drover.control.conditions import Verdict, false, true
from drover.control.failover import failover, failover_events
from drover.control.host import place_of
from drover.control.outcome import Controller, Delete, Event, Outcome, Watch, warning
from drover.control.scaling import POOL_LABEL, Scaling, index_of, is_empty, is_leaving, scale
from drover.control.stage import Hold, Stage, conclude, counted, named, progressing, ready, waiting
from drover.control.watching import on_change, whenever
from drover.control.world import World
from drover.control.world.claims import is_final
from drover.model.packing import Snapshot, variation
from drover.model.packing.snapshot import IntArray
from drover.model.placement import NO_RESOURCES, Resources

NEARLY_FULL = 90
"""Percent of a resource above which a pool is nearly full."""
IMBALANCE_THRESHOLD = 0.10
"""The coefficient of variation of host load above which a pool is imbalanced."""
FAILOVER_SECONDS = 5.0
"""What a pool can lose is told anew so long after VMs or hosts of other pools, where its VMs may go, have changed."""


def reconcile(pool: NodePool, world: World, now: datetime) -> Outcome:
    hosts = sorted(world.hosts_in(pool.name), key=lambda host: (index_of(pool, host), host.name))
    scaling = _scaling(pool, hosts, world)
    phase, readiness = _readiness(pool, hosts, scaling)
    room = _room(hosts, world)
    capacity = _capacity_available(room)
    lost, survivable = failover(pool, hosts, world)
    stage = Stage(
        phase=phase,
        verdicts=(*readiness, capacity, *survivable, *_balanced(pool, hosts, world)),
        fields={**_views(pool, hosts, room, world), "failover": lost},
        events=(*scaling.events, *_fullness_events(pool, capacity), *failover_events(pool, survivable)),
        children=scaling.children,
    )
    if pool.deleting:
        return _terminate(pool, hosts, stage, world, now)
    return conclude(pool, stage, now, None)


def _scaling(pool: NodePool, hosts: list[Host], world: World) -> Scaling:
    """A pool that is being deleted, or is not protected from it yet, makes and takes no hosts."""
    if pool.deleting or FINALIZER not in pool.metadata.finalizers:
        return Scaling()
    return scale(pool, hosts, world)


def _terminate(pool: NodePool, hosts: list[Host], stage: Stage, world: World, now: datetime) -> Outcome:
    """While VMs are on its hosts the pool stays as it is; then the hosts go, and it goes last."""
    users = [key for host in hosts for key in world.vms_on[host.name]]
    if users:
        who = f"{counted(len(users), 'VM')} on its hosts: {named(users)}"
        return conclude(pool, stage, now, Hold(f"{who}; migrate or delete them"))
    if any(not is_empty(host, world) for host in hosts):
        return Outcome()  # a VM is on its way here, or its leaving has not been confirmed yet
    if hosts:
        left = Hold(f"{counted(len(hosts), 'host')} still to be deleted", "DeletingHosts", blocked=False)
        going = tuple(Delete(host) for host in hosts if not host.deleting)
        return conclude(pool, replace(stage, children=going), now, left)
    return conclude(pool, stage, now, None)


# Readiness


def _readiness(pool: NodePool, hosts: list[Host], scaling: Scaling) -> tuple[NodePoolPhase, tuple[Verdict, ...]]:
    leaving = {host.name for host in scaling.leaving}
    staying = [host for host in hosts if not host.deleting and not is_leaving(host) and host.name not in leaving]
    down = [host for host in staying if _is_known(host) and not host.status.is_true("Ready")]
    coming = scaling.creating + sum(not _is_known(host) for host in staying)
    up = len(staying) - len(down) - sum(not _is_known(host) for host in staying)
    phase: NodePoolPhase = "Degraded" if down else "Pending" if coming and not up else "Ready"
    going = [host for host in hosts if host.deleting or host.name in leaving]
    return phase, _readiness_verdicts(pool, staying, down, coming, going)


def _readiness_verdicts(
    pool: NodePool, staying: list[Host], down: list[Host], coming: int, going: list[Host]
) -> tuple[Verdict, ...]:
    wanted = counted(pool.spec.replicas, "host")
    if coming:
        return progressing("ScalingUp", f"{len(staying)} of {wanted} exist, {coming} not ready yet")
    if going:
        return progressing("ScalingDown", f"{wanted} wanted, {len(going)} leaving: {named(h.key for h in going)}")
    if down:
        names = named(host.key for host in down)
        why = f"{len(staying) - len(down)} of {wanted} are ready; not ready: {names}. Repair or delete them"
        return waiting("HostsNotReady", why)
    return ready("AllHostsReady", f"{len(staying)} of {wanted} are ready{_drift(pool, staying)}")


def _is_known(host: Host) -> bool:
    """Whether somebody has looked at the host since it was made."""
    return host.status.condition("Ready") is not None


def _drift(pool: NodePool, hosts: list[Host]) -> str:
    """Hosts keep the hardware they were made with; say so where that is no longer the template's."""
    other = sum(host.spec.hardware != pool.spec.template for host in hosts)
    if not other:
        return ""
    return f"; {counted(other, 'host')} made from an earlier template: delete them to have them made anew"


# Views


class Room(NamedTuple):
    """Sums over hosts."""

    allocated: Resources
    """On all of them."""
    allocatable: Resources
    """Of those that are ready."""
    used: Resources
    """On those that are ready."""


def _room(hosts: list[Host], world: World) -> Room:
    used = {host.name: in_use(host.name, world.ledger) for host in hosts}
    names = [host.name for host in hosts if host.status.is_true("Ready")]
    allocatable = _total(map(world.ledger.allocatable, names))
    return Room(_total(used.values()), allocatable, _total(used[name] for name in names))


def _views(pool: NodePool, hosts: list[Host], room: Room, world: World) -> dict[str, object]:
    rows = [row for host in hosts if (row := world.ledger.row(host.name)) is not None]
    return {
        "replicas": len(hosts),
        "ready_replicas": sum(host.status.is_true("Ready") for host in hosts),
        "selector": f"{POOL_LABEL}={pool.name}",
        "capacity": amounts(_total(row.total for row in rows)),
        "allocatable": amounts(room.allocatable),
        "allocated": amounts(room.allocated),
        "virtual_machines": sum(world.vms_on.count(host.name) for host in hosts),
        "utilization": Utilization(
            cpu_percent=_percent(room.used.milli_cpu, room.allocatable.milli_cpu),
            memory_percent=_percent(room.used.memory, room.allocatable.memory),
        ),
    }


def _total(parts: Iterable[Resources]) -> Resources:
    return reduce(add, parts, NO_RESOURCES)


def _percent(used: int, most: int) -> int:
    return 100 * used // most if most else 0


def _capacity_available(room: Room) -> Verdict:
    """By the resource that is used most."""
    most, used = room.allocatable, room.used
    if not most.milli_cpu:
        return false("CapacityAvailable", "Full", "no host is ready: scale the pool up or repair its hosts")
    shares = [
        (have / limit, f"{name}: {shown(have)} of {shown(limit)} allocated", have, limit)
        for name, have, limit, shown in (
            ("cpu", used.milli_cpu, most.milli_cpu, Quantity.of_milli),
            ("memory", used.memory, most.memory, human),
            ("disk", used.disk, most.disk, human),
        )
        if limit
    ]
    _, told, have, limit = max(shares)
    if have >= limit:
        return false("CapacityAvailable", "Full", f"{told}; scale the pool up")
    if 100 * have > NEARLY_FULL * limit:
        return true("CapacityAvailable", "NearlyFull", f"{told}; scale the pool up before it is full")
    return true("CapacityAvailable", "Available", told)


def _balanced(pool: NodePool, hosts: list[Host], world: World) -> tuple[Verdict, ...]:
    """By the coefficient of variation of the load of the hosts that take VMs, where they are to be loaded alike.

    A host's load is the larger of the shares of its CPU and of its memory in use.
    """
    rows = [row for host in hosts if (row := world.ledger.row(host.name)) is not None and row.blocked is None]
    if not rows or pool.spec.placement.strategy != "Balance":
        return ()
    used = [in_use(row.name, world.ledger) for row in rows]
    snapshot = Snapshot(_columns(row.allocatable for row in rows), _columns(used), np.arange(len(rows)))
    found = variation(snapshot)
    told = f"the load of {counted(len(rows), 'host')} varies by {100 * found:.1f} %"
    if found <= IMBALANCE_THRESHOLD:
        return (true("Balanced", "WithinThreshold", told),)
    most = f"more than {100 * IMBALANCE_THRESHOLD:.0f} %"
    mend = f"`drover rebalance {pool.name} --goal balance` proposes migrations"
    return (false("Balanced", "Imbalanced", f"{told}, {most}: {mend}"),)


def _columns(parts: Iterable[Resources]) -> IntArray:
    return np.array([(part.milli_cpu, part.memory) for part in parts], np.int64).reshape(-1, 2)


def _fullness_events(pool: NodePool, capacity: Verdict) -> tuple[Event, ...]:
    """Told on the way up, once for nearly full and full alike."""
    known = pool.status.condition("CapacityAvailable")
    was_full = known is not None and known.reason != "Available"
    if capacity.reason == "Available" or was_full or pool.status.ready_replicas == 0:
        return ()
    return (warning("PoolNearlyFull", capacity.message),)


# What wakes it


def _pool_of_host(host: Host) -> list[Key]:
    return [Key(NodePool.KIND, "", host.spec.pool_ref.name)]


def course_of_host(host: Host) -> object:
    return host.spec, host.deleting, host.status.is_true("Ready"), _is_known(host)


def _pool_of_vm(vm: VirtualMachine) -> list[Key]:
    return [Key(NodePool.KIND, "", vm.status.node_pool_name)] if vm.status.node_pool_name else []


def _by_migration(before: AnyResource | None, after: AnyResource | None, world: World) -> list[Key]:
    """The target's pool, when a migration takes or gives back room there."""
    old, new = cast("VirtualMachineMigration | None", before), cast("VirtualMachineMigration | None", after)
    if old is not None and new is not None and target_of(old) == target_of(new):
        return []
    targets = {target_of(side) for side in (old, new) if side is not None}
    hosts = [host for name in targets if (host := world.host(name)) is not None]
    return sorted({key for host in hosts for key in _pool_of_host(host)})


def target_of(migration: VirtualMachineMigration) -> str | None:
    return None if is_final(migration) else migration.status.target_host


def claim_of(vm: VirtualMachine) -> object:
    """What a VM holds of a host, if of any."""
    return place_of(vm) if vm.status.host_name else None


def _with_admission_control(world: World) -> list[Key]:
    return [pool.key for pool in world.all(NodePool) if pool.spec.admission_control.policy != "Disabled"]


CONTROLLER = Controller(
    kind=NodePool.KIND,
    reconcile=reconcile,
    watches=(
        Watch(Host.KIND, on_change(_pool_of_host, of=course_of_host), after=1.0),
        Watch(VirtualMachine.KIND, on_change(_pool_of_vm, of=place_of), after=1.0),
        Watch(VirtualMachineMigration.KIND, _by_migration, after=1.0),
        Watch(Host.KIND, whenever(course_of_host, _with_admission_control), after=FAILOVER_SECONDS),
        Watch(VirtualMachine.KIND, whenever(claim_of, _with_admission_control), after=FAILOVER_SECONDS),
    ),
)
