"""The whole cluster as the operator sees it, for commands that place and plan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rich.console import Console

from drover.api.kinds import CURRENT
from drover.api.virtualmachine import VirtualMachine
from drover.cli.server import Server, absent, connected, name_of
from drover.control.world import World
from drover.kube.snapshot import load
from drover.observe.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Cluster:
    """An API server, and what it holds."""

    server: Server
    world: World

    def vm(self, given: str, namespace: str | None) -> VirtualMachine:
        """Named as NAME or vm/NAME. Raises CommandError where there is none."""
        here, name = namespace or self.server.namespace, name_of(given, VirtualMachine)
        found = self.world.get(VirtualMachine, here, name)
        if found is None:
            raise absent(VirtualMachine, name, here)
        return found


@asynccontextmanager
async def opened(
    kubeconfig: str | None, context: str | None, kinds: Iterable[str] = CURRENT, namespace: str = ""
) -> AsyncIterator[Cluster]:
    """Reads what planning looks at, or these kinds, everywhere or in one namespace. Raises FatalError where that cannot
    be done.
    """
    async with connected(kubeconfig, context) as server:
        with Console(stderr=True).status("reading the cluster"):
            world = await load(server.api, Metrics(), kinds, namespace)
        yield Cluster(server, world)
