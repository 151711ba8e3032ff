"""Planning a MigrationPlan: which VMs, where to, and what it will take, before anything moves.

The moves are forecast together, over the same slots and cards the migrations will wait for and share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import NamedTuple

from drover.api.meta import Key
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import PlanEstimate, PlanMigration
from drover.api.migrationsettings import MigrationSettings
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import Verdict
from drover.control.migrationplan.targets import Move, targets_of
from drover.control.policies import Chosen, policy_of
from drover.control.virtualmachinemigration.inputs import limits_of, milliseconds, move_of, quantiles
from drover.control.world import World
from drover.model import migration as model

MAX_WARNINGS = 16
GATHER_SECONDS = 0.5
"""Progress of many migrations is gathered into one write of the plan; only then does it name the next to start."""
CONTROL_SECONDS = 0.015
"""Wall time the API server's answers to a move's claim and commit take, one after the other."""
WORST_FIRST: tuple[Verdict, ...] = ("Blocked", "DoesNotConverge", "ConvergesWithLongerDowntime")


@dataclass(frozen=True, slots=True)
class Planned:
    migrations: tuple[PlanMigration, ...]
    estimate: PlanEstimate


class Planning(NamedTuple):
    """What the moves will take, and how many are made at a time where that is fewer than allowed."""

    forecast: model.Forecast
    concurrency: int | None


def compute(plan: MigrationPlan, world: World, *, quick: bool = False) -> Planned:
    """All moves forecast together, over the slots and links they will share. ``quick``: without noise, so that the
    quantiles are one figure, the likely one.
    """
    targets = targets_of(plan, world)
    entries, moves, warnings = targets.entries, targets.moves, targets.warnings
    possible = [(move, planned) for move in moves if (planned := _move(move, plan, world)) is not None]
    if quick:
        possible = [(move, replace(planned, dirty_noise=0.0)) for move, planned in possible]
    cut_off = {move.vm.key for move in moves} - {move.vm.key for move, _ in possible}
    found = _forecast([planned for _, planned in possible], plan, world)
    forecast = found.forecast if found else None
    filled = []
    order = {move.vm.key: index for index, (move, _) in enumerate(possible)}
    for entry in entries:
        key = Key(VirtualMachine.KIND, entry.namespace, entry.virtual_machine)
        if forecast is not None and key in order:
            entry = _with_estimate(entry, forecast, order[key])
        elif key in cut_off:
            entry = entry.model_copy(update={"verdict": "Blocked", "reason": "LinkFailed"})
            warnings.append(f"{key.namespace}/{key.name}: no Migration or Shared NIC joins its hosts: give them one")
        filled.append(entry)
    if forecast is not None:
        doubts = _doubts([planned for _, planned in possible], forecast)
        warnings += islice(doubts, MAX_WARNINGS)
    return Planned(tuple(filled), _summed(found, filled, warnings))


def _doubts(moves: Sequence[model.Move], forecast: model.Forecast) -> Iterator[str]:
    """The moves that will most likely not end as they should, with what would help."""
    for move, played in zip(moves, forecast.moves, strict=True):
        if played.verdict != "Converges":
            _, namespace, name = move.name.split("/")
            yield f"{namespace}/{name}: {played.message}; {_help(move)}"


def _help(move: model.Move) -> str:
    alone = model.Setting(move.memory, move.route.alone, move.policy, move.hypervisor)
    if model.run(alone).verdict == "Converges":
        return "with its links to itself it would converge: lower limits.maxConcurrent"
    knobs = model.advise(alone)
    return f"what helps: {', or '.join(knobs)}" if knobs else "no setting helps"


def _summed(found: Planning | None, entries: Sequence[PlanMigration], warnings: Sequence[str]) -> PlanEstimate:
    forecast = found.forecast if found else None
    verdicts = {entry.verdict for entry in entries}
    nothing = model.Band(0.0, 0.0, 0.0)
    worst = forecast.band_of(lambda play: max(played.downtime for played in play)) if forecast else nothing
    return PlanEstimate(
        duration_seconds=quantiles(forecast.duration if forecast else nothing),
        downtime_milliseconds=quantiles(milliseconds(worst)),
        total_downtime_milliseconds=round(1000 * forecast.downtime.p50, 1) if forecast else 0.0,
        transfer_bytes=round(sum(played.bytes for played in forecast.moves)) if forecast else 0,
        concurrency=found.concurrency if found else None,
        verdict=next((v for v in WORST_FIRST if v in verdicts), "Converges"),
        limited_by=_limited_by(verdicts, len(entries)),
        warnings=tuple(text[:1024] for text in warnings[:MAX_WARNINGS]),
    )


def _limited_by(verdicts: AbstractSet[str | None], moves: int) -> str:
    if "Blocked" in verdicts:
        return "Capacity"
    if verdicts & {"DoesNotConverge", "ConvergesWithLongerDowntime"}:
        return "DirtyRate"
    return "Concurrency" if moves > 1 else "None"


def _move(move: Move, plan: MigrationPlan, world: World) -> model.Move | None:
    """The move for the forecast; None where no network joins its hosts."""
    source, target = world.host(move.vm.status.host_name), world.host(move.target)
    assert source is not None
    assert target is not None
    chosen = policy_of(move.vm, world, plan.spec.policy_name, plan.spec.overrides)
    settings = chosen.settings if isinstance(chosen, Chosen) else MigrationSettings()
    planned = move_of(move.vm, source, target, settings, world)
    return planned if planned.route.alone.bandwidth > 0 else None


def _forecast(moves: list[model.Move], plan: MigrationPlan, world: World) -> Planning | None:
    if not moves:
        return None
    limits, conduct = _conditions(moves, plan, world, plan.spec.limits.max_concurrent)
    together = model.forecast(moves, limits, conduct)
    limits, conduct = _conditions(moves, plan, world, 1)
    if not model.is_better_alone(moves, together, conduct):
        return Planning(together, None)
    return Planning(model.forecast(moves, limits, conduct), 1)


def _conditions(
    moves: Sequence[model.Move], plan: MigrationPlan, world: World, most: int | None
) -> tuple[dict[str, model.Limits], model.Conduct]:
    """How the moves are carried out, ``most`` of them at a time."""
    pace, retry = world.pace(moves[0].pool), plan.spec.retry
    handing_on = CONTROL_SECONDS + (GATHER_SECONDS if most is not None else 0.0)
    backoff, control = (pace.model(timedelta(seconds=wall)) for wall in (retry.backoff.seconds, handing_on))
    limits = {move.pool: limits_of(world.pool(move.pool), most) for move in moves}
    return limits, model.Conduct(retry.limit, backoff, control)


def _with_estimate(entry: PlanMigration, forecast: model.Forecast, index: int) -> PlanMigration:
    return entry.model_copy(
        update={
            "estimated_start_seconds": round(forecast.band(index, lambda played: played.start).p50, 1),
            "estimated_seconds": round(forecast.band(index, lambda played: played.seconds).p50, 1),
            "estimated_downtime_ms": round(1000 * forecast.band(index, lambda played: played.downtime).p50, 1),
            "verdict": forecast.moves[index].verdict,
        }
    )
