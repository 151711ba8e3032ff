"""Leader election in loop time: hours pass in milliseconds, and nothing is left to a busy machine's pace."""

import asyncio
from copy import deepcopy
from typing import Any

import pytest

from drover.kube.api import ApiError, FatalError, UnansweredError
from drover.kube.lease import RETRY_PERIOD, Lease, LeaseLostError
from drover.kube.rights import MEND

DURATION = 15

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio]


class OneLease:
    """The API server as far as one Lease goes: create, read, replace on the version read. ``up`` is its network,
    ``seconds`` the time it takes, ``refusal`` what it answers instead.
    """

    def __init__(self) -> None:
        self.up = True
        self.seconds = 0.01
        self.refusal: ApiError | None = None
        self._stored: dict[str, Any] | None = None
        self._version = 0

    async def request(
        self, verb: str, resource: str, path: str, *, body: dict[str, Any] | None = None, **_: Any
    ) -> dict[str, Any]:
        """What was sent takes effect, also where nobody waits for the answer any more."""
        return await asyncio.shield(asyncio.create_task(self._serve(verb, resource, path, body)))

    async def _serve(self, verb: str, resource: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        await asyncio.sleep(self.seconds)
        if not self.up:
            raise UnansweredError(f"{verb} {resource} {path}: no route")
        if self.refusal is not None:
            raise self.refusal
        if verb == "get":
            if self._stored is None:
                raise ApiError(404, "not found")
            return deepcopy(self._stored)
        assert body is not None
        known = str(self._version) if self._stored is not None else None
        if body["metadata"].get("resourceVersion") != known:
            raise ApiError(409, "the object has been modified")
        self._version += 1
        self._stored = {"metadata": {**body["metadata"], "resourceVersion": str(self._version)}, "spec": body["spec"]}
        return deepcopy(self._stored)


def contender(api: Any, identity: str) -> Lease:
    return Lease(api, "drover-system", "drover", identity, DURATION)


def clock() -> float:
    return asyncio.get_running_loop().time()


async def test_the_first_contender_leads_at_once_and_the_second_waits_out_a_lease_that_is_not_renewed() -> None:
    api = OneLease()
    first, second = contender(api, "a"), contender(api, "b")
    assert await first.acquire() == 1
    begun = clock()
    assert await second.acquire() == 2
    assert DURATION <= clock() - begun <= DURATION * 1.3
    assert not first.held()


async def test_a_lease_that_is_renewed_is_never_taken_over() -> None:
    api = OneLease()
    first, second = contender(api, "a"), contender(api, "b")
    await first.acquire()
    holding, waiting = asyncio.create_task(first.hold()), asyncio.create_task(second.acquire())
    done, _ = await asyncio.wait([holding, waiting], timeout=3600)
    assert not done
    assert first.held()
    for task in (holding, waiting):
        task.cancel()


async def test_a_holder_that_cannot_renew_gives_up_before_anybody_else_may_lead() -> None:
    api = OneLease()
    lease = contender(api, "a")
    await lease.acquire()
    begun = clock()
    api.up = False
    with pytest.raises(LeaseLostError, match=r"not renewed for 10\.0 s"):
        await lease.hold()
    assert clock() - begun <= DURATION * 2 / 3 + 0.1
    assert not lease.held()


async def test_a_lease_given_back_is_taken_without_waiting() -> None:
    api = OneLease()
    first, second = contender(api, "a"), contender(api, "b")
    await first.acquire()
    await first.release()
    begun = clock()
    assert await second.acquire() == 2
    assert clock() - begun < 0.1


@pytest.mark.parametrize("milliseconds", range(0, 12, 2))
async def test_a_lease_is_given_back_also_when_the_end_cuts_off_a_renewal(milliseconds: int) -> None:
    api = OneLease()
    first, second = contender(api, "a"), contender(api, "b")
    await first.acquire()
    holding = asyncio.create_task(first.hold())
    await asyncio.sleep(DURATION * RETRY_PERIOD + milliseconds / 1000)
    holding.cancel()
    await first.release()
    begun = clock()
    assert await second.acquire() == 2
    assert clock() - begun < 0.1


@pytest.mark.parametrize("anew", [True, False])
@pytest.mark.parametrize("milliseconds", range(1, 43, 4))
async def test_a_lease_is_given_back_also_when_the_end_cuts_off_its_taking(milliseconds: int, anew: bool) -> None:
    """What is cut off may land before what gives it back, or be overtaken by it: here up to four times."""
    api = OneLease()
    if not anew:
        await taken_and_given_back(api)
    first, second = contender(api, "a"), contender(api, "b")
    api.seconds = 0.02
    taking = asyncio.create_task(first.acquire())
    await asyncio.sleep(milliseconds / 1000)
    taking.cancel()
    api.seconds = 0.005
    await asyncio.wait([taking])
    assert first.held() is (not taking.cancelled())
    await first.release()
    assert not first.held()
    begun = clock()
    assert await second.acquire() > (0 if anew else 1)
    assert clock() - begun < 0.1
    await asyncio.sleep(1)
    assert (await api.request("get", "leases", "drover"))["spec"]["holderIdentity"] == "b"


async def taken_and_given_back(api: OneLease) -> None:
    earlier = contender(api, "c")
    await earlier.acquire()
    await earlier.release()


async def test_who_stands_by_leaves_the_lease_to_its_holder_when_he_ends() -> None:
    api = OneLease()
    first, second = contender(api, "a"), contender(api, "b")
    await first.acquire()
    holding, waiting = asyncio.create_task(first.hold()), asyncio.create_task(second.acquire())
    await asyncio.sleep(3 * DURATION)
    waiting.cancel()
    await second.release()
    assert (await api.request("get", "leases", "drover"))["spec"]["holderIdentity"] == "a"
    holding.cancel()


@pytest.mark.parametrize(
    ("message", "mended"),
    [
        ('leases "drover" is forbidden: User "x" cannot get resource "leases"', True),
        ("unable to create new content in namespace drover-system because it is being terminated", False),
    ],
)
async def test_only_a_right_that_is_missing_is_asked_for(message: str, mended: bool) -> None:
    api = OneLease()
    api.refusal = ApiError(403, message)
    lease = contender(api, "a")
    with pytest.raises(FatalError) as refused:
        await lease.acquire()
    assert str(refused.value) == f"lease drover cannot be acquired: 403: {message}" + (f": {MEND}" if mended else "")


async def test_what_somebody_else_was_given_is_not_given_back_for_him() -> None:
    api = OneLease()
    holder = contender(api, "a")
    await holder.acquire()
    given = await api.request("get", "leases", "drover")
    given["spec"]["holderIdentity"] = "b"
    await api.request("update", "leases", "drover", body=given)
    await holder.release()
    assert (await api.request("get", "leases", "drover"))["spec"]["holderIdentity"] == "b"
