"""What the webhook takes for a review: whatever arrives, it is answered or refused, and nothing breaks."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from controlplane.certificates import write_credentials
from drover.kube.admission.server import Server, counted, is_review
from drover.kube.api import FatalError
from drover.observe.metrics import Metrics

RESOURCE = {"group": "drover.dev", "version": "v1alpha1", "resource": "virtualmachines"}
OBJECT = {"metadata": {"name": "a"}}
ASKED = {"resource": RESOURCE, "userInfo": {}, "object": OBJECT}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("changes", "is_one"),
    [
        ({}, True),
        ({"oldObject": OBJECT}, True),
        ({"object": None, "oldObject": OBJECT}, True),
        ({"object": None}, False),
        ({"object": {}}, False),
        ({"object": []}, False),
        ({"oldObject": "x"}, False),
        ({"userInfo": None}, False),
        ({"resource": {"group": "drover.dev"}}, False),
        ({"resource": RESOURCE | {"resource": 7}}, False),
    ],
)
def test_a_review_has_a_resource_a_user_and_an_object(changes: dict[str, Any], is_one: bool) -> None:
    assert is_review({"request": ASKED | changes}) is is_one


@given(JSON, st.sampled_from(["request", "resource", "userInfo", "object", "oldObject", "metadata"]))
def test_whatever_arrives_is_judged(thing: object, where: str) -> None:
    for body in (thing, {"request": thing}, {"request": ASKED | {where: thing}}):
        assert is_review(body) in (True, False)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key that are none yet."""
    return tmp_path / "tls.crt", tmp_path / "tls.key"


async def test_a_certificate_that_is_not_there_is_told_by_its_file_with_the_mend(files: tuple[Path, Path]) -> None:
    server = Server("127.0.0.1", 0, *files, Metrics())
    with pytest.raises(FatalError, match=r"certificate \S+tls.crt with key \S+tls.key cannot be used \(.*--cert-file"):
        await anext(_started(server))
    assert not server.serving
    files[0].write_text("none")
    files[1].write_text("none")
    with pytest.raises(FatalError, match="cannot be used"):
        await anext(_started(server))


async def test_a_certificate_that_goes_while_it_is_served_is_told_as_that_and_not_as_the_port(tmp_path: Path) -> None:
    write_credentials(tmp_path)
    server = Server("127.0.0.1", 0, tmp_path / "apiserver.crt", tmp_path / "apiserver.key", Metrics())
    serving = _started(server)
    await anext(serving)
    assert server.serving
    (tmp_path / "apiserver.crt").unlink()
    with pytest.raises(FatalError, match=r"certificate \S+apiserver.crt with key \S+ cannot be used"):
        await anext(serving)
    assert not server.serving


async def test_a_port_that_is_taken_is_told_with_the_mend(tmp_path: Path) -> None:
    write_credentials(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = Server("127.0.0.1", port, tmp_path / "apiserver.crt", tmp_path / "apiserver.key", Metrics())
        with pytest.raises(FatalError, match=f"port {port} cannot be served .*--port"):
            await anext(_started(server))


@pytest.mark.parametrize(
    ("response", "result"),
    [
        ({"allowed": True}, "allowed"),
        ({"allowed": True, "warnings": ["w"]}, "warned"),
        ({"allowed": False, "warnings": ["w"]}, "refused"),
        (None, "error"),
    ],
)
@pytest.mark.parametrize(("plural", "told"), [("virtualmachines", "virtualmachines"), ("x" * 99, "other")])
async def test_answers_are_counted_by_kind_and_result(
    response: dict[str, Any] | None, result: str, plural: str, told: str
) -> None:
    async def answering(_: object) -> dict[str, Any]:
        if response is None:
            raise KeyError(plural)
        return {"response": response}

    metrics = Metrics()
    with nullcontext() if response is not None else pytest.raises(KeyError):
        await counted(answering, metrics)({"request": ASKED | {"resource": RESOURCE | {"resource": plural}}})
    assert f'drover_admission_reviews_total{{resource="{told}",result="{result}"}} 1.0' in metrics.page().decode()


async def test_what_is_no_review_is_refused_and_not_counted() -> None:
    metrics = Metrics()
    with pytest.raises(web.HTTPBadRequest):
        await counted(lambda _: None, metrics)([])
    assert "drover_admission_reviews_total{" not in metrics.page().decode()


def _started(server: Server) -> AsyncIterator[Any]:
    return server(lambda: None)
