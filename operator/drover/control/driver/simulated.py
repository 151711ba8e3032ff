"""The modelled hypervisors behind the driver's boundary."""

from __future__ import annotations

import heapq
from datetime import datetime
from typing import Protocol

from drover.control.driver.answers import fixed_answer
from drover.control.driver.commands import Command, Completion, CopyMemory, Pace, PullPages, StopAndCopy
from drover.control.driver.traffic import Traffic


class Driver(Protocol):
    """What the shells run commands with. ``Simulated`` and a real hypervisor's driver look the same from outside."""

    def submit(self, command: Command) -> None: ...
    def cancel(self, command: Command) -> None: ...
    def completed(self, now: datetime) -> list[Completion]: ...
    def next_due(self) -> datetime | None: ...


class Simulated:
    """Answers every command from the model alone: a function of the command, hence of (seed, uid, attempt, start).

    Live migrations also depend on one another, for they share the network of their hosts.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Completion]] = []
        self._running: dict[Command, int] = {}
        self._count = 0
        self._traffic: dict[Pace, Traffic] = {}

    def submit(self, command: Command) -> None:
        if command in self._running:
            return
        self._count += 1
        self._running[command] = self._count
        if isinstance(command, CopyMemory | StopAndCopy | PullPages):
            self._traffic.setdefault(command.pace, Traffic(command.pace, command.since)).begin(command)
            return
        completion = fixed_answer(command)
        heapq.heappush(self._heap, (completion.at, self._count, completion))

    def cancel(self, command: Command) -> None:
        if self._running.pop(command, None) is None:
            return
        if isinstance(command, CopyMemory | StopAndCopy | PullPages):
            self._traffic[command.pace].end(command)

    def completed(self, now: datetime) -> list[Completion]:
        done = []
        while self._heap and self._heap[0][0] <= now:
            _, number, completion = heapq.heappop(self._heap)
            if self._running.get(completion.command) == number:
                del self._running[completion.command]
                done.append(completion)
        return done + self._carried(now)

    def next_due(self) -> datetime | None:
        while self._heap and self._running.get(self._heap[0][2].command) != self._heap[0][1]:
            heapq.heappop(self._heap)
        due = [traffic.next_due() for traffic in self._traffic.values()]
        found = [at for at in due if at is not None]
        if self._heap:
            found.append(self._heap[0][0])
        return min(found, default=None)

    def _carried(self, now: datetime) -> list[Completion]:
        done = []
        for pace, traffic in list(self._traffic.items()):
            for completion in traffic.completed(now):
                if completion.is_last:
                    self._running.pop(completion.command, None)
                done.append(completion)
            if not len(traffic):
                del self._traffic[pace]
        return done


def answer(command: Command) -> Completion:
    """How a command ends that is alone in the world."""
    driver = Simulated()
    driver.submit(command)
    while (due := driver.next_due()) is not None:
        for completion in driver.completed(due):
            if completion.is_last:
                return completion
    raise ValueError(f"{command} never ends")
