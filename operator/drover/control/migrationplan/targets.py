"""Where each VM of a plan would go.

Targets are chosen on the ledger with every planned move tried and in the end undone, so that two VMs are not sent
into the same hole.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import MAX_VMS, PlanMigration
from drover.api.virtualmachine import VirtualMachine
from drover.control.migrationplan.ordering import turn
from drover.control.world import World
from drover.control.world.requests import request_of
from drover.control.world.selectors import selector_of
from drover.model.placement import Placed, Request, decide
from drover.model.placement.whatif import Trial, trial


@dataclass(frozen=True, slots=True)
class Wanted:
    """One VM of the plan as its scope names it."""

    namespace: str
    name: str
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    vm: VirtualMachine
    target: str


@dataclass(frozen=True, slots=True)
class Targets:
    """What is found before anything is estimated."""

    entries: list[PlanMigration] = field(default_factory=list)
    """One a VM, in the order of the plan."""
    moves: list[Move] = field(default_factory=list)
    """Those that have somewhere to go."""
    warnings: list[str] = field(default_factory=list)
    """Why others have not."""


def targets_of(plan: MigrationPlan, world: World) -> Targets:
    found = Targets()
    with trial(world.ledger) as attempt:
        for wanted, vm in _in_order(plan, world):
            entry = _settled(plan, wanted, vm)
            if entry is None:
                assert vm is not None
                entry, warning = _target(plan, wanted, vm, world, attempt)
                if entry.target:
                    found.moves.append(Move(vm, entry.target))
                if warning:
                    found.warnings.append(warning)
            found.entries.append(entry)
    return found


def target_again(plan: MigrationPlan, vm: VirtualMachine, world: World) -> str | None:
    """Where a VM would go now that a move of it has failed; None where it fits nowhere."""
    if vm.status.flavor is None:
        return None
    named = next((one.target_host_name for one in plan.spec.virtual_machines or () if one.name == vm.name), None)
    decision = decide(world.ledger, _request(plan, Wanted(vm.namespace, vm.name, named), vm, world))
    return decision.host if isinstance(decision, Placed) else None


def scope(plan: MigrationPlan, world: World) -> list[Wanted]:
    """The VMs the plan is about, in the order it names them, else by namespace and name."""
    spec = plan.spec
    if spec.virtual_machines is not None:
        return [Wanted(plan.namespace, vm.name, vm.target_host_name) for vm in spec.virtual_machines]
    if spec.host_name is not None:
        staying = [vm for vm in world.vms(world.vms_on[spec.host_name]) if not leaves_by_itself(vm, world)]
        # The drain's next plan takes the rest.
        return [Wanted(vm.namespace, vm.name) for vm in staying[:MAX_VMS]]
    selector = selector_of(spec.selector) if spec.selector is not None else None
    chosen = sorted(
        vm.key
        for vm in world.all(VirtualMachine)
        if vm.namespace == plan.namespace and selector is not None and selector.matches(vm.metadata.labels)
    )
    return [Wanted(key.namespace, key.name) for key in chosen]


def leaves_by_itself(vm: VirtualMachine, world: World) -> bool:
    """Whether its host is being drained, and the VM is stopped for that and started elsewhere instead of moved."""
    host = world.host(vm.status.host_name)
    return host is not None and host.spec.maintenance.mode == "Drain" and vm.spec.eviction_strategy == "None"


def _in_order(plan: MigrationPlan, world: World) -> list[tuple[Wanted, VirtualMachine | None]]:
    """The scope in the order of the plan: who goes first also has the first choice of targets."""
    found = [(wanted, world.get(VirtualMachine, wanted.namespace, wanted.name)) for wanted in scope(plan, world)]
    return sorted(found, key=lambda each: turn(plan, each[1], world))


def _settled(plan: MigrationPlan, wanted: Wanted, vm: VirtualMachine | None) -> PlanMigration | None:
    """The entry of a VM that needs no target: it is not there, or where it should be already."""
    if vm is None:
        return _entry(wanted, phase="Failed", reason="VirtualMachineNotFound")
    there = vm.status.host_name
    if there is None or (vm.status.flavor is not None and vm.status.flavor.gpus):
        return _entry(wanted, phase="Failed", reason="NotMigratable", source=there)
    targets = [wanted.target] if wanted.target else plan.spec.target.host_names
    if there in targets:
        return _entry(wanted, phase="Succeeded", reason="AlreadySatisfied", source=there, target=there)
    return None


def _entry(wanted: Wanted, **fields: object) -> PlanMigration:
    return PlanMigration.model_validate({"virtual_machine": wanted.name, "namespace": wanted.namespace, **fields})


def _target(
    plan: MigrationPlan, wanted: Wanted, vm: VirtualMachine, world: World, attempt: Trial
) -> tuple[PlanMigration, str | None]:
    """The entry with the target chosen and claimed on trial, or without one and why."""
    there = str(vm.status.host_name)
    request = _request(plan, wanted, vm, world)
    decision = decide(attempt.ledger, request)
    if not isinstance(decision, Placed):
        entry = _entry(wanted, phase="Pending", source=there, reason="NoTarget", verdict="Blocked")
        return entry, f"{wanted.namespace}/{wanted.name}: {decision.message}"
    # The VM keeps its source until it has moved, but by the time the last moves start the first have left.
    attempt.withdraw(vm.uid, there)
    attempt.claim(vm.uid, request, decision.host)
    return _entry(wanted, phase="Pending", source=there, target=decision.host), None


def _request(plan: MigrationPlan, wanted: Wanted, vm: VirtualMachine, world: World) -> Request:
    assert vm.status.flavor is not None
    target, own = plan.spec.target, request_of(vm, vm.status.flavor, world)
    hosts = frozenset({wanted.target} if wanted.target else target.host_names)
    return replace(
        own,
        pool=None if hosts else target.node_pool_name or own.pool or vm.status.node_pool_name,
        node_selector={**target.node_selector, **own.node_selector},
        hosts=hosts or None,
        exclude=frozenset({str(vm.status.host_name), *target.exclude_hosts}),
        unreserved=True,
    )
