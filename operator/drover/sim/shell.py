"""One operator instance in the simulation: the engine, its driver, its watches, its writes and its lease.

What the Kopf shell does with asyncio is done here with happenings on the timeline. The instance dies when the
simulation crashes it; requests already on their way may still arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from drover.api.kinds import WATCHED
from drover.control.driver import Simulated
from drover.control.engine import Engine
from drover.control.ports import (
    Deposed,
    Elected,
    EventRecord,
    Failure,
    Gone,
    Input,
    Listed,
    Observed,
    Outputs,
    Refused,
    Write,
    Written,
)
from drover.sim.clock import Timeline
from drover.sim.lease import RENEW_DEADLINE, RETRY_PERIOD, Lease
from drover.sim.network import REQUEST_TIMEOUT, Weather
from drover.sim.store import Store
from drover.sim.watchlog import ExpiredError


@dataclass(slots=True)
class Backend:
    """What the instances share: API server, lease, clock and dice, and what is recorded of them."""

    store: Store
    timeline: Timeline
    random: Random
    weather: Weather
    lease: Lease = field(default_factory=Lease)
    events: list[EventRecord] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    on_send: Callable[[Write], None] = lambda _: None
    """Told of every request as an instance sends it."""
    on_write: Callable[[Write, Written | Refused, bool], None] = lambda *_: None
    """Told of every request the API server has answered, and whether it was worth making."""


class Shell:
    """One instance, from start to crash."""

    def __init__(self, name: str, engine: Engine, backend: Backend) -> None:
        self.name = name
        self.engine = engine
        self.alive = True
        self.partitioned_until: datetime | None = None
        """Until then the lease cannot be renewed and requests linger on their way. What makes a stale leader."""
        self._backend = backend
        self._driver = Simulated()
        self._watches = {kind: WatchPosition() for kind in WATCHED}
        self._renewed: datetime | None = None
        self._waking_at: datetime | None = None
        self._attempts: dict[int, int] = {}
        """Attempts at each write that has not been answered."""

    def start(self) -> None:
        for kind in WATCHED:
            self._list(kind)
        self._campaign()

    def crash(self) -> None:
        """Lose all memory. Half of the requests still on their way never arrive."""
        self.alive = False

    @property
    def partitioned(self) -> bool:
        return self.partitioned_until is not None and self._backend.timeline.now < self.partitioned_until

    @property
    def leading(self) -> bool:
        return self.alive and self.engine.state != "standby"

    @property
    def unanswered(self) -> int:
        return len(self._attempts)

    # The lease

    def _campaign(self) -> None:
        """Acquire or renew the lease; a leader that could not renew in time stands down."""
        now, lease = self._backend.timeline.now, self._backend.lease
        if self._renewed is None:
            if not self.partitioned and lease.acquire(self.name, now):
                self._renewed = now
                for kind in WATCHED:
                    self._list(kind)
                self._step([Elected(lease.epoch)])
        elif not self.partitioned and lease.renew(self.name, now):
            self._renewed = now
        elif now >= self._renewed + RENEW_DEADLINE:
            self._renewed = None
            self._attempts.clear()
            self._step([Deposed()])
        self._after(RETRY_PERIOD.total_seconds(), "lease", self._campaign)

    # Watches

    def changed(self, kind: str) -> None:
        """The API server has something new of ``kind`` to tell this watch."""
        watch = self._watches[kind]
        if watch.connected and not watch.expecting:
            watch.expecting = True
            self._after(self._backend.weather.watch(self._backend.random), f"watch {kind}", lambda: self._pump(kind))

    def disconnect(self, kind: str, seconds: float) -> None:
        """Drop the watch of ``kind``; it is opened again later, where it left off if that is still known."""
        self._watches[kind].connected = False
        self._after(seconds, f"reconnect {kind}", lambda: self._reconnect(kind))

    def _reconnect(self, kind: str) -> None:
        self._watches[kind].connected = True
        self._pump(kind)

    def _pump(self, kind: str) -> None:
        watch = self._watches[kind]
        watch.expecting = False
        if not watch.connected:
            return
        try:
            changes = self._backend.store.changes(kind, watch.version)
        except ExpiredError:
            self._list(kind)
            return
        if changes:
            watch.version = changes[-1].version
            self._step(
                Gone(change.resource.key, change.resource.uid) if change.deleted else Observed(change.resource)
                for change in changes
            )

    def _list(self, kind: str) -> None:
        store = self._backend.store
        listed = store.objects(kind)
        self._watches[kind].version = store.version
        names = {resource.key: resource.uid for resource in listed}
        self._step([*map(Observed, listed), Listed(kind, names, store.version)])

    # Steps

    def _step(self, inputs: Iterable[Input]) -> None:
        now = self._backend.timeline.now
        completions = self._driver.completed(now)
        self._perform(self.engine.step([*inputs, *completions], now))

    def _perform(self, out: Outputs) -> None:
        for command in out.cancel:
            self._driver.cancel(command)
        for command in out.submit:
            self._driver.submit(command)
        for write in out.writes:
            self._send(write)
        self._backend.events += out.events
        self._backend.failures += out.failures
        self._wake([out.wake_at, self._driver.next_due()])

    def _wake(self, instants: Sequence[datetime | None]) -> None:
        due = min((instant for instant in instants if instant is not None), default=None)
        if due is None or (self._waking_at is not None and self._waking_at <= due):
            return
        self._waking_at = due
        self._backend.timeline.at(due, f"{self.name} wake", lambda: self._woken(due))

    def _woken(self, due: datetime) -> None:
        if self.alive and self._waking_at == due:
            self._waking_at = None
            self._step([])

    # Writes

    def _send(self, write: Write) -> None:
        """One attempt at a write. It may arrive late, never, or without its answer coming back."""
        self._attempts[write.id] = self._attempts.get(write.id, 0) + 1
        backend = self._backend
        backend.on_send(write)
        delay = backend.weather.request(backend.random)
        if self.partitioned_until is not None and self.partitioned:
            # What is sent into a partition arrives when it is over, long after somebody else may have begun to lead.
            delay = (self.partitioned_until - backend.timeline.now).total_seconds() + (delay or 0.0)
        if delay is not None:
            backend.timeline.after(delay, f"{self.name} {write.verb} {write.key}", lambda: self._arrive(write))
        if delay is None or delay > REQUEST_TIMEOUT:
            self._repeat_later(write)

    def _arrive(self, write: Write) -> None:
        backend = self._backend
        if not self.alive and backend.random.random() < 0.5:
            return
        version = backend.store.version
        answer = backend.store.execute(write, backend.timeline.now)
        # A repetition of a write that got through already is the network's doing, not the operator's.
        changed = backend.store.version > version or self._attempts.get(write.id) != 1
        backend.on_write(write, answer, changed)
        delay = backend.weather.response(backend.random)
        if delay is None:
            self._repeat_later(write)
        else:
            self._after(delay, f"answer {write.verb} {write.key}", lambda: self._answer(answer))

    def _answer(self, answer: Written | Refused) -> None:
        if self._attempts.pop(answer.write_id, 0):
            self._step([answer])

    def _repeat_later(self, write: Write) -> None:
        """A write whose fate is unknown is repeated until it is told; a deposed leader no longer may."""

        def repeat() -> None:
            if write.id in self._attempts:
                self._send(write)

        self._after(REQUEST_TIMEOUT, f"repeat {write.verb} {write.key}", repeat)

    def _after(self, seconds: float, name: str, act: Callable[[], None]) -> None:
        """Schedule what only a living instance does."""

        def while_alive() -> None:
            if self.alive:
                act()

        self._backend.timeline.after(seconds, f"{self.name} {name}", while_alive)


@dataclass(slots=True)
class WatchPosition:
    """How far one watch has come."""

    version: int = 0
    connected: bool = True
    expecting: bool = False
    """Events are on their way."""
