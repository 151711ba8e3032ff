"""The invariants of ARCHITECTURE.md, checked against the store: what is true, not what an operator believes.

Each check is a function from a `Picture` of the store (and the one before it, where a change is what is judged)
to violations in words. They share no code with the engine's bookkeeping, so that a defect there cannot hide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import floor
from typing import cast

from drover.api.host import Host
from drover.api.meta import Key
from drover.api.network import Network
from drover.api.virtualmachine import Usage, VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.api.volume import Volume
from drover.control.ports import Write
from drover.model.usage import milliseconds
from drover.sim.store import Store

FINAL = ("Succeeded", "Failed", "Cancelled")
GAVE_UP = ("Failed", "Cancelled")
LIVE = ("Running", "Paused", "Migrating")
Amounts = tuple[int, int, int]
"""Milli-vCPUs, bytes of memory, bytes of disk."""


@dataclass
class Picture:
    """The store at one version, by kind, with the claims that follow."""

    vms: dict[str, VirtualMachine] = field(default_factory=dict)
    migrations: dict[str, VirtualMachineMigration] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    networks: dict[Key, Network] = field(default_factory=dict)
    volumes: dict[Key, Volume] = field(default_factory=dict)
    claims: dict[str, dict[str, Amounts]] = field(default_factory=dict)
    """Host name to VM uid to amounts: each pair once, whoever states it."""

    @classmethod
    def of(cls, store: Store) -> Picture:
        picture = cls()
        for resource in store:
            match resource:
                case VirtualMachine():
                    picture.vms[resource.uid] = resource
                case VirtualMachineMigration():
                    picture.migrations[resource.uid] = resource
                case Host():
                    picture.hosts[resource.name] = resource
                case Network():
                    picture.networks[resource.key] = resource
                case Volume():
                    picture.volumes[resource.key] = resource
        picture._count_claims()
        return picture

    def _count_claims(self) -> None:
        for vm in self.vms.values():
            flavor = vm.status.flavor
            if vm.status.host_name and flavor:
                size = (flavor.vcpus * 1000, flavor.memory_bytes, flavor.root_disk_bytes)
                self._claim(vm.status.host_name, vm.uid, size)
        for migration in self.targeting():
            held = migration.status.resources
            if held is not None:
                size = (held.vcpus * 1000, held.memory_bytes, held.disk_bytes)
                self._claim(cast(str, migration.status.target_host), cast(str, migration.status.vm_uid), size)

    def _claim(self, host: str, uid: str, size: Amounts) -> None:
        on_host = self.claims.setdefault(host, {})
        before = on_host.get(uid, (0, 0, 0))
        on_host[uid] = cast(Amounts, tuple(map(max, before, size)))

    def targeting(self) -> Iterator[VirtualMachineMigration]:
        """Unfinished migrations that hold a target for a VM that exists."""
        for migration in self.migrations.values():
            status = migration.status
            if status.phase not in FINAL and status.target_host and status.vm_uid in self.vms:
                yield migration

    def vm_of(self, migration: VirtualMachineMigration) -> VirtualMachine | None:
        return self.vms.get(migration.status.vm_uid or "")


def allocatable(host: Host) -> Amounts:
    """(total - reserved) x overcommit, rounded down."""
    hardware = host.spec.hardware
    cpu, reserved, ratio = hardware.cpu, hardware.reserved, hardware.overcommit
    threads = cpu.sockets * cpu.cores_per_socket * cpu.threads_per_core
    return (
        floor((threads * 1000 - reserved.cpu.milli) * ratio.cpu.fraction),
        floor((hardware.memory.bytes - reserved.memory.bytes) * ratio.memory.fraction),
        floor((hardware.disk.bytes - reserved.disk.bytes) * ratio.disk.fraction),
    )


def allocated(picture: Picture, host: str) -> Amounts:
    columns = zip(*picture.claims.get(host, {}).values(), strict=True)
    sums = tuple(map(sum, columns))
    return cast(Amounts, sums) if sums else (0, 0, 0)


def capacity(before: Picture, now: Picture) -> Iterator[str]:
    """1: no host is claimed above what is allocatable, unless it shrank under claims that it had already."""
    for name, claims in now.claims.items():
        grown = {uid for uid, size in claims.items() if before.claims.get(name, {}).get(uid) != size}
        if not grown:
            continue
        who = ", ".join(sorted(now.vms[uid].name for uid in grown))
        host = now.hosts.get(name)
        if host is None:
            yield f"capacity: {who} placed on host {name}, which does not exist"
        elif any(is_ > may for is_, may in zip(allocated(now, name), allocatable(host), strict=True)):
            yield (
                f"capacity: host {name} has {allocated(now, name)} claimed by {len(claims)} VMs"
                f" of {allocatable(host)}, the last by {who}"
            )


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

    One write may close two intervals: the one that ran, and the time without a host before the VM is placed again.
    """
    if old.open is None:
        if new.open is not None:
            yield f"interval {new.open.seq} opened after the usage had ended"
        if new.closed != old.closed:
            yield "totals changed without an open interval"
        return
    closed = new.closed.through_seq - old.open.seq + 1
    if closed not in (1, 2):
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


class Invariants:
    """All of it, after every step."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._before = Picture()
        self._created: set[Key] = set()
        self._found: list[str] = []

    def wrote(self, write: Write, *, changed: bool) -> None:
        """7: the operator writes the spec of nothing that a user made, and nothing that has not changed."""
        if write.verb == "create":
            self._created.add(write.key)
        elif write.verb == "spec" and write.key not in self._created:
            self._found.append(f"own spec: the operator wrote the spec of {write.key}: {write.body}")
        if not changed:
            self._found.append(f"no-op: {write.verb} of {write.key} changed nothing: {write.body}")

    def check(self) -> list[str]:
        """What is violated now, or was by the change that led here."""
        now = Picture.of(self._store)
        found = self._found + [words for check in CHECKS for words in check(self._before, now)]
        self._before, self._found = now, []
        return found
