"""What commands share that ask a live API server: their options, requests with typed outcomes, errors in one line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, cast

import typer
from rich.console import Console

from drover.api.kinds import parse
from drover.api.meta import GROUP, AnyResource, Key
from drover.kube.api import Api, ApiError, FatalError, Unmetered, Verb, collection_of, path_of
from drover.kube.connection import Connection
from drover.kube.preflight import answering, check_kinds
from drover.observe import logs

Kubeconfig = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Kubeconfig.", show_default="in a pod its service account, else $KUBECONFIG"),
]
Context = Annotated[
    str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig.", show_default="its current one")
]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", metavar="NAME", help="Namespace.", show_default="that of the context"),
]
AllNamespaces = Annotated[
    str | None,
    typer.Option("--namespace", "-n", metavar="NAME", help="This namespace only.", show_default="all of them"),
]
Output = Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="text for people, json for programs.")]
VirtualMachineName = Annotated[str, typer.Argument(metavar="VM", help="Name of the VM, or vm/NAME.")]

WIDE = 160
"""Columns where there is no terminal to measure."""
WRITES = (("fieldManager", "kubectl-drover"), ("fieldValidation", "Strict"))

ResultT = TypeVar("ResultT")
ResourceT = TypeVar("ResourceT", bound=AnyResource)


class CommandError(Exception):
    """What the user has to mend, in one line."""


class ForbiddenError(CommandError):
    """These credentials have no right to it."""


class NotFoundError(CommandError):
    """There is no such object."""


@dataclass(frozen=True, slots=True)
class Server:
    """An API server, and the namespace that counts where none is named.

    Its methods raise CommandError where the API server refuses what is asked, FatalError where it does not answer or
    does not know these credentials.
    """

    api: Api
    namespace: str

    async def get(self, kind: type[ResourceT], name: str, namespace: str = "") -> ResourceT:
        """The object as it is now. Raises NotFoundError."""
        key = Key(kind.KIND, namespace if kind.NAMESPACED else "", name)
        try:
            raw = await self.request("get", kind.PLURAL, path_of(key))
        except NotFoundError as error:
            raise absent(kind, name, namespace) from error
        return cast(ResourceT, parse({**raw, "kind": kind.KIND}))

    async def list(self, kind: type[ResourceT], namespace: str = "") -> list[ResourceT]:
        """All objects of a kind, in one request: as fresh as the API server's watch cache."""
        path = collection_of(kind.KIND, namespace)
        raws = (await self.request("list", kind.PLURAL, path, query=(("resourceVersion", "0"),)))["items"]
        return [cast(ResourceT, parse({**raw, "kind": kind.KIND})) for raw in raws]

    async def patch(self, resource: ResourceT, change: dict[str, Any]) -> ResourceT:
        """The object after a merge patch."""
        raw = await self.request("patch", resource.PLURAL, path_of(resource.key), body=change, query=WRITES)
        return cast(ResourceT, parse({**raw, "kind": resource.KIND}))

    async def create(self, kind: type[ResourceT], namespace: str, body: dict[str, Any]) -> ResourceT:
        raw = await self.request("create", kind.PLURAL, collection_of(kind.KIND, namespace), body=body, query=WRITES)
        return cast(ResourceT, parse({**raw, "kind": kind.KIND}))

    async def request(
        self,
        verb: Verb,
        resource: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        query: Iterable[tuple[str, str]] = (),
    ) -> dict[str, Any]:
        with answering(self.api):
            try:
                return await self.api.request(verb, resource, path, body=body, query=query)
            except ApiError as error:
                if error.code == 401:
                    raise
                if error.code == 403:
                    mend = "ask for that right, or choose other credentials with --kubeconfig and --context"
                    raise ForbiddenError(f"{error.message}: {mend}") from error
                if error.code == 404:
                    await check_kinds(self.api)  # a missing CRD is told as such
                    raise NotFoundError(error.message) from error
                raise CommandError(error.message) from error


@asynccontextmanager
async def connected(kubeconfig: str | None, context: str | None) -> AsyncIterator[Server]:
    """Raises FatalError where there are no credentials."""
    connection = Connection(kubeconfig, context)
    await connection.load()
    async with Api(connection.configuration, Unmetered(), connection.load) as api:
        yield Server(api, connection.namespace())


def carried_out(work: Coroutine[None, None, ResultT]) -> ResultT:
    """The result of a command's work. What the user has to mend ends the process with one line and code 1."""
    logs.configure("text", "warning")
    results: list[ResultT] = []

    async def kept() -> None:
        # Not as the task's result: asyncio.run ends with a repr of its task, half a second for 1,000 VMs.
        results.append(await work)

    try:
        asyncio.run(kept())
    except (CommandError, FatalError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    return results[0]


def name_of(given: str, kind: type[AnyResource]) -> str:
    """The name in NAME or KIND/NAME. Raises CommandError for another kind."""
    word, slash, name = given.rpartition("/")
    if slash and word.lower() not in (kind.SINGULAR, kind.PLURAL, *kind.SHORT_NAMES):
        raise CommandError(f"{given} is no {kind.KIND}: name one, as {(*kind.SHORT_NAMES, kind.SINGULAR)[0]}/{name}")
    return name


def absent(kind: type[AnyResource], name: str, namespace: str) -> NotFoundError:
    where = f" in namespace {namespace}" if kind.NAMESPACED else ""
    everywhere = " -A" if kind.NAMESPACED else ""
    return NotFoundError(f"there is no {kind.KIND} {name}{where}: see `kubectl get {kind.PLURAL}{everywhere}`")


def title_of(resource: AnyResource) -> str:
    """As kubectl tells of an object that it has changed."""
    return f"{resource.SINGULAR}.{GROUP}/{resource.name}"


def console() -> Console:
    """Tables on stdout, as wide as the terminal."""
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
