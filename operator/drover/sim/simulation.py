"""The whole system in virtual time: API server, operator instances, users and faults, from one seed.

``step()`` advances to the next happening, lets it happen, tells the watches, and checks the invariants. Nothing
waits or reads a clock, so the same seed gives the same run to the last byte, on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random

from drover.api.kinds import WATCHED
from drover.control.controllers import CONTROLLERS
from drover.control.engine import Engine
from drover.control.outcome import Controller
from drover.control.ports import Refused, Write, Written
from drover.control.world import World
from drover.sim.clock import Timeline
from drover.sim.invariants import Invariants
from drover.sim.network import PERFECT, Weather
from drover.sim.shell import Backend, Shell
from drover.sim.store import Store
from drover.sim.trace import Trace

GARBAGE_DELAY = 1.0
"""Seconds until the garbage collector has noticed that an owner is gone."""


class InvariantError(AssertionError):
    """What must always hold did not, with the seed, the step and what led there."""


class Simulation:
    """``instances`` operator instances over one store. Users and faults act through `timeline`."""

    def __init__(
        self,
        seed: int,
        *,
        instances: int = 1,
        weather: Weather = PERFECT,
        fenced: bool = True,
        make_world: Callable[[], World] = World,
        controllers: Sequence[Controller] = CONTROLLERS,
    ) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.timeline = Timeline()
        self.store = Store(seed)
        self.backend = Backend(
            self.store, self.timeline, self.random, weather, on_send=self._sent, on_write=self._wrote
        )
        self.trace = Trace()
        self.invariants = Invariants(self.store)
        self.steps = 0
        self.last_write = self.timeline.now
        """When the operator last changed anything."""
        self.writes = 0
        """Requests of the operator that succeeded."""
        self._fenced = fenced
        self._make_world = make_world
        self._controllers = controllers
        self._told = dict.fromkeys(WATCHED, 0)
        self._checked = 0
        self._turnover = 0
        self._started = 0
        self.shells = [self._new_shell() for _ in range(instances)]

    @property
    def now(self) -> datetime:
        return self.timeline.now

    def start(self) -> None:
        for shell in self.shells:
            shell.start()

    def step(self) -> bool:
        """Advance to the next happening; False where nothing will ever happen again."""
        happening = self.timeline.pop()
        if happening is None:
            return False
        self.steps += 1
        self.trace.add(self.now, happening.name)
        happening.act()
        self._tell_watches()
        self._check()
        return True

    def run_until(self, instant: datetime) -> None:
        """Let everything happen that happens up to an instant."""
        while (due := self.timeline.next_at) is not None and due <= instant:
            self.step()

    def settle(self, idle: timedelta, within: timedelta) -> bool:
        """Run until the operator has written nothing for ``idle``; False where that is not so ``within``."""
        deadline = self.now + within
        while self.now < self.last_write + idle:
            if self.now >= deadline or not self.step():
                return False
        return True

    # What faults do

    def crash(self, number: int, seconds: float) -> None:
        """Kill one instance; another starts in its place ``seconds`` later, knowing nothing."""
        self.shells[number].crash()
        self.timeline.after(seconds, f"restart of instance {number}", lambda: self._restart(number))

    def _restart(self, number: int) -> None:
        self.shells[number] = self._new_shell()
        self.shells[number].start()

    def _new_shell(self) -> Shell:
        self._started += 1
        engine = Engine(self._controllers, self._make_world(), fenced=self._fenced)
        return Shell(f"operator-{self._started}", engine, self.backend)

    # After every happening

    def _sent(self, write: Write) -> None:
        self.invariants.sent(write, self.now)

    def _wrote(self, write: Write, answer: Written | Refused, changed: bool) -> None:
        words = "written" if isinstance(answer, Written) else f"refused with {answer.code}"
        self.trace.add(self.now, f"{write.verb} {write.key} {words}: {write.body}")
        if isinstance(answer, Written):
            self.last_write = self.now
            self.writes += 1
            self.invariants.wrote(write, changed=changed)

    def _tell_watches(self) -> None:
        for kind, told in self._told.items():
            latest = self.store.latest(kind)
            if latest > told:
                self._told[kind] = latest
                for shell in self.shells:
                    if shell.alive:
                        shell.changed(kind)
        if self.store.turnover != self._turnover:
            self._turnover = self.store.turnover
            self.timeline.after(GARBAGE_DELAY, "garbage collection", self._collect_garbage)

    def _collect_garbage(self) -> None:
        self.store.collect_garbage(self.now)

    def _check(self) -> None:
        if self.store.version != self._checked:
            self._checked = self.store.version
            self.require(self.invariants.check(self.now))

    def require(self, violations: Sequence[str]) -> None:
        """Raise InvariantError where there are any."""
        if violations:
            raise InvariantError(
                f"seed {self.seed}, step {self.steps}, {self.now}:\n"
                + "\n".join(violations)
                + f"\n\nWhat led there:\n{self.trace.tail()}"
            )
