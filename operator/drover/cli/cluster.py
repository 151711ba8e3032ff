"""The whole cluster as the operator sees it, for commands that place and plan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rich.console import Console

from drover.api.kinds import WATCHED
from drover.cli.server import Server, connected
from drover.control.world import World
from drover.kube.api import Api
from drover.kube.snapshot import load
from drover.observe.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Cluster:
    """An API server, what it holds, and the namespace that counts where none is named."""

    server: Server
    world: World

    @property
    def api(self) -> Api:
        return self.server.api

    @property
    def namespace(self) -> str:
        return self.server.namespace


@asynccontextmanager
async def opened(
    kubeconfig: str | None, context: str | None, kinds: Iterable[str] = WATCHED, namespace: str = ""
) -> AsyncIterator[Cluster]:
    """Reads the whole cluster, or these kinds, or one namespace. Raises FatalError where that cannot be done."""
    async with connected(kubeconfig, context) as server:
        with Console(stderr=True).status("reading the cluster"):
            world = await load(server.api, Metrics(), kinds, namespace)
        yield Cluster(server, world)
