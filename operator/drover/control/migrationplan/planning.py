"""Planning a MigrationPlan: which VMs, where to, and what it will take, before anything moves.

Targets are chosen on the ledger with every planned move tried and in the end undone, so that two VMs are not sent
into the same hole. The estimate schedules the moves over the same slots the migrations will wait for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from drover.api.meta import Key
from drover.api.migrationplan import MigrationPlan, PlanEstimate, PlanMigration
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import MigrationEstimate, Quantiles
from drover.control.driver import POLICY
from drover.control.virtualmachinemigration.inputs import guest_of, limits_of, link_of, told
from drover.control.world import World
from drover.control.world.requests import request_of
from drover.control.world.selectors import selector_of
from drover.model import migration as model
from drover.model.placement import Placed, Request, decide
from drover.model.placement.whatif import Trial, trial

MAX_WARNINGS = 16
MAX_VMS = 500
"""VMs in one plan: what its status can list."""
SECONDS_PER_MILLISECOND = 1e-3


@dataclass(frozen=True, slots=True)
class Planned:
    migrations: tuple[PlanMigration, ...]
    estimate: PlanEstimate


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


def compute(plan: MigrationPlan, world: World) -> Planned:
    entries: list[PlanMigration] = []
    moves: list[Move] = []
    warnings: list[str] = []
    with trial(world.ledger) as attempt:
        for wanted in scope(plan, world):
            vm = world.get(VirtualMachine, wanted.namespace, wanted.name)
            entry = _settled(plan, wanted, vm)
            if entry is None:
                assert vm is not None
                entry, warning = _target(plan, wanted, vm, world, attempt)
                if entry.target:
                    moves.append(Move(vm, entry.target))
                if warning:
                    warnings.append(warning)
            entries.append(entry)
    return _estimated(plan, world, entries, moves, warnings)


def scope(plan: MigrationPlan, world: World) -> list[Wanted]:
    """The VMs the plan is about, in the order it names them, else by namespace and name."""
    spec = plan.spec
    if spec.virtual_machines is not None:
        return [Wanted(plan.namespace, vm.name, vm.target_host_name) for vm in spec.virtual_machines]
    if spec.host_name is not None:
        # The drain's next plan takes the rest.
        return [Wanted(key.namespace, key.name) for key in world.vms_on[spec.host_name][:MAX_VMS]]
    selector = selector_of(spec.selector) if spec.selector is not None else None
    chosen = sorted(
        vm.key
        for vm in world.all(VirtualMachine)
        if vm.namespace == plan.namespace and selector is not None and selector.matches(vm.metadata.labels)
    )
    return [Wanted(key.namespace, key.name) for key in chosen]


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


# The estimate


def _estimated(
    plan: MigrationPlan, world: World, entries: list[PlanMigration], moves: list[Move], warnings: list[str]
) -> Planned:
    estimates = {move.vm.key: _estimate(move, moves, plan, world) for move in moves}
    filled = tuple(_with_estimate(entry, estimates) for entry in entries)
    for move in moves:
        warnings += [f"{move.vm.namespace}/{move.vm.name}: {text}" for text in estimates[move.vm.key].warnings]
    p50, p90 = (_makespan(plan, world, moves, estimates, quantile) for quantile in ("p50", "p90"))
    pauses = [e.downtime_milliseconds for e in estimates.values() if e.downtime_milliseconds]
    verdicts = {entry.verdict for entry in filled}
    return Planned(
        filled,
        PlanEstimate(
            duration_seconds=Quantiles(p50=p50, p90=p90),
            downtime_milliseconds=Quantiles(
                p50=max((q.p50 for q in pauses), default=0.0), p90=max((q.p90 for q in pauses), default=0.0)
            ),
            transfer_bytes=sum(e.transfer_bytes for e in estimates.values()),
            verdict=next((v for v in ("Blocked", "DoesNotConverge") if v in verdicts), "Converges"),
            limited_by=_limited_by(verdicts, estimates),
            warnings=tuple(text[:1024] for text in warnings[:MAX_WARNINGS]),
        ),
    )


def _limited_by(verdicts: AbstractSet[str | None], estimates: dict[Key, MigrationEstimate]) -> str:
    if "Blocked" in verdicts:
        return "Capacity"
    limits = Counter(e.limited_by for e in estimates.values() if e.limited_by not in (None, "None"))
    return str(limits.most_common(1)[0][0]) if limits else "Concurrency" if len(estimates) > 1 else "None"


def _estimate(move: Move, moves: list[Move], plan: MigrationPlan, world: World) -> MigrationEstimate:
    """One move beside as many others as its slots let run with it."""
    source, target = world.host(move.vm.status.host_name), world.host(move.target)
    assert source is not None
    assert target is not None
    limits = limits_of(world.pool(source.spec.pool_ref.name), plan.spec.limits.max_concurrent)
    beside = [other for other in moves if other.vm.status.host_name == source.name and other is not move]
    crowd = min(limits.outbound, limits.concurrent) - 1
    others = [(source.name, other.target) for other in beside[:crowd]]
    link = link_of(source, target, world, others)
    return told(model.estimate(guest_of(move.vm, world), link, POLICY))


def _with_estimate(entry: PlanMigration, estimates: dict[Key, MigrationEstimate]) -> PlanMigration:
    found = estimates.get(Key(VirtualMachine.KIND, entry.namespace, entry.virtual_machine))
    if found is None or found.duration_seconds is None or found.downtime_milliseconds is None:
        return entry
    return entry.model_copy(
        update={
            "estimated_seconds": found.duration_seconds.p50,
            "estimated_downtime_ms": found.downtime_milliseconds.p50,
            "verdict": found.verdict,
        }
    )


def _makespan(
    plan: MigrationPlan, world: World, moves: list[Move], estimates: dict[Key, MigrationEstimate], quantile: str
) -> float:
    """Seconds from the first start to the last end, each pool's moves over that pool's slots."""
    pools: dict[str | None, list[model.Move]] = {}
    for move in moves:
        estimate = estimates[move.vm.key]
        assert estimate.duration_seconds is not None
        assert estimate.downtime_milliseconds is not None
        pools.setdefault(move.vm.status.node_pool_name, []).append(
            model.Move(
                name=str(move.vm.key),
                source=str(move.vm.status.host_name),
                target=move.target,
                duration=getattr(estimate.duration_seconds, quantile),
                downtime=getattr(estimate.downtime_milliseconds, quantile) * SECONDS_PER_MILLISECOND,
                bytes=estimate.transfer_bytes,
                priority=model.PRIORITIES[plan.spec.priority],
            )
        )
    spans = [
        model.schedule(batch, limits_of(world.pool(pool), plan.spec.limits.max_concurrent)).makespan
        for pool, batch in pools.items()
    ]
    return round(max(spans, default=0.0), 1)
