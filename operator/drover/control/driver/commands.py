"""The hypervisor boundary: what an object may want done, and the modelled answer.

A reconcile never calls a driver. It names the work it wants in progress (a set of commands, compared by value), the
engine submits what is new and cancels what is no longer wanted, and completions come back into the World. A real
driver would answer from a hypervisor; ``Simulated`` answers from the model. A command carries everything its answer
depends on, so after a crash the same command meets the same answer at the same instant: nothing is remembered here
that could be lost.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from drover.model import migration

BOOT_SECONDS = 8.0
"""Median modelled boot, from power-on to a guest that answers."""
BOOT_SIGMA = 0.25
SHUTDOWN_SECONDS = 3.0
IMPORT_BYTES_PER_SECOND = 125e6
"""Modelled image transfer: a 1 Gbit/s path to the image source."""
PROVISION_SECONDS = 1.5
PROVISION_BYTES_PER_SECOND = 1e9
"""Modelled volume creation: a fixed cost, plus copying from its image at the storage's write rate."""
RESIZE_SECONDS = 1.0
FENCE_SECONDS = 15.0
"""Modelled fencing: from the request to a host's management controller until the host is known to be off."""
LONGEST_WALL_SECONDS = 100 * 365 * 86400.0
POLICY = migration.Policy()
"""Stop rules and fixed times of every migration."""


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
class SendPass:
    """One pre-copy pass of a migration, over the share of the links it was given when it began."""

    uid: str
    attempt: int
    since: datetime
    pace: Pace
    guest: migration.Guest
    link: migration.Link
    state: migration.PassState


@dataclass(frozen=True, slots=True)
class StopAndCopy:
    uid: str
    attempt: int
    since: datetime
    pace: Pace
    guest: migration.Guest
    link: migration.Link
    state: migration.PassState


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
    | SendPass
    | StopAndCopy
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
class PassSent:
    state: migration.PassState


@dataclass(frozen=True, slots=True)
class Copied:
    """The guest's last pages are on the target."""

    downtime_seconds: float
    sent_bytes: int


Result = Imported | ImportFailed | PassSent | Copied | None


@dataclass(frozen=True, slots=True)
class Completion:
    """That a command ended, when (on the wall clock, whoever was looking), and with what."""

    command: Command
    at: datetime
    result: Result = None


class Driver(Protocol):
    """What the shells run commands with. ``Simulated`` and a real hypervisor's driver look the same from outside."""

    def submit(self, command: Command) -> None: ...
    def cancel(self, command: Command) -> None: ...
    def completed(self, now: datetime) -> list[Completion]: ...
    def next_due(self) -> datetime | None: ...


class Simulated:
    """Answers every command from the model alone: a function of the command, hence of (seed, uid, attempt, start)."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Completion]] = []
        self._running: dict[Command, int] = {}
        self._count = 0

    def submit(self, command: Command) -> None:
        if command in self._running:
            return
        self._count += 1
        self._running[command] = self._count
        completion = answer(command)
        heapq.heappush(self._heap, (completion.at, self._count, completion))

    def cancel(self, command: Command) -> None:
        self._running.pop(command, None)

    def completed(self, now: datetime) -> list[Completion]:
        done = []
        while self._heap and self._heap[0][0] <= now:
            _, number, completion = heapq.heappop(self._heap)
            if self._running.get(completion.command) == number:
                del self._running[completion.command]
                done.append(completion)
        return done

    def next_due(self) -> datetime | None:
        while self._heap and self._running.get(self._heap[0][2].command) != self._heap[0][1]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None


def answer(command: Command) -> Completion:
    """When and how a command ends. Pure."""
    seconds, result = _model(command)
    return Completion(command, command.since + command.pace.wall(seconds), result)


def _model(command: Command) -> tuple[float, Result]:
    """(model seconds, result) of a command."""
    match command:
        case Boot():
            return boot_seconds(command.pace.seed, command.uid, command.attempt), None
        case Shutdown():
            return SHUTDOWN_SECONDS, None
        case ImportImage():
            return _import(command)
        case ProvisionVolume():
            return PROVISION_SECONDS + command.copy_bytes / PROVISION_BYTES_PER_SECOND, None
        case ResizeVolume():
            return RESIZE_SECONDS, None
        case Fence():
            return FENCE_SECONDS, None
        case PrepareTarget():
            return POLICY.target_preparation, None
        case SendPass():
            noise = migration.pass_noise(
                command.pace.seed,
                command.uid,
                command.attempt,
                command.state.iteration,
                command.guest.dirty_noise,
            )
            after = migration.send_pass(command.state, command.guest, command.link, noise)
            return migration.pass_duration(command.state, command.link), PassSent(after)
        case StopAndCopy():
            copied = migration.stop_and_copy(command.state, command.link, POLICY)
            return copied.paused, Copied(copied.downtime, round(copied.sent))
        case Activate():
            return POLICY.activation, None


def boot_seconds(seed: int, uid: str, attempt: int) -> float:
    """Model seconds of one boot: log-normal around the median, the same for the same seed, VM and attempt."""
    digest = hashlib.sha256(f"boot/{seed}/{uid}/{attempt}".encode()).digest()
    # Twelve uniforms less six are near enough a standard normal, bounded, and the same on every machine.
    normal = sum(byte / 255 for byte in digest[:12]) - 6
    return BOOT_SECONDS * math.exp(BOOT_SIGMA * normal)


def checksum_of(url: str) -> str:
    """The checksum of the modelled file behind a URL."""
    return f"sha256:{hashlib.sha256(url.encode()).hexdigest()}"


def _import(command: ImportImage) -> tuple[float, Result]:
    seconds = command.size_bytes / IMPORT_BYTES_PER_SECOND
    if "/missing/" in command.url:
        return 0.5, ImportFailed("SourceNotFound", f"{command.url} answered 404 Not Found", retryable=False)
    if "/flaky/" in command.url:
        broken = f"transfer of {command.url} broke off after {command.size_bytes // 2} of {command.size_bytes} bytes"
        return seconds / 2, ImportFailed("TransferInterrupted", broken, retryable=True)
    return seconds, Imported(checksum_of(command.url))
