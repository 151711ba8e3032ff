"""Where a copy is, as its status keeps it for the modelled hypervisor, which does not outlive the operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.driver import Checkpoint, Copying
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
