"""One holder at a time, on the real API server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from running import Network

from controlplane import ControlPlane
from drover.kube.api import Api
from drover.kube.connection import Connection
from drover.kube.lease import Lease, LeaseLostError
from drover.observe.metrics import Metrics

DURATION = 9
"""Seconds: a machine that stands still for three of them loses no Lease."""
Contender = Callable[..., Lease]


@pytest.fixture
async def network(cluster: ControlPlane) -> AsyncIterator[Network]:
    async with Network(cluster.url) as network:
        yield network


@pytest.fixture
async def contender(cluster: ControlPlane, network: Network, namespace: str) -> AsyncIterator[Contender]:
    """Makes contenders for one Lease; ``through`` puts the breakable network between."""
    async with AsyncExitStack() as stack:
        apis = []
        for host in (cluster.url, network.url):
            connection = Connection(str(cluster.kubeconfig), None)
            await connection.load()
            connection.configuration.host = host
            apis.append(await stack.enter_async_context(Api(connection.configuration, Metrics())))
        yield lambda identity, through=False: Lease(apis[through], namespace, "drover", identity, DURATION)


async def test_the_epoch_grows_with_every_acquisition(contender: Contender) -> None:
    epochs = []
    for identity in ("a", "b", "a"):
        lease = contender(identity)
        epochs.append(await lease.acquire())
        assert lease.held()
        await lease.release()
        assert not lease.held()
    assert epochs == [1, 2, 3]


async def test_a_released_lease_is_taken_without_waiting(contender: Contender) -> None:
    first, second = contender("a"), contender("b")
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await first.release()
    await asyncio.wait_for(waiting, DURATION * 2 / 3)


async def test_a_holder_that_renews_is_not_replaced(contender: Contender) -> None:
    first, second = contender("a"), contender("b")
    await first.acquire()
    holding = asyncio.create_task(first.hold())
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(DURATION * 1.2)
    assert first.held()
    assert not waiting.done()
    assert not holding.done()
    for task in (holding, waiting):
        task.cancel()
    await asyncio.gather(holding, waiting, return_exceptions=True)


async def test_a_holder_cut_off_gives_up_before_the_next_one_begins(contender: Contender, network: Network) -> None:
    first, second = contender("a", through=True), contender("b")
    loop = asyncio.get_running_loop()
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(0.2)
    network.go_silent()
    cut_at = loop.time()
    with pytest.raises(LeaseLostError, match=r"not renewed for 6\.0 s"):
        await first.hold()
    lost_at = loop.time()
    assert not first.held()
    assert not waiting.done()
    assert await waiting == 2
    assert lost_at - cut_at < DURATION
    assert loop.time() > lost_at


async def test_a_renewal_whose_answer_was_lost_does_not_cost_the_lease(contender: Contender, network: Network) -> None:
    lease = contender("a", through=True)
    await lease.acquire()
    holding = asyncio.create_task(lease.hold())
    network.lose_answers(1)
    await asyncio.sleep(DURATION * 0.8)
    assert lease.held()
    assert not holding.done()
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


async def test_a_holder_that_was_replaced_notices_and_names_its_successor(contender: Contender) -> None:
    sleeper, successor = contender("a"), contender("b")
    await sleeper.acquire()
    assert await successor.acquire() == 2
    with pytest.raises(LeaseLostError):
        await sleeper.hold()
    assert successor.held()
