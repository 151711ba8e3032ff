"""Whether everything is well, and what is not: from the objects as they are to what is told. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from drover.api.host import Host
from drover.api.meta import AnyResource
from drover.api.migrationplan import MigrationPlan
from drover.api.nodepool import NodePool
from drover.api.usage import MAX_PENDING
from drover.api.usagerecord import UsageRecord
from drover.api.virtualmachine import VirtualMachine

State = Literal["well", "wrong", "unseen"]
DOWN = ("NotReady", "Failed")
"""Phases of hosts that nobody asked for."""
TROUBLED = ("Unschedulable", "CrashLoopBackOff", "Failed", "Unknown")
"""Phases of VMs that wait for something or have failed; the others lead to what is declared, or are it."""
AT_WORK = ("Migrating", "PreCopy", "StopAndCopy", "PostCopy", "Commitment", "Activation", "Cancelling")
HELD = ("WithinBudget", "Feasible")
"""Conditions of a plan that keep it from its end until somebody changes something."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    about: str
    state: State
    message: str
    details: tuple[str, ...] = ()
    """What is wrong, one by one, with what to do about it where that is known."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is. A kind that these credentials may not list is in ``unseen`` with the reason."""

    lease: Mapping[str, Any] | None = None
    """The raw Lease of the operator; None where there is none."""
    hosts: Sequence[Host] = ()
    pools: Sequence[NodePool] = ()
    vms: Sequence[VirtualMachine] = ()
    plans: Sequence[MigrationPlan] = ()
    records: Sequence[UsageRecord] = ()
    unseen: Mapping[str, str] = field(default_factory=dict)
    """What could not be looked at (operator, or a kind's plural) to why."""


def examine(seen: Seen, now: datetime) -> list[Check]:
    checks = {
        "operator": operator(seen.lease, now),
        "hosts": hosts(seen.hosts),
        "nodepools": pools(seen.pools),
        "virtualmachines": vms(seen.vms),
        "migrationplans": plans(seen.plans),
        "usagerecords": ledger(seen.records, seen.vms),
    }
    return [
        Check(check.about, "unseen", seen.unseen[what]) if what in seen.unseen else check
        for what, check in checks.items()
    ]


def operator(lease: Mapping[str, Any] | None, now: datetime) -> Check:
    """Whether somebody leads, as the Lease says. Its times are the leader's clock, ``now`` is this computer's."""
    if lease is None:
        told = "no operator has led here: start one with `drover run`, or name its namespace with --operator-namespace"
        return Check("operator", "wrong", told)
    spec = lease.get("spec") or {}
    holder, seconds = spec.get("holderIdentity"), float(spec.get("leaseDurationSeconds") or 1)
    if not holder:
        return Check(
            "operator", "wrong", "nobody leads, the last leader gave the Lease up: start one with `drover run`"
        )
    renewed = spec.get("renewTime")
    silent = now - datetime.fromisoformat(renewed) if renewed else timedelta.max
    if silent.total_seconds() > seconds:
        told = f"{holder} led, and is silent for {silent.total_seconds():.0f} s of a Lease of {seconds:g} s"
        return Check("operator", "wrong", f"{told}: see its log, and start it with `drover run`")
    return Check("operator", "well", f"{holder} leads, Lease renewed {max(silent.total_seconds(), 0):.0f} s ago")


def hosts(found: Sequence[Host]) -> Check:
    """Hosts that are down though nobody switched them off, and drains that cannot go on."""
    details = [f"{host.name} {host.status.phase}: {_said(host, 'Ready')}" for host in found if _is_down(host)]
    details += [f"{host.name} drain blocked: {_said(host, 'Drained')}" for host in found if _is_stuck(host)]
    return _check("hosts", found, _by_phase(found), details)


def _is_down(host: Host) -> bool:
    return host.status.phase in DOWN


def _is_stuck(host: Host) -> bool:
    drained = host.status.condition("Drained")
    blocked = drained is not None and drained.reason == "Blocked"
    return blocked or (host.status.drain is not None and bool(host.status.drain.blocked_by))


def pools(found: Sequence[NodePool]) -> Check:
    """Pools that could not lose as many hosts as they are meant to be able to."""
    details = [
        f"{pool.name}: {_said(pool, 'FailoverCapacityAvailable')}"
        for pool in found
        if _is(pool, "FailoverCapacityAvailable", "False")
    ]
    unkept = sum(pool.spec.admission_control.policy == "Disabled" for pool in found)
    told = f"{unkept} without failover capacity (admissionControl.policy Disabled)" if unkept else ""
    return _check("pools", found, "; ".join(filter(None, (_by_phase(found), told))), details)


def vms(found: Sequence[VirtualMachine]) -> Check:
    """VMs that wait or have failed, counted by reason, with one of each to look at."""
    troubled: dict[str, list[VirtualMachine]] = defaultdict(list)
    for vm in found:
        if (reason := trouble_of(vm)) is not None:
            troubled[reason].append(vm)
    ordered = sorted(troubled.items(), key=lambda item: (-len(item[1]), item[0]))
    details = [f"{len(group)} {reason}, as {_named(group[0])}: {_why(group[0])}" for reason, group in ordered]
    return _check("VMs", found, _by_phase(found), details)


def trouble_of(vm: VirtualMachine) -> str | None:
    """Why a VM is not on its way to what is declared, as a reason of its conditions; None where it is."""
    unready = _is(vm, "PrerequisitesReady", "False")
    if not (unready or vm.status.phase in TROUBLED or vm.status.is_true("Stalled")):
        return None
    decisive = vm.status.condition(_decisive(vm))
    return decisive.reason if decisive is not None else str(vm.status.phase)


def _decisive(vm: VirtualMachine) -> str:
    """The condition that says why."""
    if _is(vm, "PrerequisitesReady", "False"):
        return "PrerequisitesReady"
    return "Scheduled" if _is(vm, "Scheduled", "False") else "Ready"


def _why(vm: VirtualMachine) -> str:
    return _said(vm, _decisive(vm))


def plans(found: Sequence[MigrationPlan]) -> Check:
    """Plans that cannot go on; those that wait for approval or their window are counted only."""
    unended = [plan for plan in found if plan.status.end_timestamp is None and plan.spec.mode == "Execute"]
    stuck = [(plan, next((name for name in HELD if _is(plan, name, "False")), None)) for plan in unended]
    details = [f"{_named(plan)} blocked: {_said(plan, held)}" for plan, held in stuck if held is not None]
    at_work = sum(plan.status.phase in AT_WORK for plan in unended)
    waiting = sum(plan.status.phase == "AwaitingApproval" for plan in unended)
    told = f"{at_work} at work, {waiting} awaiting approval, {len(unended) - at_work - waiting} queued"
    return _check("plans", (), told, details)


def ledger(records: Sequence[UsageRecord], found: Sequence[VirtualMachine]) -> Check:
    """Sums that are not the sums of their days, holes between intervals, and usage that no record takes in."""
    details = [
        f"{_named(record)}: {row.meter} {row.sku} {row.state} is {row.total}, its days are {sum(row.days)} in all"
        for record in records
        for row in record.status.sums
        if row.total != sum(row.days)
    ]
    details += [f"{_named(vm)}: {told}" for vm in found if (told := _unaccounted(vm))]
    return _check("ledger", (), f"{len(records)} records agree with their days", details)


def _unaccounted(vm: VirtualMachine) -> str:
    usage = vm.status.usage
    if usage is None:
        return ""
    if usage.open is not None and usage.open.seq != usage.closed.through_seq + 1:
        return f"interval {usage.open.seq} is open, and {usage.closed.through_seq} was the last to end"
    if len(usage.pending) >= MAX_PENDING:
        return f"{len(usage.pending)} intervals wait for a UsageRecord: see the operator's log for why it takes none"
    return ""


# Words


def _check(about: str, found: Sequence[AnyResource], told: str, details: Sequence[str]) -> Check:
    message = f"{len(found)}: {told}" if found else told
    return Check(about, "wrong" if details else "well", message, tuple(details))


def _by_phase(found: Iterable[AnyResource]) -> str:
    """``990 Running, 10 Unschedulable``, most first."""
    counts = Counter(resource.status.phase or "not seen by the operator yet" for resource in found)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {phase}" for phase, count in ordered) or "none"


def _is(resource: AnyResource, condition: str, status: str) -> bool:
    found = resource.status.condition(condition)
    return found is not None and found.status == status


def _said(resource: AnyResource, condition: str) -> str:
    found = resource.status.condition(condition)
    return (found.message or found.reason) if found is not None else "nothing is said of it"


def _named(resource: AnyResource) -> str:
    return f"{resource.namespace}/{resource.name}"
