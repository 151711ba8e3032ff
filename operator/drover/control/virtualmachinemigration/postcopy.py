"""After the switch to post-copy: the guest runs on its target and needs its source, and there is no way back.

::

    PostCopy --all pages are there--> Commitment --> as after pre-copy
       |  ^
       |  +--(a host is out of reach: wait; QEMU calls it postcopy-paused)
       +--(source dead, target dead, link taken away)--> Failed, PostCopyInterrupted: the guest is lost

Nothing is given up while the guest may be running on the target: one that is dead must be fenced, off or repaired.
What users ask of the VM meanwhile (stop, delete, restart) it does when the guest is in one piece again.
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

from drover.api.host import Host
from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.outcome import Outcome
from drover.control.virtualmachine.losing import is_dead, may_leave
from drover.control.virtualmachinemigration.endings import severed
from drover.control.virtualmachinemigration.handover import commitment, post_copy
from drover.control.virtualmachinemigration.status import End, ended
from drover.control.world import World
from drover.control.world.claims import is_up


def past_return(migration: VirtualMachineMigration, vm: VirtualMachine, world: World, now: datetime) -> Outcome:
    """PostCopy, and the Commitment that follows it."""
    end = _interrupted(migration, world)
    if end is not None:
        return ended(migration, now, end) if _is_empty(migration, world) else Outcome()
    if migration.status.phase == "Commitment":
        return commitment(migration, vm, world, now)
    hosts = (migration.status.source_host, migration.status.target_host)
    return post_copy(migration, vm, world, now) if all(is_up(world.host(name)) for name in hosts) else Outcome()


def _interrupted(migration: VirtualMachineMigration, world: World) -> End | None:
    """Why the guest is lost. After the last page, its source no longer matters."""
    name, source, target = (
        migration.spec.virtual_machine_name,
        migration.status.source_host,
        migration.status.target_host,
    )
    if _is_gone(target, world):
        return _lost(f"target host {target} is lost, and with it the guest of {name}, which ran there in post-copy")
    if migration.status.phase == "Commitment":
        return None
    if _is_gone(source, world):
        return _lost(f"source host {source} was lost before {target} had all pages of {name}: its guest is lost")
    if (cut := severed(migration, world)) is not None:
        return _lost(f"{cut.message}; {target} had not all pages of {name} yet: its guest is lost")
    return None


def _lost(message: str) -> End:
    return End("Failed", "PostCopyInterrupted", message)


def _is_gone(name: str | None, world: World) -> bool:
    host = _confirmed(name, world)
    return host is None or is_dead(host)


def _is_empty(migration: VirtualMachineMigration, world: World) -> bool:
    """Whether no guest can be running on the target, or it is within reach, so that what is left of it is ended."""
    host = _confirmed(migration.status.target_host, world)
    ready = host.status.condition("Ready") if host is not None else None
    repaired = ready is not None and ready.reason == "Recovering"
    return repaired or may_leave(host) or is_up(host)


def _confirmed(name: str | None, world: World) -> Host | None:
    """A host as the API server has it (`drover.control.virtualmachine.losing.confirmed_host`)."""
    return cast("Host | None", world.confirmed(Key(Host.KIND, "", name or "")))
