"""Writes against the real API server: each is told exactly once what became of it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from running import Network

from controlplane import ControlPlane
from drover.api.kinds import KINDS
from drover.api.meta import Key
from drover.control.ports import Refused, Write, Written
from drover.kube.api import Api, ApiError
from drover.kube.connection import Connection
from drover.kube.parsing import Parser
from drover.kube.store import Store
from drover.observe.metrics import Metrics

URL = "https://images.example/debian.qcow2"


@pytest.fixture
async def network(cluster: ControlPlane) -> AsyncIterator[Network]:
    async with Network(cluster.url) as network:
        yield network


@pytest.fixture
async def store(cluster: ControlPlane, network: Network) -> AsyncIterator[Store]:
    connection = Connection(str(cluster.kubeconfig), None)
    await connection.load()
    connection.configuration.host = network.url
    metrics = Metrics()
    async with Api(connection.configuration, metrics) as api:
        yield Store(api, Parser(), metrics)


def create(namespace: str, name: str = "debian") -> Write:
    body = {
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "Image",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"source": {"type": "HTTP", "http": {"url": URL}}, "size": "1Gi", "virtualSize": "2Gi"},
    }
    return Write(1, "create", Key("Image", namespace, name), body)


async def created(store: Store, namespace: str) -> tuple[Key, str, str]:
    answer = await store.perform(create(namespace))
    assert isinstance(answer, Written), answer
    assert answer.resource is not None
    metadata = answer.resource.metadata
    return answer.resource.key, metadata.resource_version, metadata.uid


def importing(key: Key, version: str | None) -> Write:
    return Write(2, "status", key, {"status": {"phase": "Importing", "observedGeneration": 1}}, version)


async def test_a_status_write_on_the_version_it_was_decided_on_gives_the_new_object(
    store: Store, namespace: str
) -> None:
    key, version, _ = await created(store, namespace)
    answer = await store.perform(importing(key, version))
    assert isinstance(answer, Written)
    assert answer.resource is not None
    assert answer.resource.status.phase == "Importing"
    assert int(answer.resource.metadata.resource_version) > int(version)


async def test_a_write_decided_on_an_older_version_is_refused_and_brings_the_object_as_it_is(
    store: Store, namespace: str
) -> None:
    key, version, _ = await created(store, namespace)
    await store.perform(importing(key, version))
    answer = await store.perform(Write(3, "status", key, {"status": {"phase": "Failed"}}, version))
    assert isinstance(answer, Refused)
    assert answer.code == 409
    assert answer.current is not None
    assert answer.current.status.phase == "Importing"


@pytest.mark.parametrize("verb", ["status", "metadata", "spec", "delete"])
async def test_a_write_to_an_object_that_is_gone_is_refused_with_404(store: Store, namespace: str, verb: str) -> None:
    write = Write(4, verb, Key("Image", namespace, "none"), {"status": {"phase": "Failed"}}, "1")  # type: ignore[arg-type]
    answer = await store.perform(write)
    assert isinstance(answer, Refused)
    assert (answer.code, answer.current) == (404, None)


async def test_creating_what_exists_is_refused_and_brings_what_exists(store: Store, namespace: str) -> None:
    _, _, uid = await created(store, namespace)
    answer = await store.perform(create(namespace))
    assert isinstance(answer, Refused)
    assert answer.code == 409
    assert answer.current is not None
    assert answer.current.uid == uid


async def test_a_status_field_that_the_schema_lacks_is_refused_and_not_dropped_in_silence(
    store: Store, namespace: str
) -> None:
    key, version, _ = await created(store, namespace)
    answer = await store.perform(Write(5, "status", key, {"status": {"fase": "Ready"}}, version))
    assert isinstance(answer, Refused)
    assert "fase" in answer.message


async def test_deleting_spares_a_namesake_with_another_uid(store: Store, namespace: str) -> None:
    key, _, uid = await created(store, namespace)
    spared = await store.perform(Write(6, "delete", key, {}, uid="00000000-0000-0000-0000-000000000000"))
    assert isinstance(spared, Refused)
    assert spared.code == 409
    done = await store.perform(Write(7, "delete", key, {}, uid=uid))
    assert done == Written(7, None)
    with pytest.raises(ApiError, match="404"):
        await store.get(key)


async def test_a_write_whose_answer_was_lost_is_repeated_and_not_done_twice(
    store: Store, network: Network, namespace: str
) -> None:
    key, version, _ = await created(store, namespace)
    network.lose_answers(1)
    answer = await store.perform(importing(key, version))
    # The first request had succeeded, so its repetition meets a conflict with what it wrote itself.
    assert isinstance(answer, Refused)
    assert answer.code == 409
    assert answer.current is not None
    assert answer.current.status.phase == "Importing"


async def test_a_fence_whose_answer_was_lost_is_repeated_until_it_is_answered(
    store: Store, network: Network, namespace: str
) -> None:
    key, _, _ = await created(store, namespace)
    network.lose_answers(3)
    answer = await store.perform(importing(key, None))
    assert isinstance(answer, Written)


async def test_a_creation_whose_answer_was_lost_brings_the_object_it_made(
    store: Store, network: Network, namespace: str
) -> None:
    await created(store, namespace)
    network.lose_answers(1)
    answer = await store.perform(create(namespace, "second"))
    assert isinstance(answer, Refused)
    assert answer.code == 409
    assert answer.current is not None
    assert answer.current.name == "second"


async def test_who_does_not_lead_does_not_write(store: Store, namespace: str) -> None:
    key, version, _ = await created(store, namespace)
    follower = Store(store._api, Parser(), Metrics(), may_write=lambda: False)
    assert await follower.perform(importing(key, version)) is None
    current = await store.get(key)
    assert current is not None
    assert current.metadata.resource_version == version


async def test_a_list_in_pages_names_every_object_and_one_version(store: Store, namespace: str) -> None:
    for name in ("a", "b", "c", "d", "e"):
        await store.perform(create(namespace, name))
    paged = Store(store._api, Parser(), Metrics(), page=2)
    resources, listed = await paged.list_all("Image")
    mine = {resource.key: resource.uid for resource in resources if resource.namespace == namespace}
    assert {key.name for key in mine} == {"a", "b", "c", "d", "e"}
    # Those of earlier tests are still going with their namespaces.
    for uids in (listed.uids, (await paged.audit("Image")).uids):
        assert {key: uid for key, uid in uids.items() if key.namespace == namespace} == mine
    assert listed.resource_version >= max(int(r.metadata.resource_version) for r in resources)


async def test_a_kind_without_objects_is_listed_and_audited_as_empty(store: Store) -> None:
    async with asyncio.timeout(90):  # those of other tests go with their namespaces
        while (kind := await _kind_without_objects(store)) is None:  # noqa: ASYNC110  # only the API server knows
            await asyncio.sleep(0.5)
    audited = await store.audit(kind)
    assert dict(audited.uids) == {}
    assert audited.resource_version > 0


async def _kind_without_objects(store: Store) -> str | None:
    for kind in KINDS:
        if not (await store.list_all(kind))[0]:
            return kind
    return None
