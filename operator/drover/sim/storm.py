"""The soak: a small cloud, restless users, two operator instances and everything that goes wrong at once.

``Storm(seed).run(steps)`` raises InvariantError at the first step after which an invariant does not hold;
``subside()`` stops faults and users, mends what is broken and asks that everything comes to rest. ``linger()``
lets users do a few things more and asks it again: nothing else happens then that might wake what was forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from drover.control.world import World
from drover.sim import cloud
from drover.sim.faults import HOST_FAULTS, OPERATOR_FAULTS, Ambush, Strikes, mend_everything
from drover.sim.movers import let_plans_go_on
from drover.sim.network import PERFECT, ROUGH
from drover.sim.rest import unrest
from drover.sim.simulation import Simulation
from drover.sim.users import ACTS, PASSING_ACTS, create_vm, restore_catalogue

IDLE = timedelta(minutes=10)
"""An operator that has written nothing for this long, longer than any back-off, has nothing more to write."""
VMS_AT_START = 20
SECONDS_BETWEEN_ACTS = 0.6
PATIENCE = timedelta(hours=6)
ROUND = timedelta(seconds=6)


class Storm:
    """One seed's storm. ``make_world`` and ``fenced`` are there to break a rule on purpose."""

    def __init__(self, seed: int, *, fenced: bool = True, make_world: Callable[[], World] = World) -> None:
        self.sim = Simulation(seed, instances=2, weather=ROUGH, fenced=fenced, make_world=make_world)
        for raw in cloud.base(seed):
            self.sim.store.create(raw, self.sim.now)
        for _ in range(VMS_AT_START):
            create_vm(self.sim)
        self.sim.start()
        self._strikes: list[Strikes | Ambush] = [
            Strikes(self.sim, ACTS, SECONDS_BETWEEN_ACTS),
            Strikes(self.sim, OPERATOR_FAULTS, mean_seconds=12.0),
            Strikes(self.sim, HOST_FAULTS, mean_seconds=15.0),
            Ambush(self.sim),
        ]

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.sim.step()

    def subside(self) -> None:
        """Let everything come to rest, and require that it does, as it should."""
        for strikes in self._strikes:
            strikes.stop()
        self.sim.backend.weather = PERFECT
        mend_everything(self.sim)
        restore_catalogue(self.sim)
        # What is still on its way may take a while, and deletions free names that are to be restored.
        self.sim.run_until(self.sim.now + timedelta(seconds=60))
        mend_everything(self.sim)
        restore_catalogue(self.sim)
        let_plans_go_on(self.sim)
        self._rest()

    def linger(self, rounds: int) -> None:
        """Users alone do a few things more, in fair weather, and all comes to rest again; time after time."""
        for _ in range(rounds):
            users = Strikes(self.sim, PASSING_ACTS, SECONDS_BETWEEN_ACTS)
            self.sim.run_until(self.sim.now + ROUND)
            users.stop()
            let_plans_go_on(self.sim)
            self._rest()

    def _rest(self) -> None:
        if not self.sim.settle(IDLE, PATIENCE):
            self.sim.require([f"rest: the operator was still writing after {PATIENCE}"])
        self.sim.require(unrest(self.sim.store))
