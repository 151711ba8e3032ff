"""Time for the engine never goes back."""

import pytest

from drover.kube.clock import WallClock


class Clocks:
    """A wall clock and a monotonic clock set by hand."""

    def __init__(self) -> None:
        self.wall = 1000.0
        self.monotonic = 5.0

    def read(self) -> WallClock:
        return WallClock(lambda: self.wall, lambda: self.monotonic)

    def pass_(self, seconds: float, *, wall_jump: float = 0.0) -> None:
        self.monotonic += seconds
        self.wall += seconds + wall_jump


@pytest.mark.parametrize(
    ("jump", "expected"),
    [
        pytest.param(0.0, 10.0, id="it is the wall clock"),
        pytest.param(3600.0, 3610.0, id="set forward, it follows"),
        pytest.param(-3600.0, 10.0, id="set back, it goes on at the same pace"),
    ],
)
def test_ten_seconds_pass(jump: float, expected: float) -> None:
    clocks = Clocks()
    clock = clocks.read()
    before = clock.now()
    assert before.timestamp() == 1000.0
    clocks.pass_(10.0, wall_jump=jump)
    assert (clock.now() - before).total_seconds() == pytest.approx(expected)
