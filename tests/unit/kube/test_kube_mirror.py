"""The mirror against an API server in memory, in loop time; and the reviews that rest on it."""

import asyncio
import logging
from typing import Any

import pytest
from served import Served, made

from drover.api.kinds import manifest
from drover.api.meta import AnyResource
from drover.control.admission import Rules
from drover.kube.admission.reviewer import Reviewer
from drover.kube.api import ApiError, collection_of, path_of
from drover.kube.auditing import AUDIT_SECONDS, audits
from drover.kube.mirror import Mirror
from drover.observe.metrics import Metrics

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio]

FLAVOR = made("Flavor", "small")
VM = made("VirtualMachine", "web")


async def mirror_of(api: Any) -> Mirror:
    """In step, and no longer running."""
    mirror = Mirror(api, "drover-system", Metrics())
    running = asyncio.create_task(mirror.run())
    await asyncio.sleep(1)
    assert mirror.synced
    running.cancel()
    return mirror


async def reviewed(mirror: Mirror, new: AnyResource) -> list[str]:
    """The warnings; raises what refuses it."""
    warnings: list[str] = []
    answer = Reviewer(mirror, Rules())._handler(new.KIND)
    await answer(body=manifest(new), old=None, dryrun=True, warnings=warnings, userinfo={})
    return warnings


async def test_what_is_gone_is_forgotten_and_what_may_not_be_looked_at_is_an_error() -> None:
    api = Served(FLAVOR)
    mirror = await mirror_of(api)
    api.errors = {path_of(FLAVOR.key): ApiError(403, "forbidden")}
    with pytest.raises(ApiError, match="forbidden"):
        await mirror.look_again([FLAVOR.key])
    assert mirror.world.find(FLAVOR.key) is not None
    api.errors, api.objects = {}, {}
    await mirror.look_again([FLAVOR.key])
    assert mirror.world.find(FLAVOR.key) is None


async def test_what_cannot_be_looked_at_again_is_let_through(caplog: pytest.LogCaptureFixture) -> None:
    api = Served()
    mirror = await mirror_of(api)
    assert "flavor small does not exist" in str(await reviewed(mirror, VM))
    api.errors = {path_of(FLAVOR.key): ApiError(403, "flavors is forbidden")}
    with caplog.at_level(logging.WARNING):
        assert await reviewed(mirror, VM) == []
    (told,) = caplog.records
    assert "forbidden" in str(vars(told)["error"])
    assert told.exc_info is None


async def test_defects_of_reviews_are_told_by_their_error(caplog: pytest.LogCaptureFixture) -> None:
    mirror = await mirror_of(Served())
    mirror.world = None  # type: ignore[assignment]
    assert await reviewed(mirror, VM) == []
    (told,) = caplog.records
    assert vars(told)["error"].startswith("AttributeError(")


async def test_what_kopf_lists_again_before_the_audits_begin_is_audited_first() -> None:
    api = Served(FLAVOR)
    mirror = Mirror(api, "drover-system", Metrics())  # type: ignore[arg-type]
    running = asyncio.create_task(mirror.run())
    await asyncio.sleep(0.095)
    assert mirror.world.find(FLAVOR.key) is not None
    assert not mirror.synced
    del api.objects[path_of(FLAVOR.key)]  # deleted while the watch is down; Kopf lists others of the kind
    mirror._source.take("Flavor", None, manifest(made("Flavor", "large")))
    await asyncio.sleep(AUDIT_SECONDS / 2)
    assert mirror.world.find(FLAVOR.key) is None
    running.cancel()


async def test_what_kopf_lists_before_it_is_listed_here_is_not_audited() -> None:
    api = Served(FLAVOR)
    mirror = Mirror(api, "drover-system", Metrics())  # type: ignore[arg-type]
    mirror._source.take("Flavor", None, manifest(FLAVOR))
    running = asyncio.create_task(mirror.run())
    await asyncio.sleep(AUDIT_SECONDS / 2)
    assert api.sent.count(("list", collection_of("Flavor"))) == 1
    running.cancel()


async def test_audits_are_of_what_was_listed_again_and_at_times_of_everything() -> None:
    relisted = {"Flavor"}
    seen = []
    async for kinds in audits(relisted):
        seen.append(kinds)
        if len(kinds) > 1:
            break
    assert seen[0] == {"Flavor"}
    assert set().union(*seen[1:-1]) == set()
    assert seen[-1] >= {"Flavor", "VirtualMachine"}
