"""``drover migrate``: one VM moved live, the estimate first."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from drover.api.meta import OPERATOR_NAMESPACE, dump
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.cli.cluster import Cluster, opened
from drover.cli.following import follow, leaderless
from drover.cli.moving import Estimated, ending, estimated, forecast, manifest_of, step_of
from drover.cli.output import Output
from drover.cli.server import (
    Context,
    Kubeconfig,
    Namespace,
    OperatorNamespace,
    Server,
    VirtualMachineName,
    carried_out,
    title_of,
)


def migrate(
    vm: VirtualMachineName,
    to: Annotated[
        str | None, typer.Option(metavar="HOST", help="The target.", show_default="placement chooses it")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The MigrationPolicy.", show_default="the most specific that matches the VM"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell the estimate, and move nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end; code 1 if the VM stays.")] = False,
    namespace: Namespace = None,
    operator_namespace: OperatorNamespace = OPERATOR_NAMESPACE,
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Move a VM live: tell what it will take, create the migration, and follow it if asked to.

    Times are model seconds, of which a pool may run several in one of yours. Ctrl-C ends the waiting, not the move.
    """
    if dry_run and wait:
        raise typer.BadParameter("--dry-run moves nothing that --wait could wait for: leave one out")

    async def work() -> None:
        async with opened(kubeconfig, context) as cluster:
            move = estimated(cluster.vm(vm, namespace), to, policy, cluster.world, datetime.now(UTC))
            if output == "text":
                typer.echo("\n".join(forecast(move)))
            migration = None if dry_run else await _created(cluster, move, to, policy)
            if migration is not None and output == "text":
                typer.echo(f"{title_of(migration)} created")
            if migration is not None and wait:
                migration = await _followed(cluster.server, migration, operator_namespace)
            if output == "json":
                typer.echo(json.dumps(_json(move, migration), indent=2))
            if migration is not None and wait:
                told = ending(migration)  # one that did not move is an error
                if output == "text":
                    typer.echo(told)

    carried_out(work())


async def _created(cluster: Cluster, move: Estimated, to: str | None, policy: str | None) -> VirtualMachineMigration:
    return await cluster.server.create(VirtualMachineMigration, move.vm.namespace, manifest_of(move, to, policy))


async def _followed(
    server: Server, migration: VirtualMachineMigration, operator_namespace: str
) -> VirtualMachineMigration:
    async def look() -> VirtualMachineMigration:
        return await server.get(VirtualMachineMigration, migration.name, migration.namespace)

    return await follow(look, step_of, lambda: leaderless(server, operator_namespace))


def _json(move: Estimated, migration: VirtualMachineMigration | None) -> dict[str, Any]:
    """``migration`` is as it was looked at last: with --wait, at its end."""
    return {
        "virtualMachine": f"{move.vm.namespace}/{move.vm.name}",
        "source": move.vm.status.host_name,
        "target": move.target,
        "estimate": dump(move.estimate),
        "migration": None
        if migration is None
        else {
            "name": migration.name,
            "phase": migration.status.phase,
            "failureReason": migration.status.failure_reason,
            "result": dump(migration.status.result) if migration.status.result is not None else None,
        },
    }
