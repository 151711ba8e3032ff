"""A request whose token has expired is sent once more with a token read anew."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from drover.kube.api import Api, ApiError, FatalError, UnansweredError, Unmetered
from drover.observe.health import serving

VALID = "Bearer valid"


class Server:
    """Answers those who have the valid token, and counts."""

    def __init__(self) -> None:
        self.url = ""
        self.accepted = self.refused = 0

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") == VALID:
            self.accepted += 1
            return web.json_response({})
        self.refused += 1
        return web.json_response({"message": "Unauthorized"}, status=401)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_get("/x", server.answer)
    async with serving(app, "127.0.0.1", 0) as server.url:
        yield server


def configured(server: Server) -> Configuration:
    configuration: Configuration = type.__call__(Configuration)
    configuration.host = server.url
    configuration.api_key["BearerToken"] = "Bearer old"
    return configuration


async def test_requests_that_are_refused_together_renew_the_token_once(server: Server) -> None:
    configuration = configured(server)
    renewed = 0

    async def renew() -> None:
        nonlocal renewed
        renewed += 1
        await asyncio.sleep(0.05)
        configuration.api_key["BearerToken"] = VALID

    async with Api(configuration, Unmetered(), renew) as api:
        await asyncio.gather(*(api.request("get", "x", "/x") for _ in range(5)))
    assert (renewed, server.refused, server.accepted) == (1, 5, 5)


async def test_a_token_that_stays_refused_is_an_error_and_not_tried_for_ever(server: Server) -> None:
    async def renew() -> None:
        pass

    async with Api(configured(server), Unmetered(), renew) as api:
        with pytest.raises(ApiError, match="401: Unauthorized"):
            await api.request("get", "x", "/x")
    assert (server.refused, server.accepted) == (2, 0)


@pytest.mark.parametrize(
    ("given", "seconds"), [("2", 2.0), ("86400", 60.0), ("\N{SUPERSCRIPT TWO}", 0.0), ("soon", 0.0)]
)
async def test_the_server_may_put_a_request_off_for_a_minute(given: str, seconds: float) -> None:
    async def busy(_: web.Request) -> web.Response:
        return web.json_response({"message": "busy"}, status=429, headers={"Retry-After": given})

    app = web.Application()
    app.router.add_get("/x", busy)
    server = Server()
    async with serving(app, "127.0.0.1", 0) as server.url, Api(configured(server), Unmetered()) as api:
        with pytest.raises(UnansweredError, match="429: busy") as unanswered:
            await api.request("get", "x", "/x")
    assert unanswered.value.retry_after == seconds


async def test_a_certificate_that_is_none_is_told_with_its_mend(server: Server, tmp_path: Path) -> None:
    configuration = configured(server)
    configuration.cert_file = str(tmp_path / "client.crt")
    (tmp_path / "client.crt").write_text("none")
    with pytest.raises(FatalError, match="no usable certificates for http") as failed:
        Api(configuration, Unmetered())
    assert str(failed.value).endswith(": renew those of the kubeconfig")
