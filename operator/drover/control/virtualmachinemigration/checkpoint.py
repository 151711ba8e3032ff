"""Where a copy is, as its status keeps it for the modelled hypervisor, which does not outlive the operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.driver import Checkpoint, Command, Completion, Copying
from drover.control.virtualmachinemigration.status import progress_of
from drover.control.world import World
from drover.model import migration as model


@dataclass(frozen=True, slots=True)
class Saved:
    """A copy at an instant, and the rule that has ended its passes."""

    state: model.State
    at: datetime
    decision: model.Decision | None = None

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self.state, self.at)


_SAVED: TypeAdapter[Saved] = TypeAdapter(Saved)


def written(report: Copying, at: datetime) -> str:
    return _SAVED.dump_json(Saved(report.state, at, report.decision)).decode()


def read(migration: VirtualMachineMigration) -> Saved | None:
    """None before the first report, and where another version of the operator has written it."""
    if migration.status.checkpoint is None:
        return None
    try:
        return _SAVED.validate_json(migration.status.checkpoint)
    except ValidationError:
        return None


def news(migration: VirtualMachineMigration, work: Command, world: World) -> Completion | None:
    """How the work ended, or a report of it that is not written down yet."""
    done = world.completion(work)
    if done is None or (not done.is_last and done.at == progress_of(migration).last_update_time):
        return None
    return done
