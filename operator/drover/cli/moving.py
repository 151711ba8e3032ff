"""What ``drover migrate`` asks and tells: an estimate before, a line meanwhile, a result after. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drover.api.host import Host
from drover.api.meta import API_VERSION, ObjectMeta
from drover.api.migrationplan import MigrationPlan, MigrationPlanSpec, PlannedVirtualMachine
from drover.api.migrationplanstatus import PlanEstimate
from drover.api.quantity import human
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.cli.following import Step
from drover.cli.server import CommandError
from drover.control.migrationplan.preparing import drafted, refusal
from drover.control.world import World
from drover.control.world.claims import is_final

MOVABLE = ("Running", "Migrating")


@dataclass(frozen=True, slots=True)
class Estimated:
    """The move as it was planned."""

    vm: VirtualMachine
    target: str
    estimate: PlanEstimate


def estimated(vm: VirtualMachine, to: str | None, policy: str | None, world: World, now: datetime) -> Estimated:
    """What a plan of this one move would say. Raises CommandError for a move that could not begin."""
    _refuse(vm, to, world)
    listed = (PlannedVirtualMachine(name=vm.name, target_host_name=to),)
    spec = MigrationPlanSpec(virtual_machines=listed, policy_name=policy)
    plan = MigrationPlan(metadata=ObjectMeta(name="estimate", namespace=vm.namespace), spec=spec)
    if (message := refusal(plan, world)) is not None:
        raise CommandError(message)
    draft = drafted(plan, world, now)
    (entry,) = draft.status.migrations
    estimate = draft.status.estimate
    assert estimate is not None
    if entry.reason == "NotMigratable":
        raise CommandError(f"{vm.name} cannot be moved live, it has no host or has GPUs: stop and start it to move it")
    if entry.target is None or estimate.verdict == "Blocked":
        raise CommandError(f"{vm.name} cannot be moved: {'; '.join(estimate.warnings) or entry.reason}")
    return Estimated(vm, entry.target, estimate)


def _refuse(vm: VirtualMachine, to: str | None, world: World) -> None:
    if vm.status.phase not in MOVABLE:
        raise CommandError(f"{vm.name} is {vm.status.phase}: only a running guest can be moved live")
    other = world.migration_of(vm)
    if other is not None and not is_final(other):
        cancel = f'kubectl patch vmm {other.name} -n {vm.namespace} --type=merge -p \'{{"spec":{{"cancel":true}}}}\''
        raise CommandError(f"{vm.name} is being moved by {other.name}: wait for it, or cancel it with {cancel}")
    if to is not None and world.get(Host, "", to) is None:
        raise CommandError(f"--to {to}: there is no such host: see `kubectl get hosts`")
    if to is not None and to == vm.status.host_name:
        raise CommandError(f"--to {to}: {vm.name} is there already")


def manifest_of(move: Estimated, to: str | None, policy: str | None) -> dict[str, Any]:
    """The migration to create. Where no host is named, the one estimated for is preferred, not demanded."""
    target = {"targetHostName": to} if to is not None else {"preferredTargetHostName": move.target}
    return {
        "apiVersion": API_VERSION,
        "kind": VirtualMachineMigration.KIND,
        "metadata": {"generateName": f"{move.vm.name[:50].rstrip('-.')}-"},
        "spec": {"virtualMachineName": move.vm.name, **target, **({"policyName": policy} if policy else {})},
    }


def forecast(move: Estimated) -> list[str]:
    """The estimate, a line each. Times are model seconds."""
    found = move.estimate
    told = f"{move.vm.namespace}/{move.vm.name}: {move.vm.status.host_name} > {move.target}: {found.verdict}"
    if found.duration_seconds is not None:
        told += f", {found.duration_seconds.p50:.1f} s (nine in ten: {found.duration_seconds.p90:.1f} s)"
    if found.downtime_milliseconds is not None:
        told += f", pause {found.downtime_milliseconds.p50:.0f} ms"
    told += f", {human(found.transfer_bytes)} to send"
    return [told, *(f"warning: {warning}" for warning in found.warnings)]


def step_of(migration: VirtualMachineMigration) -> Step:
    """How far it is, in a line."""
    status = migration.status
    if is_final(migration):
        return Step(100.0, str(status.phase), over=True)
    progress = status.progress
    if status.phase in (None, "Pending"):
        waits = status.queue.message if status.queue is not None and status.queue.message else "not seen yet"
        return Step(0.0, f"Pending: {waits}")
    told = f"{status.phase} > {status.target_host}"
    if progress is None:
        return Step(0.0, told)
    if status.phase == "PreCopy":
        told += f", pass {progress.iteration}, {human(progress.remaining_bytes)} remain"
    if progress.eta_seconds is not None:
        told += f", {progress.eta_seconds:.0f} s to go"
    return Step(float(progress.percent), told)


def ending(migration: VirtualMachineMigration) -> str:
    """What became of it, with what was predicted. Raises CommandError where the VM has not moved."""
    status, name = migration.status, migration.spec.virtual_machine_name
    if status.phase != "Succeeded":
        ready = status.condition("Ready")
        why = ready.message if ready is not None and ready.message else status.failure_reason
        raise CommandError(f"{name} was not moved, {migration.name} is {status.phase} ({status.failure_reason}): {why}")
    result = status.result
    told = f"{name} has moved, {status.source_host} > {status.target_host}"
    if result is None:
        return told
    return (
        f"{told}, in {result.duration_seconds:.1f} s{_error(result.duration_error_percent)}, "
        f"with a pause of {result.downtime_milliseconds:.0f} ms{_error(result.downtime_error_percent)} "
        f"and {human(result.transferred_bytes)} sent{_error(result.transfer_error_percent)}"
    )


def _error(percent: float | None) -> str:
    """Against the prediction."""
    return f" ({percent:+.1f} %)" if percent is not None else ""
