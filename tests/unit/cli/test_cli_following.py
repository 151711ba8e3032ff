"""Following an object outlasts an API server that is away for a moment, and no longer."""

from __future__ import annotations

import asyncio

import pytest
from cliobjects import vm

from drover.api.virtualmachine import VirtualMachine
from drover.cli.following import EVERY, NOTED_EVERY, PATIENCE, Step, follow
from drover.kube.api import FatalError

pytestmark = pytest.mark.looptime


def step_of(found: VirtualMachine) -> Step:
    return Step(0.0, str(found.status.phase), over=found.status.phase == "Stopped")


async def nothing() -> str:
    return ""


async def test_it_looks_until_the_object_says_that_it_is_over_though_the_server_goes_away_meanwhile() -> None:
    loop = asyncio.get_running_loop()
    back = loop.time() + PATIENCE - EVERY
    looks: list[float] = []

    async def look() -> VirtualMachine:
        looks.append(loop.time())
        if len(looks) > 1 and loop.time() < back:
            raise FatalError("the API server does not answer")
        return vm("a", {"phase": "Stopped" if len(looks) > 1 else "Stopping"})

    assert (await follow(look, step_of, nothing)).status.phase == "Stopped"
    assert len(looks) > 2
    assert loop.time() == pytest.approx(back, abs=EVERY)


async def test_it_gives_up_once_the_server_stays_away() -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async def look() -> VirtualMachine:
        raise FatalError("the API server does not answer")

    with pytest.raises(FatalError, match="does not answer"):
        await follow(look, step_of, nothing)
    assert loop.time() - begun == pytest.approx(PATIENCE, abs=2 * EVERY)


async def test_off_a_terminal_it_tells_what_changes_now_and_then_and_once_why_nothing_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()

    def periods() -> float:
        return (loop.time() - begun) / NOTED_EVERY

    async def look() -> VirtualMachine:
        return vm("a", {"phase": next(name for end, name in STAGES if periods() < end)})

    async def leaderless() -> str:
        return f"nobody leads for {periods():.0f} periods"

    await follow(look, step_of, leaderless)
    assert capsys.readouterr().err.splitlines() == [
        "warning: nothing has changed for 10 s: nobody leads for 1 periods",
        "Starting",
        "warning: nothing has changed for 10 s: nobody leads for 5 periods",
    ]


STAGES = ((3.5, "Pending"), (5.5, "Starting"), (9, "Stopped"))
