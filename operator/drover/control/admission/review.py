"""The review of one object: what is refused, what is warned of.

An update answers for what it changes alone: what was wrong before it stays allowed, so that nobody is kept from mending
one thing by another. Deletions, status and finalizers are not reviewed at all. A dry run is never refused, only told
that it would be: GitOps tools try a whole folder so before they apply the first object of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.migrationplan import MigrationPlan
from drover.api.nodepool import NodePool
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.admission import outlook
from drover.control.admission.capacity import coming_up, needs_room, room_for, shortage
from drover.control.admission.references import faults, refers_to
from drover.control.admission.verdict import Enforcement, Fault, Rules, Verdict
from drover.control.virtualmachine.power import power_of
from drover.control.world import World

MAX_CHARACTERS = 255
"""Of a warning: the API server cuts longer ones where there are many (4096 characters in all)."""
EVERY_POOL = Key(NodePool.KIND, "", "")


def review(
    new: AnyResource, old: AnyResource | None, world: World, now: datetime, rules: Rules, *, dry_run: bool = False
) -> Verdict:
    """``old`` is the object as it is, None for one that is created. The World need not know either, and is left as it
    is. ``dry_run``: where nothing is wrong, the future is told.
    """
    if new.deleting or (old is not None and _asked(new) == _asked(old)):
        return Verdict()
    wrong = _introduced(new, old, world)
    verdict = _enforced(rules.references, wrong, refers_to(new), dry_run=dry_run)
    foretell = dry_run and not wrong
    if isinstance(new, VirtualMachine):
        found = _room(new, old if isinstance(old, VirtualMachine) else None, world, now, foretell=foretell)
        if isinstance(found, Fault):
            found = _enforced(rules.capacity, [found], {EVERY_POOL, new.key}, dry_run=dry_run)
        verdict = _both(verdict, found)
    elif foretell:
        verdict = Verdict(warnings=tuple(_prospects(new, world, now)))
    return _about(new, verdict)


def _asked(resource: AnyResource) -> object:
    """What of an object a review is about; a VM is also started and stopped by an annotation."""
    return resource.spec, isinstance(resource, VirtualMachine) and power_of(resource).on


def _introduced(new: AnyResource, old: AnyResource | None, world: World) -> list[Fault]:
    found = list(faults(new, world))
    known = set(faults(old, world)) if found and old is not None else set()
    return [fault for fault in found if fault not in known]


def _room(
    vm: VirtualMachine, old: VirtualMachine | None, world: World, now: datetime, *, foretell: bool
) -> Fault | Verdict:
    needed = needs_room(vm, old)
    if not needed and (old is not None or not foretell):
        return Verdict()
    room = room_for(vm, world, now)
    lack = shortage(room, world)
    if lack is None or not needed:
        return Verdict(warnings=tuple(outlook.of_vm(vm, room)) if foretell else ())
    if old is not None and power_of(old).on and shortage(room_for(old, world, now), world) is not None:
        return Verdict()
    if (waiting := coming_up(vm, world)) is not None:
        return Verdict(warnings=(f"{waiting}: {lack}",), rests_on=frozenset({EVERY_POOL}))
    return lack


def _prospects(new: AnyResource, world: World, now: datetime) -> Iterator[str]:
    match new:
        case MigrationPlan():
            yield from outlook.of_plan(new, world, now)
        case VirtualMachineMigration() if not new.spec.cancel:
            yield from outlook.of_migration(new, world, now)
        case Host() if new.spec.maintenance.mode == "Drain":
            yield from outlook.of_drain(new, world, now)


def _enforced(rule: Enforcement, wrong: Sequence[Fault], keys: AbstractSet[Key], *, dry_run: bool) -> Verdict:
    if not wrong:
        return Verdict()
    if rule == "Deny" and not dry_run:
        return Verdict("; ".join(map(str, wrong)), rests_on=frozenset(keys))
    would_be = "would be refused: " if rule == "Deny" else ""
    return Verdict(warnings=tuple(f"{would_be}{fault}" for fault in wrong), rests_on=frozenset(keys))


def _both(one: Verdict, other: Verdict) -> Verdict:
    refusals = [refusal for refusal in (one.refusal, other.refusal) if refusal is not None]
    return Verdict("; ".join(refusals) or None, one.warnings + other.warnings, one.rests_on | other.rests_on)


def _about(resource: AnyResource, verdict: Verdict) -> Verdict:
    """Warnings of many objects come one after the other: each names its own."""
    where = f"{resource.namespace}/{resource.name}" if resource.namespace else resource.name
    told = (f"{resource.SHORT_NAMES[0]} {where}: {warning}" for warning in verdict.warnings)
    return Verdict(verdict.refusal, tuple(text[:MAX_CHARACTERS] for text in told), verdict.rests_on)
