"""What is let go while the kinds are deleted: all that can be, whatever one object or one kind answers."""

import logging

import pytest
from served import Served, made

from drover.api.flavor import Flavor
from drover.api.meta import FINALIZER, AnyResource
from drover.api.virtualmachine import VirtualMachine
from drover.api.volume import Volume
from drover.kube.api import CONCURRENCY, ApiError, UnansweredError, collection_of, path_of
from drover.kube.farewell import let_go
from drover.kube.paging import METADATA_ONLY, PAGE

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio]

KINDS = (Flavor, Volume, VirtualMachine)
OBJECTS = [made(kind.KIND, name, deleting=True) for kind in KINDS for name in "ab"]


def held(api: Served) -> list[str]:
    return [path for path, raw in api.objects.items() if FINALIZER in raw["metadata"]["finalizers"]]


@pytest.mark.parametrize(
    "error", [ApiError(403, "frozen"), UnansweredError("500: failed calling webhook", code=500)], ids=["refused", "500"]
)
async def test_one_that_cannot_be_let_go_holds_no_other(
    error: ApiError | UnansweredError, caplog: pytest.LogCaptureFixture
) -> None:
    api = Served(*OBJECTS)
    frozen = path_of(OBJECTS[0].key)
    api.errors = {frozen: error, path_of(OBJECTS[-1].key): ApiError(422, "another")}
    with pytest.raises(type(error), match=str(error)), caplog.at_level(logging.WARNING):
        await let_go(api, KINDS)  # type: ignore[arg-type]
    assert held(api) == list(api.errors)
    assert [(vars(one)["objects"], vars(one)["refused"]) for one in caplog.records] == [(4, 2)]


async def test_a_kind_that_cannot_be_listed_holds_no_other() -> None:
    api = Served(*OBJECTS)
    api.errors = {collection_of("Flavor"): ApiError(403, "may not list")}
    with pytest.raises(ApiError, match="may not list"):
        await let_go(api, KINDS)  # type: ignore[arg-type]
    assert len(held(api)) == 2


@pytest.mark.parametrize("code", [404, 409])
async def test_what_is_gone_or_was_changed_meanwhile_is_no_failure(code: int, caplog: pytest.LogCaptureFixture) -> None:
    api = Served(*OBJECTS[:2])
    api.errors = {path_of(OBJECTS[0].key): ApiError(code, "late"), collection_of("Volume"): ApiError(404, "no kind")}
    with caplog.at_level(logging.WARNING):
        await let_go(api, KINDS)  # type: ignore[arg-type]
    assert [(vars(one)["objects"], vars(one)["refused"]) for one in caplog.records] == [(1, 0)]


async def test_what_is_not_being_deleted_is_left_alone() -> None:
    api = Served(made("Flavor", "stays"))
    await let_go(api, KINDS)  # type: ignore[arg-type]
    assert {verb for verb, _ in api.sent} == {"list"}


async def test_many_are_let_go_side_by_side_from_pages_of_their_metadata() -> None:
    many: list[AnyResource] = [made("Volume", f"v{number}", deleting=True) for number in range(PAGE + 1)]
    api = Served(*many)
    await let_go(api, KINDS)  # type: ignore[arg-type]
    assert held(api) == []
    assert (api.accepted, api.limits, api.most_at_once) == ({METADATA_ONLY}, {str(PAGE)}, CONCURRENCY)
