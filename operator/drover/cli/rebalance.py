"""``drover rebalance``: moves that free hosts of a pool or even out their load, as MigrationPlans to apply."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer
import yaml
from rich.console import Console
from rich.table import Table

from drover.api.meta import API_VERSION, dump
from drover.api.migrationplan import MigrationPlan
from drover.api.nodepool import NodePool
from drover.api.quantity import human
from drover.cli.cluster import Cluster, opened
from drover.cli.server import CommandError, Context, Kubeconfig, Server, carried_out, title_of
from drover.control.rebalancing import Goal, Proposal, plans, propose

MAX_MIGRATIONS = 20
"""Unless told otherwise."""
START = """'{"spec":{"approved":true}}'"""
SHOWN = 20
"""Moves in the table for people; the plans have all."""


def rebalance(
    pool: Annotated[str, typer.Argument(metavar="POOL", help="The NodePool.")],
    goal: Annotated[
        Goal | None,
        typer.Option(help="pack: free hosts. balance: load hosts alike.", show_default="the pool's strategy"),
    ] = None,
    max_migrations: Annotated[int, typer.Option(min=1, help="Move at most so many VMs.")] = MAX_MIGRATIONS,
    improve: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Seek a better packing with CP-SAT (OR-Tools) for so long.")
    ] = 0,
    apply: Annotated[bool, typer.Option("--apply", help="Create the plans instead of printing them.")] = False,
    output: Annotated[
        Literal["yaml", "json"], typer.Option("--output", "-o", help="The plans as documents, or as a List.")
    ] = "yaml",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Propose live migrations within a pool that never make it worse, as plans that wait to be started.

    The plans go to stdout, for `kubectl apply -f -`; what they bring is told on stderr.
    """

    async def work() -> None:
        async with opened(kubeconfig, context) as cluster:
            proposal = _proposal(cluster, pool, goal, max_migrations, improve)
            proposed = plans(proposal)
            _tell(proposal, Console(stderr=True, highlight=False))
            if apply:
                await _create(cluster.server, proposed, quiet=output == "json")
            if output == "json":
                told = {"apiVersion": "v1", "kind": "List", "items": [_manifest(plan) for plan in proposed]}
                typer.echo(json.dumps(told, indent=2))
            elif proposed and not apply:
                typer.echo(yaml.safe_dump_all(map(_manifest, proposed), sort_keys=False), nl=False)
            _tell_how_to_start(proposed)

    carried_out(work())


def _proposal(cluster: Cluster, name: str, goal: Goal | None, budget: int, effort: float) -> Proposal:
    pool = cluster.world.pool(name)
    if pool is None:
        raise CommandError(f"there is no NodePool {name}: see `kubectl get npool`")
    goal = goal or _own_goal(pool)
    if effort and goal != "pack":
        raise CommandError("--improve seeks a better packing: give it with --goal pack")
    try:
        return propose(name, goal, cluster.world, budget, effort)
    except ModuleNotFoundError as error:
        raise CommandError(f"{error}; or leave out --improve") from error


def _own_goal(pool: NodePool) -> Goal:
    return "pack" if pool.spec.placement.strategy == "Pack" else "balance"


def _manifest(plan: MigrationPlan) -> dict[str, Any]:
    """As a user would write it."""
    return {"apiVersion": API_VERSION, "kind": plan.KIND, **dump(plan, unset=False)}


async def _create(server: Server, proposed: Sequence[MigrationPlan], *, quiet: bool) -> None:
    for plan in proposed:
        created = await server.create(MigrationPlan, plan.namespace, _manifest(plan))
        typer.echo(f"{title_of(created)} created in namespace {plan.namespace}", err=quiet)


def _tell(proposal: Proposal, console: Console) -> None:
    before, after = proposal.before, proposal.after
    if not proposal.moves:
        console.print(f"Nothing to move: no way was found to {proposal.goal} pool {proposal.pool} any better.")
    table = Table("", title=f"{proposal.goal} {proposal.pool}", title_justify="left")
    for name in ("Before", "After"):
        table.add_column(name, justify="right")
    table.add_row("Hosts in use", str(before.hosts_in_use), str(after.hosts_in_use))
    table.add_row("Variation of load", f"{before.variation:.4f}", f"{after.variation:.4f}")
    table.add_row("Migrations", "", str(len(proposal.moves)))
    table.add_row("To be sent", "", human(proposal.transfer_bytes))
    console.print(table)
    for move in proposal.moves[:SHOWN]:
        console.print(f"{move.vm.namespace}/{move.vm.name}: {move.source} > {move.target}", soft_wrap=True)
    if len(proposal.moves) > SHOWN:
        console.print(f"and {len(proposal.moves) - SHOWN} more")
    for reason, count in sorted(proposal.stays.items()):
        console.print(f"{count} VM{'s' if count > 1 else ''} left alone: {reason}", soft_wrap=True)


def _tell_how_to_start(proposed: Sequence[MigrationPlan]) -> None:
    for plan in proposed:
        patch = f"kubectl patch mplan {plan.name} -n {plan.namespace} --type=merge -p {START}"
        typer.echo(f"The plan waits for approval; to start it once it is there: {patch}", err=True)
