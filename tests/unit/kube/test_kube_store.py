"""Writes and lists against an API server in memory, in loop time; tests/integration has them against a real one."""

import asyncio
from typing import Any

import pytest
from served import Served, made

from drover.api.meta import Key
from drover.control.ports import Write
from drover.kube.api import CONCURRENCY
from drover.kube.parsing import Parser
from drover.kube.store import Store
from drover.observe.metrics import Metrics

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio]


def store_of(api: Any, **options: Any) -> Store:
    return Store(api, Parser(), Metrics(), **options)


async def test_a_write_that_waits_for_its_turn_while_the_lease_is_lost_is_not_sent() -> None:
    api = Served()
    leads = True
    store = store_of(api, may_write=lambda: leads)
    keys = [Key("Flavor", "", f"f{number}") for number in range(CONCURRENCY + 5)]
    writing = [asyncio.create_task(store.perform(Write(1, "status", key, {"status": {}}))) for key in keys]
    await asyncio.sleep(0.005)
    leads = False
    answers = await asyncio.gather(*writing)
    assert len(api.sent) == CONCURRENCY
    assert answers.count(None) == 5


async def test_a_list_that_expires_before_its_last_page_is_begun_anew() -> None:
    api = Served(*(made("Flavor", f"f{number}") for number in range(5)))
    store = store_of(api, page=2)
    api.forgets = 2
    resources, listed = await store.list_all("Flavor")
    assert [one.name for one in resources] == ["f0", "f1", "f2", "f3", "f4"]
    assert len(listed.uids) == 5
    api.forgets = 2
    assert await store.audit("Flavor") == listed
    assert api.forgets == 0


async def test_what_went_before_a_list_was_begun_anew_is_not_in_it() -> None:
    api = Served(*(made("Flavor", f"f{number}") for number in range(3)))
    api.forgets = 1
    listing = asyncio.create_task(store_of(api, page=2).list_all("Flavor"))
    await asyncio.sleep(0.015)
    del api.objects["/apis/drover.dev/v1alpha1/flavors/f0"]
    resources, listed = await listing
    assert [one.name for one in resources] == ["f1", "f2"]
    assert Key("Flavor", "", "f0") not in listed.uids
