"""What a pool can lose: the host failures its VMs survive, against what its admission control wants."""

from __future__ import annotations

from collections.abc import Sequence

from drover.api.host import Host
from drover.api.nodepool import AdmissionControl, Failover, NodePool
from drover.control.amounts import in_use
from drover.control.conditions import Verdict, false, true
from drover.control.outcome import Event, warning
from drover.control.world import World
from drover.control.world.claims import is_up
from drover.control.world.requests import residents
from drover.model.placement.whatif import hardest_to_lose, tolerated

CONDITION = "FailoverCapacityAvailable"
MENDS = "scale the pool up, delete VMs, or ask for less"


def failover(pool: NodePool, hosts: Sequence[Host], world: World) -> tuple[Failover | None, tuple[Verdict, ...]]:
    """Told by trying; nothing while admission control is Disabled.

    One failure more than required is tried, so that people see how near it is.
    """
    control = pool.spec.admission_control
    if control.policy == "Disabled":
        return None, ()
    up = [host.name for host in hosts if is_up(host)]
    required = _required(control, len(up))
    hardest = hardest_to_lose(world.ledger, up, required + 1)
    found = tolerated(world.ledger, hardest, lambda host: residents(host, world), required + 1)
    counts = Failover(tolerated=found, required=required)
    if control.policy == "Percentage":
        return counts, (_by_share(control, up, world),)
    return counts, (_by_number(counts),)


def _required(control: AdmissionControl, hosts: int) -> int:
    """For Percentage, the hosts that the share is worth."""
    if control.policy == "Percentage":
        return hosts * (control.percent or 0) // 100
    return control.host_failures_to_tolerate


def _by_number(counts: Failover) -> Verdict:
    told = f"{counts.tolerated} of {counts.required} required"
    if counts.tolerated >= counts.required:
        return true(CONDITION, "Tolerates", f"{told} host failures leave no VM without a host")
    mend = f"{MENDS} with spec.admissionControl.hostFailuresToTolerate"
    return false(CONDITION, "Insufficient", f"{told} host failures leave no VM without a host: {mend}")


def _by_share(control: AdmissionControl, up: Sequence[str], world: World) -> Verdict:
    """By the scarcer of CPU and memory, as placement holds them back."""
    ledger, percent = world.ledger, control.percent or 0
    limits, used = map(ledger.allocatable, up), [in_use(host, ledger) for host in up]
    totals = [(limit.milli_cpu, limit.memory) for limit in limits]
    free = []
    for name, most, taken in (
        ("cpu", sum(cpu for cpu, _ in totals), sum(amount.milli_cpu for amount in used)),
        ("memory", sum(memory for _, memory in totals), sum(amount.memory for amount in used)),
    ):
        free.append((max(0, 100 * (most - taken) // most) if most else 0, name))
    told = f"{percent} % required, {' and '.join(f'{share} % of {name}' for share, name in free)} free"
    if min(free)[0] >= percent:
        return true(CONDITION, "Tolerates", told)
    return false(CONDITION, "Insufficient", f"{told}: {MENDS} with spec.admissionControl.percent")


def failover_events(pool: NodePool, verdicts: Sequence[Verdict]) -> tuple[Event, ...]:
    """Told when what was there is lost, not while a new pool has none yet."""
    if not pool.status.is_true(CONDITION):
        return ()
    return tuple(warning("FailoverCapacityLost", verdict.message) for verdict in verdicts if verdict.status == "False")
