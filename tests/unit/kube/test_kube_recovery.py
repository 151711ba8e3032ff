"""Lives one after the other, in loop time."""

import asyncio
import gc
import weakref

import pytest

from drover.kube.api import FatalError
from drover.kube.recovery import LONG_LIFE, PAUSE_MAX, Recovery

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio]


def clock() -> float:
    return asyncio.get_running_loop().time()


class Lives:
    """Each life lasts as long as it is told to, then needs something mended; after the last one it is told to stop."""

    def __init__(self, recovery: Recovery, *seconds: float) -> None:
        self._recovery = recovery
        self._seconds = list(seconds)
        self.pauses: list[float] = []
        self._ended_at: float | None = None

    async def live(self) -> None:
        if self._ended_at is not None:
            self.pauses.append(clock() - self._ended_at)
        if not self._seconds:
            self._recovery.stop()
            await asyncio.sleep(3600)
        await asyncio.sleep(self._seconds.pop(0))
        self._ended_at = clock()
        raise FatalError("mend it")


async def test_it_tries_again_ever_less_often_until_a_life_has_lasted() -> None:
    recovery = Recovery()
    lives = Lives(recovery, 0, 0, 0, 0, 0, LONG_LIFE, 0)
    await recovery.run(lives.live)
    assert lives.pauses == pytest.approx([1, 2, 4, PAUSE_MAX, PAUSE_MAX, 1, 2], abs=0.1)


async def test_it_tells_what_is_to_be_mended_until_a_life_says_that_it_has_been() -> None:
    recovery = Recovery()
    told = []

    async def live() -> None:
        told.append(recovery.trouble)
        if len(told) < 3:
            raise FatalError("mend it")
        recovery.well()
        told.append(recovery.trouble)
        recovery.stop()
        await asyncio.sleep(3600)

    await recovery.run(live)
    assert told == ["", "mend it", "mend it", ""]


async def test_a_defect_ends_it() -> None:
    async def live() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Recovery().run(live)


async def test_told_to_stop_it_waits_for_the_life_to_end_in_order() -> None:
    recovery = Recovery()
    ended = []

    async def live() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(3)
            ended.append(clock())

    begun = clock()
    running = asyncio.create_task(recovery.run(live))
    await asyncio.sleep(1)
    recovery.stop()
    await running
    assert ended == [pytest.approx(begun + 4, abs=0.1)]


async def test_told_to_stop_while_it_waits_it_does_not_begin_again() -> None:
    recovery = Recovery()
    begun = []

    async def live() -> None:
        begun.append(clock())
        raise FatalError("mend it")

    running = asyncio.create_task(recovery.run(live))
    await asyncio.sleep(0.5)
    recovery.stop()
    await running
    assert len(begun) == 1


class Listed:
    """What only a collector finds, as the parts of an operator that know one another."""

    def __init__(self) -> None:
        self.itself = self


async def test_what_a_life_knew_is_gone_before_the_next_one_lists() -> None:
    recovery = Recovery()
    earlier: list[weakref.ref[Listed]] = []
    found = []

    async def live() -> None:
        if earlier:
            found.append(earlier[0]())
            recovery.stop()
            await asyncio.sleep(3600)
        listed = Listed()
        earlier.append(weakref.ref(listed))
        gc.freeze()
        raise FatalError("mend it")

    gc.disable()
    try:
        await recovery.run(live)
    finally:
        gc.enable()
    assert found == [None]
