"""Live migrations of one pace on their modelled network, on the wall clock."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from drover.control.driver.commands import (
    Completion,
    Copied,
    Copying,
    CopyMemory,
    Pace,
    Pulling,
    PullPages,
    StopAndCopy,
)
from drover.model import migration

REPORT_EVERY = timedelta(seconds=2)
"""Wall time between two reports of a copy: each becomes a write of its progress."""
MICROSECOND = timedelta(microseconds=1)

Transfer = CopyMemory | StopAndCopy | PullPages


@dataclass(slots=True)
class _Carried:
    """A command under way."""

    command: Transfer
    due: datetime | None = None
    """When it is due by the clock: a report, or the end of what is fixed about a pause."""
    ending: migration.Ending | None = None
    """What followed the passes, once that is known."""


class Traffic:
    """Transfers that share the network. Times of the network count from ``origin``."""

    def __init__(self, pace: Pace, origin: datetime) -> None:
        self._pace = pace
        self._origin = origin
        self._network = migration.Network()
        self._carried: dict[str, _Carried] = {}

    def __len__(self) -> int:
        return len(self._carried)

    def begin(self, command: Transfer) -> None:
        """A command that began in the past catches up; those already under way are not disturbed by that."""
        self._carried[_name(command)] = carried = _Carried(command)
        leg = _leg(command)
        if leg is None:
            self._pause(carried, command.since, 0.0)
            return
        since = command.since
        if isinstance(command, CopyMemory):
            since = command.resume.at if command.resume else command.since
        if not isinstance(command, StopAndCopy):
            carried.due = since + REPORT_EVERY
        self._network.join(leg, self._model(since))

    def end(self, command: Transfer) -> None:
        """Drop a command; nothing happens if it is not under way."""
        carried = self._carried.get(_name(command))
        if carried is not None and carried.command == command:
            del self._carried[_name(command)]
            self._network.leave(_name(command))

    def completed(self, now: datetime) -> Iterator[Completion]:
        """What has ended by now, and reports that are due."""
        while (ended := self._network.advance(self._model(now + MICROSECOND))) is not None:
            carried, at = self._carried[ended.leg.name], min(now, self._wall(ended.at))
            if isinstance(carried.command, StopAndCopy):
                self._pause(carried, at, self._taken(carried.command, ended))
            else:
                del self._carried[ended.leg.name]
                yield self._arrived(carried.command, ended, at)
        for name, carried in list(self._carried.items()):
            if carried.due is not None and carried.due <= now:
                yield self._due(name, carried, now)

    def next_due(self) -> datetime | None:
        """When something happens next, if nothing new begins."""
        found = [carried.due for carried in self._carried.values() if carried.due is not None]
        if self._network.next_at < math.inf:
            found.append(self._wall(self._network.next_at))
        return min(found, default=None)

    def _pause(self, carried: _Carried, sent_at: datetime, seconds: float) -> None:
        """The last bytes have been sent in ``seconds``, as sharing allowed; what is fixed comes after them."""
        carried.ending = _ending(carried.command, seconds)
        carried.due = sent_at + self._pace.wall(max(0.0, carried.ending.paused - seconds))

    def _taken(self, command: Transfer, ended: migration.Ended) -> float:
        """Model seconds of the transfer; next to nothing may come out below 0, for clocks are rounded."""
        return max(0.0, ended.at - self._model(command.since))

    def _arrived(self, command: Transfer, ended: migration.Ended, at: datetime) -> Completion:
        if isinstance(ended.leg, migration.Passes):
            return Completion(command, at, Copying(ended.leg.state, ended.leg.given, ended.leg.decision))
        return Completion(command, at, Copied(_ending(command, self._taken(command, ended))))

    def _due(self, name: str, carried: _Carried, now: datetime) -> Completion:
        if carried.ending is not None:
            del self._carried[name]
            return Completion(carried.command, carried.due or now, Copied(carried.ending))
        carried.due = now + REPORT_EVERY
        leg = self._network.look(name)
        if isinstance(leg, migration.Passes):
            return Completion(carried.command, now, Copying(leg.state, leg.given, None))
        return Completion(carried.command, now, Pulling(round(leg.bytes), round(leg.rate)))

    def _model(self, at: datetime) -> float:
        return self._pace.model(at - self._origin)

    def _wall(self, seconds: float) -> datetime:
        """The first microsecond at which it is certainly so late."""
        return self._origin + self._pace.wall(seconds) + MICROSECOND


def _name(command: Transfer) -> str:
    return f"{command.uid}/{command.attempt}"


def _leg(command: Transfer) -> migration.Passes | migration.Rest | None:
    """What it sends over the network; None for the pause of a post-copy, which is over before anything is sent."""
    given, route = command.setting, command.route
    if isinstance(command, CopyMemory):
        state = migration.resumed(command.resume.state, given) if command.resume else migration.begin(given)
        return migration.Passes(_name(command), route, given, state)
    if isinstance(command, StopAndCopy) and command.decision.then == "postCopy":
        return None
    return migration.Rest(_name(command), route, command.state.remaining)


def _ending(command: Transfer, seconds: float) -> migration.Ending:
    assert not isinstance(command, CopyMemory)
    return migration.hand_over(command.state, command.decision, command.setting, seconds)
