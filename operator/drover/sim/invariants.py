"""The invariants of ARCHITECTURE.md, checked against the store: what is true, not what an operator believes.

Each check is a function from a `Picture` of the store (and the one before it, where a change is what is judged)
to violations in words. They share no code with the engine's bookkeeping, so that a defect there cannot hide.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import cast

from drover.api.meta import Key
from drover.api.virtualmachine import Usage, VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.ports import Write
from drover.model.usage import milliseconds
from drover.sim.accounts import Accounts
from drover.sim.capacity import capacity, too_large
from drover.sim.company import Company
from drover.sim.history import History
from drover.sim.hostlosses import HostLosses
from drover.sim.moves import Moves
from drover.sim.newcomers import Newcomer, newcomers
from drover.sim.picture import FINAL, Picture
from drover.sim.preemption import preemption
from drover.sim.store import Store

GAVE_UP = ("Failed", "Cancelled")
LIVE = ("Running", "Paused", "Migrating")


def one_place(_before: Picture, now: Picture) -> Iterator[str]:
    """2: a VM has one host, or one host and one target."""
    targets: dict[str, list[VirtualMachineMigration]] = defaultdict(list)
    for migration in now.targeting():
        vm = now.vms[cast(str, migration.status.vm_uid)]
        if migration.status.target_host == vm.status.host_name:
            continue  # committed: what it held on its target is the VM's own claim now
        targets[cast(str, migration.status.vm_uid)].append(migration)
    for uid, migrations in targets.items():
        if len(migrations) > 1:
            where = ", ".join(f"{m.name} to {m.status.target_host}" for m in migrations)
            yield f"one place: {now.vms[uid].name} has {len(migrations)} migrations with a target: {where}"
    for vm in now.vms.values():
        if vm.status.host_name and vm.status.flavor is None:
            yield f"one place: {vm.key} is on {vm.status.host_name} without a size"


def one_holder(_before: Picture, now: Picture) -> Iterator[str]:
    """3: an address, a MAC, a segment id and a ReadWriteOnce volume have one holder."""
    holders: dict[str, set[str]] = defaultdict(set)
    for vm in now.vms.values():
        for nic in vm.status.interfaces:
            holders[f"address {nic.ip_address} of {nic.network}"].add(f"{vm.key}/{nic.name}")
            holders[f"MAC {nic.mac}"].add(f"{vm.key}/{nic.name}")
        for disk in vm.status.volumes:
            volume = now.volumes.get(Key("Volume", vm.namespace, disk.volume))
            if volume is not None and volume.spec.access_mode == "ReadWriteOnce":
                holders[str(volume.key)].add(str(vm.key))
    for network in now.networks.values():
        if network.status.segmentation_id is not None:
            holders[f"segment {network.status.segmentation_id}"].add(str(network.key))
    for thing, names in holders.items():
        if len(names) > 1:
            yield f"one holder: {thing} is held by {', '.join(sorted(names))}"


def usage(before: Picture, now: Picture) -> Iterator[str]:
    """4: intervals follow one another without overlap or hole, and totals are their exact sums."""
    for uid, vm in now.vms.items():
        old = before.vms.get(uid)
        if old is None or old.status.usage is None or old.status.usage == vm.status.usage:
            continue
        if vm.status.usage is None:
            yield f"usage: {vm.key} lost its usage"
        else:
            yield from (f"usage: {vm.key}: {fault}" for fault in _broken(old.status.usage, vm.status.usage))
    for vm in now.vms.values():
        charged = vm.status.usage.open if vm.status.usage else None
        if vm.status.phase in ("Running", "Migrating") and (charged is None or charged.phase != "Running"):
            as_what = charged.phase if charged else "nothing"
            yield f"usage: {vm.key} is {vm.status.phase} and charged as {as_what}"


def _broken(old: Usage, new: Usage) -> Iterator[str]:
    """What is wrong with the step from one usage to the next.

    One write may close several intervals: the one that ran, the time without a host before the VM is placed again, and
    an empty one that has the bytes of a migration.
    """
    if (old.open, old.closed) == (new.open, new.closed):
        return
    if old.open is None:
        if new.open is not None:
            yield f"interval {new.open.seq} opened after the usage had ended"
        if new.closed != old.closed:
            yield "totals changed without an open interval"
        return
    closed = new.closed.through_seq - old.open.seq + 1
    if closed not in (1, 2, 3):
        yield f"totals reach interval {new.closed.through_seq} when {old.open.seq} closes"
    cpu, memory, disk, running = (is_ - was for was, is_ in zip(_totals(old), _totals(new), strict=True))
    if new.open is None:
        length = disk // (old.open.disk_bytes or 1)
    else:
        length = milliseconds(new.open.since) - milliseconds(old.open.since)
        if new.open.seq != new.closed.through_seq + 1:
            yield f"interval {new.closed.through_seq} is followed by {new.open.seq}"
    charged = old.open.phase == "Running"
    ran = (length if closed == 1 else running) if charged else 0
    if not 0 <= ran <= length:
        yield f"an interval of {length} ms has {ran} ms in it"
    due = (old.open.vcpus * ran, old.open.memory_bytes * ran, old.open.disk_bytes * length, ran)
    if (cpu, memory, disk, running) != due:
        yield f"{(cpu, memory, disk, running)} added where {due} was due in {length} ms of {old.open}"


def _totals(usage: Usage) -> tuple[int, int, int, int]:
    """vCPU-, memory-, disk- and instance-milliseconds of the intervals that have ended."""
    closed = usage.closed
    return (closed.vcpu_millis, closed.memory_byte_millis, closed.disk_byte_millis, closed.instance_millis)


def intact_on_source(before: Picture, now: Picture) -> Iterator[str]:
    """5: a VM moves live at the commitment of its migration and at no other time, and none that moved has failed."""
    for uid, vm in now.vms.items():
        old = before.vms.get(uid)
        if old is None or old.status.host_name in (None, vm.status.host_name):
            continue
        if vm.status.phase in LIVE:
            move = [m for m in now.targeting() if m.status.vm_uid == uid and m.status.phase == "Commitment"]
            if vm.status.host_name not in {m.status.target_host for m in move}:
                yield f"source: {vm.key} moved to {vm.status.host_name} without a migration at its commitment"
    for uid, migration in now.migrations.items():
        moved, was = now.vm_of(migration), before.migrations.get(uid)
        if moved is None or was is None or was.status.phase in FINAL or migration.status.phase not in GAVE_UP:
            continue
        told = moved.status.migration
        if told is not None and (told.last, told.last_result) == (migration.name, "Succeeded"):
            yield f"source: {migration.name} ended {migration.status.phase} though {moved.key} has moved"


def nothing_in_use_goes(before: Picture, now: Picture) -> Iterator[str]:
    """6: what is in use is not removed."""
    for name in before.hosts.keys() - now.hosts.keys():
        for uid in now.claims.get(name, {}):
            yield f"in use: host {name} was removed under {now.vms[uid].key}"
    gone = {str(key) for key in before.networks.keys() - now.networks.keys()}
    gone |= {str(key) for key in before.volumes.keys() - now.volumes.keys()}
    if gone:
        for vm in now.vms.values():
            held = {f"Network/{nic.network}" for nic in vm.status.interfaces}
            held |= {f"Volume/{vm.namespace}/{disk.volume}" for disk in vm.status.volumes}
            yield from (f"in use: {thing} was removed under {vm.key}" for thing in sorted(held & gone))


CHECKS: tuple[Callable[[Picture, Picture], Iterator[str]], ...] = (
    capacity,
    one_place,
    one_holder,
    usage,
    intact_on_source,
    nothing_in_use_goes,
)


def suitable(newcomer: Newcomer, now: Picture, judged: Counter[str]) -> Iterator[str]:
    """8: a host that a VM gains may have it, whoever else is there."""
    vm, name = newcomer.vm, newcomer.host
    views = list(newcomer.views(name))
    judged.update(views[-1].rules())
    objections = [view.unfit() or view.closed() for view in views]
    if all(objections):
        yield f"suitable: {vm.name} is placed on {name}: {objections[-1]}"
    host, flavor = now.hosts.get(name), vm.status.flavor
    if host is None or flavor is None:
        return
    held, cells = now.claims[name][vm.uid], set(range(host.spec.hardware.cpu.sockets))
    judged["cells"] += flavor.numa_nodes > 0
    if len(held.cells) != flavor.numa_nodes or not held.cells <= cells:
        yield f"suitable: {vm.name} asks for {flavor.numa_nodes} NUMA cells and has {sorted(held.cells)} of {name}"
    if too_large(host, held, flavor.vcpus):
        yield f"suitable: {vm.name} is larger than {name}"


class Invariants:
    """All of it, after every step."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._before = Picture()
        self._history = History()
        self._losses = HostLosses()
        self._moves = Moves()
        self._accounts = Accounts()
        self._created: set[Key] = set()
        self._found: list[str] = []
        self.judged: Counter[str] = Counter()
        """How often each rule of placement had something to say: a rule that never had proves nothing."""

    def sent(self, write: Write, now: datetime) -> None:
        """The operator has sent a write, which may or may not arrive."""
        status = write.body.get("status") or {} if write.verb == "status" else {}
        if write.key.kind == VirtualMachine.KIND and status.get("hostName"):
            self._history.sent(write.key, status["hostName"], now)
        if write.key.kind == VirtualMachineMigration.KIND and status.get("targetHost"):
            migration = cast("VirtualMachineMigration | None", self._store.get(write.key))
            if migration is not None:
                vm = Key(VirtualMachine.KIND, migration.namespace, migration.spec.virtual_machine_name)
                self._history.sent(vm, status["targetHost"], now)

    def wrote(self, write: Write, *, changed: bool) -> None:
        """7: the operator writes the spec of nothing that a user made, and nothing that has not changed."""
        if write.verb == "create":
            self._created.add(write.key)
        elif write.verb == "spec" and write.key not in self._created:
            self._found.append(f"own spec: the operator wrote the spec of {write.key}: {write.body}")
        if not changed:
            self._found.append(f"no-op: {write.verb} of {write.key} changed nothing: {write.body}")

    def check(self, at: datetime) -> list[str]:
        """What is violated now, or was by the change that led here."""
        now = Picture.of(self._store)
        self._history.take(self._store, now, at)
        found = self._found + [words for check in CHECKS for words in check(self._before, now)]
        found += self._losses.check(self._before, now)
        found += self._moves.check(self._before, now)
        found += self._accounts.check(self._before, now)
        for newcomer in newcomers(self._before, now, self._history):
            found += suitable(newcomer, now, self.judged)
            found += Company(newcomer, now, self.judged).violations()
        found += preemption(self._before, now, self._history, self.judged, at)
        self._before, self._found = now, []
        return found
