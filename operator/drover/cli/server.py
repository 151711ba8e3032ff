"""What commands share that ask a live API server: their options, requests with typed outcomes, errors in one line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

import typer
from pydantic import ValidationError

from drover.api.invalid import fault_of
from drover.api.kinds import parse
from drover.api.meta import GROUP, AnyResource, Key
from drover.kube.api import (
    LIST_TIMEOUT,
    REQUEST_TIMEOUT,
    Api,
    ApiError,
    FatalError,
    UnansweredError,
    Unmetered,
    Verb,
    collection_of,
    path_of,
)
from drover.kube.connection import Connection
from drover.kube.lease import LEASE_NAME
from drover.kube.preflight import answering, check_kinds
from drover.observe import logs

_WORD = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAMESPACE = re.compile(rf"(?!.{{64}}){_WORD}")
_NAME = re.compile(rf"(?!.{{254}}){_WORD}(\.{_WORD})*")
"""A DNS-1123 subdomain as Kubernetes has it, which names of objects are; a namespace is a label."""


def namespace_name(given: str | None) -> str | None:
    """For options that name a namespace. Raises typer.BadParameter for what cannot be one."""
    if given is not None and _NAMESPACE.fullmatch(given) is None:
        raise typer.BadParameter(f"{given!r} is no namespace: write its name, up to 63 of a-z, 0-9 and -")
    return given


Kubeconfig = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Kubeconfig.", show_default="in a pod its service account, else $KUBECONFIG"),
]
Context = Annotated[
    str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig.", show_default="its current one")
]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        callback=namespace_name,
        help="Namespace.",
        show_default="that of the context",
    ),
]
AllNamespaces = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        callback=namespace_name,
        help="This namespace only.",
        show_default="all of them",
    ),
]
OperatorNamespace = Annotated[
    str, typer.Option(metavar="NAME", callback=namespace_name, help="Namespace of the operator, where its Lease is.")
]
VirtualMachineName = Annotated[str, typer.Argument(metavar="VM", help="Name of the VM, or vm/NAME.")]

ATTEMPTS = 10
"""Of a request that the API server puts off."""
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

    Its methods raise CommandError where the API server refuses what is asked or answers with what a newer version has
    written, FatalError where it does not answer or does not know these credentials.
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
        return _typed(kind, raw)

    async def list(self, kind: type[ResourceT], namespace: str = "", fields: str = "") -> list[ResourceT]:
        """All objects of a kind, or those of a field selector, in one request: as fresh as the API server's watch
        cache. Those that do not parse are left out, with a warning.
        """
        path = collection_of(kind.KIND, namespace)
        query = (("resourceVersion", "0"), *((("fieldSelector", fields),) if fields else ()))
        found, unknown = [], []
        for raw in (await self.request("list", kind.PLURAL, path, query=query))["items"]:
            try:
                found.append(_typed(kind, raw))
            except CommandError as error:
                unknown.append(error)
        if unknown:
            typer.echo(f"warning: {len(unknown)} {kind.PLURAL} left out: {unknown[0]}", err=True)
        return found

    async def lease(self, namespace: str) -> dict[str, Any] | None:
        """The raw Lease of the operator there; None where there is none."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        query = (("fieldSelector", f"metadata.name={LEASE_NAME}"),)
        found = (await self.request("list", "leases", path, query=query))["items"]
        return found[0] if found else None

    async def patch(self, resource: ResourceT, change: dict[str, Any]) -> ResourceT:
        """The object after a merge patch."""
        raw = await self.request("patch", resource.PLURAL, path_of(resource.key), body=change, query=WRITES)
        return _typed(type(resource), raw)

    async def create(self, kind: type[ResourceT], namespace: str, body: dict[str, Any]) -> ResourceT:
        raw = await self.request("create", kind.PLURAL, collection_of(kind.KIND, namespace), body=body, query=WRITES)
        return _typed(kind, raw)

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
                return await self._asked(verb, resource, path, body, query)
            except ApiError as error:
                if error.code == 401:
                    raise
                if error.code == 403:
                    mend = "ask for that right, or choose other credentials with --kubeconfig and --context"
                    raise ForbiddenError(f"{error.message}: {mend}") from error
                if error.code == 404:
                    await check_kinds(self.api)  # a missing CRD is told as such
                    raise NotFoundError(error.message) from error
                if error.code == 409 and verb == "create":
                    mend = f"see that one with `kubectl get {resource}`, and delete it to have it anew"
                    raise CommandError(f"{error.message}: {mend}") from error
                raise CommandError(error.message) from error

    async def _asked(
        self, verb: Verb, resource: str, path: str, body: dict[str, Any] | None, query: Iterable[tuple[str, str]]
    ) -> dict[str, Any]:
        """What the API server puts off, as it does while it starts, is asked again when it says, as kubectl does."""
        timeout = LIST_TIMEOUT if verb == "list" else REQUEST_TIMEOUT
        attempt = 1
        while True:
            try:
                return await self.api.request(verb, resource, path, body=body, query=query, timeout=timeout)
            except UnansweredError as error:
                if error.code != 429 or not error.retry_after or attempt == ATTEMPTS:
                    raise
                await asyncio.sleep(error.retry_after)
            attempt += 1


def _typed(kind: type[ResourceT], raw: dict[str, Any]) -> ResourceT:
    """Raises CommandError for what this version does not know, as a phase of a newer one."""
    try:
        return cast(ResourceT, parse({**raw, "kind": kind.KIND}))
    except ValidationError as error:
        name = "/".join(filter(None, (raw["metadata"].get("namespace"), raw["metadata"]["name"])))
        told = f"{kind.KIND} {name} does not parse ({fault_of(error)}): update kubectl-drover"
        raise CommandError(told) from error


@asynccontextmanager
async def connected(kubeconfig: str | None, context: str | None) -> AsyncIterator[Server]:
    """Raises FatalError where there are no credentials."""
    connection = Connection(kubeconfig, context)
    await connection.load()
    async with Api(connection.configuration, Unmetered(), connection.load) as api:
        yield Server(api, connection.namespace)


def carried_out(work: Coroutine[None, None, ResultT], failed: int = 1) -> ResultT:
    """The result of a command's work. What the user has to mend ends the process with one line and code ``failed``."""
    logs.configure("text", "warning")
    results: list[ResultT] = []

    async def kept() -> None:
        # Not as the task's result: asyncio.run ends with a repr of its task, half a second for 1,000 VMs.
        results.append(await work)

    try:
        asyncio.run(kept())
    except (CommandError, FatalError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(failed) from error
    return results[0]


def name_of(given: str, kind: type[AnyResource]) -> str:
    """The name in NAME or KIND/NAME. Raises CommandError for another kind, and for what is no name."""
    word, slash, name = given.rpartition("/")
    short = (*kind.SHORT_NAMES, kind.SINGULAR)[0]
    if slash and word.lower() not in (kind.SINGULAR, kind.PLURAL, *kind.SHORT_NAMES):
        raise CommandError(f"{given} is no {kind.KIND}: name one, as {short}/{name}")
    if _NAME.fullmatch(name) is None:
        raise CommandError(f"{given!r} names no {kind.KIND}: write {short}/NAME, up to 253 of a-z, 0-9, - and .")
    return name


def absent(kind: type[AnyResource], name: str, namespace: str) -> NotFoundError:
    where = f" in namespace {namespace}" if kind.NAMESPACED else ""
    everywhere = " -A" if kind.NAMESPACED else ""
    return NotFoundError(f"there is no {kind.KIND} {name}{where}: see `kubectl get {kind.PLURAL}{everywhere}`")


def title_of(resource: AnyResource) -> str:
    """As kubectl tells of an object that it has changed."""
    return f"{resource.SINGULAR}.{GROUP}/{resource.name}"
