"""The storm of test_invariants.py, longer and over more seeds."""

import pytest

from drover.sim.storm import Storm


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1060))
def test_the_invariants_hold_through_a_long_storm_and_everything_comes_to_rest(seed: int) -> None:
    storm = Storm(seed)
    storm.run(6000)
    storm.subside()
