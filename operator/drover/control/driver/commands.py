"""The hypervisor boundary: what an object may want done, and the modelled answer.

A reconcile never calls a driver. It names the work it wants in progress (a set of commands, compared by value), the
engine submits what is new and cancels what is no longer wanted, and completions come back into the World. A real
driver would answer from a hypervisor; ``Simulated`` answers from the model. A command carries everything its answer
depends on, so after a crash the same command meets the same answer at the same instant: nothing is remembered here
that could be lost. Only copies also depend on one another, by the network they share, and go on from a checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from drover.model import migration

LONGEST_WALL_SECONDS = 100 * 365 * 86400.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How a modelled pool runs: its seed, and its virtual seconds per wall second."""

    seed: int = 0
    time_scale: float = 1.0

    def wall(self, model_seconds: float) -> timedelta:
        """The wall time that ``model_seconds`` of driver work takes, at most a century: dates have an end."""
        return timedelta(seconds=min(model_seconds / self.time_scale, LONGEST_WALL_SECONDS))

    def model(self, wall: timedelta) -> float:
        """The model seconds that pass in a stretch of wall time."""
        return wall.total_seconds() * self.time_scale


@dataclass(frozen=True, slots=True)
class Boot:
    uid: str
    attempt: int
    since: datetime
    pace: Pace


@dataclass(frozen=True, slots=True)
class Shutdown:
    uid: str
    since: datetime
    pace: Pace


@dataclass(frozen=True, slots=True)
class ImportImage:
    """Fetch an image. A URL with ``/missing/`` in it answers 404, one with ``/flaky/`` breaks off half-way."""

    uid: str
    attempt: int
    since: datetime
    pace: Pace
    url: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ProvisionVolume:
    uid: str
    since: datetime
    pace: Pace
    copy_bytes: int


@dataclass(frozen=True, slots=True)
class ResizeVolume:
    uid: str
    since: datetime
    pace: Pace
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Fence:
    """Power a host off, past its own system: afterwards no guest can be running on it."""

    uid: str
    since: datetime
    pace: Pace


@dataclass(frozen=True, slots=True)
class PrepareTarget:
    uid: str
    attempt: int
    since: datetime
    pace: Pace


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a copy was, and when."""

    state: migration.State
    at: datetime


@dataclass(frozen=True, slots=True)
class CopyMemory:
    """Pre-copy, pass after pass, until a rule of the policy ends it; its driver reports on the way.

    Hypervisors outlive the operator; modelled ones do not, so ``resume`` tells them where they were. It is no part of
    what the command is.
    """

    uid: str
    attempt: int
    since: datetime
    pace: Pace
    setting: migration.Setting
    route: migration.Route
    resume: Checkpoint | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class _HandOver:
    """What follows the passes, which ended in ``state`` for ``decision``."""

    uid: str
    attempt: int
    since: datetime
    pace: Pace
    setting: migration.Setting
    route: migration.Route
    state: migration.State
    decision: migration.Decision


@dataclass(frozen=True, slots=True)
class StopAndCopy(_HandOver):
    """Pause the guest, send what is left (unless post-copy does), and hand over to the target."""


@dataclass(frozen=True, slots=True)
class PullPages(_HandOver):
    """Post-copy: the guest runs on the target and pulls what is left."""


@dataclass(frozen=True, slots=True)
class Activate:
    uid: str
    attempt: int
    since: datetime
    pace: Pace


Command = (
    Boot
    | Shutdown
    | ImportImage
    | ProvisionVolume
    | ResizeVolume
    | Fence
    | PrepareTarget
    | CopyMemory
    | StopAndCopy
    | PullPages
    | Activate
)


@dataclass(frozen=True, slots=True)
class Imported:
    checksum: str


@dataclass(frozen=True, slots=True)
class ImportFailed:
    reason: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Copying:
    """A report: how far the passes are, and the rule that has ended them."""

    state: migration.State
    setting: migration.Setting
    """With the share of the links the copy has now."""
    decision: migration.Decision | None


@dataclass(frozen=True, slots=True)
class Pulling:
    """A report of post-copy: how much is still to be pulled, and at what rate."""

    remaining_bytes: int
    bytes_per_second: int


@dataclass(frozen=True, slots=True)
class Copied:
    """Everything that was to be sent is on the target, or, after the pause of a post-copy, can be pulled from there."""

    ending: migration.Ending


Result = Imported | ImportFailed | Copying | Pulling | Copied | None


@dataclass(frozen=True, slots=True)
class Completion:
    """That a command ended, when (by the wall clock, whoever was looking), and with what; copies report so too."""

    command: Command
    at: datetime
    result: Result = None

    @property
    def is_last(self) -> bool:
        """False for a report on the way."""
        if isinstance(self.result, Copying):
            return self.result.decision is not None
        return not isinstance(self.result, Pulling)
