"""What an API server answers that this version does not know is a line, and no end of a list."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from cliobjects import SPECS, Wire
from kubernetes.aio.client.configuration import Configuration

from drover.api.meta import API_VERSION, Key
from drover.api.virtualmachine import VirtualMachine
from drover.cli.server import CommandError, Server
from drover.kube.api import Api, FatalError, Unmetered, path_of
from drover.observe.health import serving

PATH = f"/apis/{API_VERSION}/namespaces/shop/virtualmachines"


def raw(name: str, phase: str = "Running") -> Wire:
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "resourceVersion": "1"}
    return {"metadata": metadata, "spec": SPECS["VirtualMachine"], "status": {"phase": phase}}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    put_off = iter([web.Response(status=429, headers={"Retry-After": "1"})])

    async def late(_: web.Request) -> web.Response:
        return next(put_off, None) or web.json_response(raw("late"))

    async def one(request: web.Request) -> web.Response:
        return web.json_response(raw(request.match_info["name"], "Hibernated"))

    async def some(_: web.Request) -> web.Response:
        return web.json_response({"items": [raw("a"), raw("b", "Hibernated"), raw("c", "Hibernated")]})

    async def create(request: web.Request) -> web.Response:
        code = int((await request.json())["metadata"]["name"])
        return web.json_response({"message": "no"} if code > 299 else raw("d", "Hibernated"), status=code)

    app = web.Application()
    app.router.add_get(PATH, some)
    app.router.add_post(PATH, create)
    app.router.add_get(f"{PATH}/late", late)
    app.router.add_route("*", f"{PATH}/{{name}}", one)
    configuration: Configuration = type.__call__(Configuration)
    async with serving(app, "127.0.0.1", 0) as configuration.host, Api(configuration, Unmetered()) as api:
        yield Server(api, "shop")


async def test_a_list_leaves_out_what_does_not_parse_with_one_warning(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [vm.name for vm in await server.list(VirtualMachine, "shop")] == ["a"]
    (line,) = capsys.readouterr().err.splitlines()
    told = "warning: 2 virtualmachines left out: VirtualMachine shop/b does not parse (status.phase: "
    assert line.startswith(told)
    assert line.endswith("): update kubectl-drover")


async def test_what_the_api_server_puts_off_is_asked_again_when_it_says(server: Server) -> None:
    assert (await server.get(VirtualMachine, "late", "shop")).name == "late"


async def test_an_object_that_does_not_parse_is_an_error_with_its_field(server: Server) -> None:
    known = (await server.list(VirtualMachine, "shop"))[0]
    for asked in (
        server.get(VirtualMachine, "b", "shop"),
        server.patch(known, {}),
        server.create(VirtualMachine, "shop", {"metadata": {"name": "201"}}),
    ):
        with pytest.raises(CommandError, match=r"does not parse \(status.phase: .*\): update kubectl-drover"):
            await asked


@pytest.mark.parametrize(
    ("code", "error", "told"),
    [
        (403, CommandError, "no: ask for that right, or choose other credentials with --kubeconfig and --context"),
        (409, CommandError, "no: see that one with `kubectl get virtualmachines`, and delete it to have it anew"),
        (422, CommandError, "no"),
        (429, FatalError, "answers with an error (429: no): try again, and see to what it names, or choose"),
        (500, FatalError, "answers with an error (500: no): try again, and see to what it names, or choose"),
    ],
)
async def test_a_refusal_is_told_with_its_mend(server: Server, code: int, error: type[Exception], told: str) -> None:
    with pytest.raises(error) as refused:
        await server.create(VirtualMachine, "shop", {"metadata": {"name": str(code)}})
    assert told in str(refused.value)


def test_a_name_is_one_segment_of_a_url_whatever_is_in_it() -> None:
    assert path_of(Key("VirtualMachine", "shop", "a")) == f"{PATH}/a"
    assert path_of(Key("VirtualMachine", "sh/op", "a/b?c")) == f"{PATH.replace('shop', 'sh%2Fop')}/a%2Fb%3Fc"
