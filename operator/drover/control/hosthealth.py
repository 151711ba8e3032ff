"""Whether guests run on a host, and seeing to it that none does: failure, partition, fencing.

::

    up --NetworkPartition--> unseen --60 s--> unseen and Failed --fenced--> dead
     ^                         |                    |
     +-------- healed ---------+--------------------+      (as if nothing had been)

    up, unseen --Crash, no such pool--> dead --15 s--> dead and fenced
    up, unseen --powerState Off-------> dead (known to be: that needs no fence)
    dead --cause lifted--> Recovering --every VM here knows that its guest died--> up

``Ready`` is True when up, Unknown while unseen (guests may run on) and False when dead: the moment it turns False is
when the usage of the host's VMs ends. A dead host that comes back out of reach stays dead, for nobody saw it up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from drover.api.host import Host, HostPhase
from drover.api.virtualmachine import VirtualMachine
from drover.control.conditions import Verdict, true
from drover.control.driver import Command, Fence
from drover.control.stage import counted, ready, stalled, waiting
from drover.control.virtualmachine.losing import is_dead, knows_its_guest_died
from drover.control.world import World

GRACE_SECONDS = 60.0
"""Model seconds a host may be out of reach before it counts as failed."""
CRASHED = "crashed (spec.fault.type: Crash): set it to None to repair the host"
OUT_OF_REACH = "out of reach (spec.fault.type: NetworkPartition)"


@dataclass(frozen=True, slots=True)
class Health:
    """A host's part in whether guests run there; ``verdicts`` begins with Ready."""

    phase: HostPhase
    verdicts: tuple[Verdict, ...]
    work: frozenset[Command] = frozenset()
    requeue_at: datetime | None = None

    @property
    def ready(self) -> Verdict:
        return self.verdicts[0]


def health_of(host: Host, world: World, now: datetime) -> Health:
    if host.spec.fault.type == "Crash":
        return _dead(host, world, now, "Failed", stalled("HostFailed", CRASHED))
    if host.spec.power_state == "Off":
        return Health("Off", waiting("PoweredOff", "spec.powerState is Off: set it to On"))
    if host.spec.fault.type == "NetworkPartition":
        return _out_of_reach(host, world, now)
    pool = host.spec.pool_ref.name
    if world.pool(pool) is None:
        why = waiting("PoolNotFound", f"node pool {pool} does not exist: create it")
        return _dead(host, world, now, "NotReady", why)
    unaware = _unaware(host, world) if is_dead(host) else 0
    if unaware:
        why = waiting("Recovering", f"repaired; {counted(unaware, 'VM')} here must first be told that the guest died")
        return Health("NotReady", (*why, *_known_fence(host)))
    return Health("Ready", ready("HostReady", "guests can run here"))


def _dead(host: Host, world: World, now: datetime, phase: HostPhase, why: tuple[Verdict, ...]) -> Health:
    fenced, work = _fence(host, world, now)
    return Health(phase, (*why, fenced), work)


def _out_of_reach(host: Host, world: World, now: datetime) -> Health:
    dead = is_dead(host)
    failed_at = now if dead else _unseen_since(host, now) + world.pace(host.spec.pool_ref.name).wall(GRACE_SECONDS)
    if now < failed_at:
        message = f"{OUT_OF_REACH}: its guests may run on; it is fenced from {failed_at:%Y-%m-%dT%H:%M:%SZ} on"
        return Health("NotReady", (Verdict("Ready", "Unknown", "NetworkPartition", message),), requeue_at=failed_at)
    fenced, work = _fence(host, world, failed_at)
    message = f"failed, and {OUT_OF_REACH}: set it to None to repair the host"
    ended = dead or fenced.status == "True"
    judged = Verdict("Ready", "False" if ended else "Unknown", "HostFailed", message, fenced.at)
    return Health("Failed", (judged, true("Stalled", "HostFailed", message), fenced), work)


def _unseen_since(host: Host, now: datetime) -> datetime:
    known = host.status.condition("Ready")
    return known.last_transition_time if known is not None and known.status == "Unknown" else now


# Fencing


def _fence(host: Host, world: World, start: datetime) -> tuple[Verdict, frozenset[Command]]:
    """The Fenced condition, and the work it waits for. A fence that has begun goes on from when it did."""
    known = host.status.condition("Fenced")
    if known is not None and known.status == "True":
        return _fenced(), frozenset()
    since = known.last_transition_time if known is not None else start
    work = Fence(host.uid, since, world.pace(host.spec.pool_ref.name))
    done = world.completion(work)
    if done is not None:
        return _fenced(done.at), frozenset()
    message = "the host is being powered off, so that no guest can run on it unseen"
    return Verdict("Fenced", "False", "Fencing", message, since), frozenset({work})


def _fenced(at: datetime | None = None) -> Verdict:
    return Verdict("Fenced", "True", "Fenced", "no guest can be running here: its VMs may restart elsewhere", at)


def _known_fence(host: Host) -> tuple[Verdict, ...]:
    """A repaired host is not fenced any further; what a fence has made sure of stays so until the host is up."""
    return (_fenced(),) if host.status.is_true("Fenced") else ()


# Coming back


def _unaware(host: Host, world: World) -> int:
    """VMs that hold the host, on either side of a write, and may still take their guest to be alive.

    Were the host up before they know, a guest that died would go on running as if nothing had happened.
    """
    aware = {vm.uid for vm in world.vms(world.vms_on[host.name]) if _is_aware(vm, world)}
    return sum(uid not in aware for uid in world.ledger.claims_on(host.name))


def _is_aware(vm: VirtualMachine, world: World) -> bool:
    confirmed = cast("VirtualMachine | None", world.confirmed(vm.key))
    return confirmed is not None and knows_its_guest_died(vm) and knows_its_guest_died(confirmed)
