"""Whatever crashes, conflicts, drops or goes stale: the invariants hold after every step, and all comes to rest."""

import pytest

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
