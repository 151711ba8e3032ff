"""What must hold of live migrations: slots, phases, progress, claims, and where a guest in post-copy is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.sim.picture import FINAL, Picture

ENDS = {"Failed", "Cancelled"}
NEXT: Mapping[str | None, set[str]] = {
    None: {"Pending", "PreparingTarget", *ENDS},
    "Pending": {"PreparingTarget", *ENDS},
    "PreparingTarget": {"PreCopy", *ENDS},
    "PreCopy": {"StopAndCopy", *ENDS},
    "StopAndCopy": {"PostCopy", "Commitment", *ENDS},
    "PostCopy": {"Commitment", "Failed"},
    "Commitment": {"Activation", "Failed"},
    "Activation": {"Succeeded"},
}
"""Phases that may follow one another; the others are final."""
ON_THE_SOURCE = ("PreparingTarget", "PreCopy", "StopAndCopy", "PostCopy")
LIVE = ("Running", "Paused", "Migrating")


class Moves:
    """Remembers, from one version of the store to the next, which guests were lost in post-copy."""

    def __init__(self) -> None:
        self._lost: dict[str, int] = {}
        """VM uid to the boot attempt of a guest that was lost."""

    def check(self, before: Picture, now: Picture) -> Iterator[str]:
        for uid, migration in now.migrations.items():
            old = before.migrations.get(uid)
            if old is not None and old is not migration:
                yield from _steady(old, migration)
                yield from self._interrupted(old, migration, now)
        yield from _slots(before, now)
        yield from _stays_in_post_copy(before, now)
        yield from self._dead_for_good(now)

    def _interrupted(self, old: VirtualMachineMigration, new: VirtualMachineMigration, now: Picture) -> Iterator[str]:
        """A guest in post-copy is given up only when it cannot be running on the target, or is ended there."""
        if not _is_post_copy(old) or new.status.phase != "Failed":
            return
        if new.status.failure_reason not in ("PostCopyInterrupted", "VirtualMachineDeleted"):
            yield f"post-copy: {new.name} failed with {new.status.failure_reason} when its guest was on its target"
        target, vm = now.hosts.get(new.status.target_host or ""), now.vm_of(new)
        ready = target.status.condition("Ready") if target is not None else None
        if target is not None and ready is not None and ready.status != "True":
            emptied = target.status.is_true("Fenced") or ready.reason in ("PoweredOff", "Recovering")
            if not emptied:
                yield f"post-copy: {new.name} left {target.name}, where its guest may be running still ({ready.reason})"
        if vm is not None:
            self._lost[vm.uid] = vm.status.boot_attempt

    def _dead_for_good(self, now: Picture) -> Iterator[str]:
        """Once its VM has taken notice, a guest that was lost in post-copy is never shown alive without a boot."""
        for uid, attempt in list(self._lost.items()):
            vm = now.vms.get(uid)
            if vm is None or vm.status.boot_attempt != attempt:
                del self._lost[uid]
            elif vm.status.phase in LIVE and (vm.status.migration is None or vm.status.migration.current is None):
                yield f"post-copy: {vm.key} is {vm.status.phase}, though its guest was lost in post-copy"


def _steady(old: VirtualMachineMigration, new: VirtualMachineMigration) -> Iterator[str]:
    """Phases follow the table, progress never runs back, and what is claimed stays so until the end."""
    was, is_ = old.status, new.status
    if was.phase != is_.phase and is_.phase not in NEXT.get(was.phase, set()):
        yield f"phases: {new.name} went from {was.phase} to {is_.phase}"
    if was.progress is not None and is_.progress is not None and is_.progress.percent < was.progress.percent:
        yield f"progress: {new.name} fell from {was.progress.percent} to {is_.progress.percent} %"
    held, holds = ((side.source_host, side.target_host, side.resources, side.vm_uid) for side in (was, is_))
    if was.target_host is not None and held != holds:
        yield f"target: {new.name} held {held} and holds {holds}"
    if is_.phase in NEXT and is_.phase not in (None, "Pending") and (is_.target_host is None or is_.resources is None):
        yield f"target: {new.name} is {is_.phase} without one"


def _slots(before: Picture, now: Picture) -> Iterator[str]:
    """A move that begins finds a slot of its pool and of both hosts."""
    held = [m for m in now.migrations.values() if m.status.target_host and m.status.phase not in FINAL]
    begun = [m for m in held if not ((old := before.migrations.get(m.uid)) and old.status.target_host)]
    if not begun:
        return
    pools = Counter(_pool(m.status.source_host, now) for m in held)
    out, into = (Counter(getattr(m.status, side) for m in held) for side in ("source_host", "target_host"))
    for migration in begun:
        source, target = migration.status.source_host, migration.status.target_host
        pool = _pool(source, now)
        if pool not in now.pools:
            continue
        limits = now.pools[pool].spec.migration
        for what, used, most in (
            (f"pool {pool}", pools[pool], limits.parallel_migrations_per_pool),
            (f"{source} outbound", out[source], limits.parallel_outbound_migrations_per_host),
            (f"{target} inbound", into[target], limits.parallel_inbound_migrations_per_host),
        ):
            if used > most:
                yield f"slots: {migration.name} began beside {used - 1} others: {what} has {most}"


def _stays_in_post_copy(before: Picture, now: Picture) -> Iterator[str]:
    """A VM whose guest is on its target does nothing but wait for it, and is charged for both hosts."""
    for migration in before.migrations.values():
        old, new = before.vm_of(migration), now.vm_of(migration)
        if old is None or new is None or not _is_post_copy(migration) or not _holds(now, migration):
            continue
        if old.status.phase == "Migrating" and not _waits_or_moves(new, migration):
            yield f"post-copy: {new.key} is {new.status.phase} on {new.status.host_name} while its guest is elsewhere"


def _waits_or_moves(vm: VirtualMachine, migration: VirtualMachineMigration) -> bool:
    if vm.status.phase == "Migrating":
        return vm.status.host_name == migration.status.source_host
    return vm.status.phase == "Running" and vm.status.host_name == migration.status.target_host


def _holds(now: Picture, migration: VirtualMachineMigration) -> bool:
    """Whether it is not over yet."""
    found = now.migrations.get(migration.uid)
    return found is not None and found.status.phase not in FINAL


def _is_post_copy(migration: VirtualMachineMigration) -> bool:
    phase, mode = migration.status.phase, migration.status.mode
    return phase == "PostCopy" or (phase == "Commitment" and mode == "PostCopy")


def _pool(host: str | None, now: Picture) -> str | None:
    found = now.hosts.get(host or "")
    return found.spec.pool_ref.name if found is not None else None
