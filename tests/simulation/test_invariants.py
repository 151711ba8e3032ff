"""Whatever crashes, conflicts, drops or goes stale: the invariants hold after every step, and all comes to rest."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

import pytest

from drover.control.world import World
from drover.model.placement import Ledger, Resources
from drover.sim.simulation import InvariantError
from drover.sim.storm import Storm

SEEDS = range(50)
STEPS = 2_000


@pytest.mark.parametrize("seed", SEEDS)
def test_the_invariants_hold_in_a_storm_and_everything_comes_to_rest_after_it(seed: int) -> None:
    storm = Storm(seed)
    storm.run(STEPS)
    storm.subside()
    assert [str(failure) for failure in storm.sim.backend.failures] == []


# The same storms with a rule broken on purpose: a check that cannot catch it would prove nothing above.


class Forgetful(Ledger):
    """Leaves some contributors' claims out of account."""

    def __init__(self, forgets: Callable[[Hashable], bool]) -> None:
        super().__init__()
        self._forgets = forgets

    def set_claims(self, contributor: Hashable, claims: Mapping[tuple[str, str], Resources]) -> None:
        if not self._forgets(contributor):
            super().set_claims(contributor, claims)


def world_forgetting(forgets: Callable[[Hashable], bool]) -> Callable[[], World]:
    def make() -> World:
        world = World()
        world.books.ledger = Forgetful(forgets)
        return world

    return make


def of_migrations(contributor: Hashable) -> bool:
    return isinstance(contributor, tuple) and contributor[0].kind == "VirtualMachineMigration"


def in_flight(contributor: Hashable) -> bool:
    return isinstance(contributor, tuple) and contributor[1] == "assumed"


def caught(seed: int, make_world: Callable[[], World]) -> str:
    """The violations that end the storm; nothing where it was survived."""
    storm = Storm(seed, make_world=make_world)
    try:
        storm.run(STEPS)
    except InvariantError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("forgets", [of_migrations, in_flight])
def test_a_claim_that_is_not_counted_is_caught_as_a_host_above_its_capacity(
    forgets: Callable[[Hashable], bool],
) -> None:
    assert any("capacity: host" in caught(seed, world_forgetting(forgets)) for seed in range(20))
