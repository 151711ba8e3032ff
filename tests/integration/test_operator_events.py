"""Events as kubectl shows them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controlplane import ControlPlane, Kubectl
from drover.api.kinds import parse
from drover.control.ports import EventRecord
from drover.kube.api import Api
from drover.kube.connection import Connection
from drover.kube.events import EventWriter
from drover.observe.metrics import Metrics

FIRST = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.fixture
async def api(cluster: ControlPlane) -> AsyncIterator[Api]:
    connection = Connection(str(cluster.kubeconfig), None)
    await connection.load()
    async with Api(connection.configuration, Metrics()) as api:
        yield api


def record(namespace: str, **changes: Any) -> EventRecord:
    image = {
        "kind": "Image",
        "metadata": {"name": "debian", "namespace": namespace, "uid": "u1", "resourceVersion": "7"},
        "spec": {"source": {"type": "Blank", "blank": {}}, "virtualSize": "1Gi"},
    }
    first = EventRecord("debian.1", namespace, parse(image), "ImportStarted", "begun", "Normal", 1, FIRST, FIRST)
    return replace(first, **changes)


@asynccontextmanager
async def writing(api: Api, backlog: int = 16) -> AsyncIterator[EventWriter]:
    writer = EventWriter(api, "drover-0", backlog)
    task = asyncio.create_task(writer.run())
    yield writer
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def counts(kubectl: Kubectl, namespace: str, until: dict[str, int]) -> dict[str, int]:
    """Count by name of the events there are, once they are as many as expected; after 10 s whatever there is."""
    for _ in range(50):
        listed = await asyncio.to_thread(kubectl, "get", "events", "-n", namespace, "-o", "json")
        found = {event["metadata"]["name"]: event["count"] for event in json.loads(listed)["items"]}
        if found == until:
            break
        await asyncio.sleep(0.2)
    return found


async def test_a_repeated_event_counts_up_in_place(api: Api, kubectl: Kubectl, namespace: str) -> None:
    async with writing(api) as writer:
        writer.offer(record(namespace))
        writer.offer(record(namespace, count=2, last=FIRST + timedelta(minutes=10)))
        expected = {"debian.1": 2}
        assert await counts(kubectl, namespace, expected) == expected
    times = kubectl(
        "get", "events", "-n", namespace, "-o", "jsonpath={.items[0].firstTimestamp} {.items[0].lastTimestamp}"
    )
    assert times == "2026-11-21T08:00:00Z 2026-11-21T08:10:00Z"


async def test_a_repetition_of_an_event_that_has_expired_is_told_anew(
    api: Api, kubectl: Kubectl, namespace: str
) -> None:
    async with writing(api) as writer:
        writer.offer(record(namespace, count=5))
        expected = {"debian.1": 5}
        assert await counts(kubectl, namespace, expected) == expected


async def test_too_many_events_are_dropped_and_one_that_is_refused_stops_nothing(
    api: Api, kubectl: Kubectl, namespace: str
) -> None:
    async with writing(api, backlog=2) as writer:
        for name in ("not/a/name", "debian.1", "debian.2"):
            writer.offer(record(namespace, name=name))
        assert writer.dropped == 1
        expected = {"debian.1": 1}
        assert await counts(kubectl, namespace, expected) == expected
