"""What commands that look at a live cluster share: their options, the cluster itself, and errors in one line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from drover.api.kinds import WATCHED
from drover.control.world import World
from drover.kube.api import Api, FatalError
from drover.kube.connection import Connection
from drover.kube.snapshot import load
from drover.observe import logs
from drover.observe.metrics import Metrics

Kubeconfig = Annotated[str | None, typer.Option(help="Kubeconfig file; in a pod its service account, else KUBECONFIG.")]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig; its current one.")]

ResultT = TypeVar("ResultT")


class CommandError(Exception):
    """What the user has to mend, in one line."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """An API server, what it holds, and the namespace that counts where none is named."""

    api: Api
    world: World
    namespace: str


@asynccontextmanager
async def opened(
    kubeconfig: str | None, context: str | None, kinds: Iterable[str] = WATCHED, namespace: str = ""
) -> AsyncIterator[Cluster]:
    """Reads the whole cluster, or these kinds, or one namespace. Raises FatalError where that cannot be done."""
    connection = Connection(kubeconfig, context)
    await connection.load()
    metrics = Metrics()
    async with Api(connection.configuration, metrics) as api:
        with Console(stderr=True).status("reading the cluster"):
            world = await load(api, metrics, kinds, namespace)
        yield Cluster(api, world, connection.namespace())


def carried_out(work: Coroutine[None, None, ResultT]) -> ResultT:
    """The result of a command's work. What the user has to mend ends the process with one line and code 1."""
    logs.configure("text", "warning")
    try:
        return asyncio.run(work)
    except (CommandError, FatalError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
