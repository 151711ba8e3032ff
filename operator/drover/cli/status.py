"""``drover status``: whether everything is well, and what is not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeVar

import typer
from rich.markup import escape
from rich.table import Table

from drover.api.host import Host
from drover.api.meta import OPERATOR_NAMESPACE, AnyResource
from drover.api.migrationplan import MigrationPlan
from drover.api.nodepool import NodePool
from drover.api.usagerecord import UsageRecord
from drover.api.virtualmachine import VirtualMachine
from drover.cli import garbage
from drover.cli.output import Output, console
from drover.cli.server import (
    AllNamespaces,
    Context,
    ForbiddenError,
    Kubeconfig,
    OperatorNamespace,
    Server,
    carried_out,
    connected,
)
from drover.cli.wellbeing import Check, Seen, examine

SHOWN = 5
"""Details of one check for people; JSON has all."""
STYLES = {"well": "green", "wrong": "bold red", "unseen": "yellow"}

ResourceT = TypeVar("ResourceT", bound=AnyResource)


def status(
    namespace: AllNamespaces = None,
    operator_namespace: OperatorNamespace = OPERATOR_NAMESPACE,
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Say whether everything is well, and what is not.

    Ends with code 1 where something is wrong, and with code 2 where that could not be looked at.

    What you have no right to list is told as unseen, and is not wrong for that. Of a namespace it looks at the VMs,
    plans and usage records.
    """

    async def work() -> list[Check]:
        async with connected(kubeconfig, context) as server:
            return examine(await _seen(server, namespace or "", operator_namespace), datetime.now(UTC))

    with garbage.kept():
        checks = carried_out(work(), failed=2)
    wrong = [check for check in checks if check.state == "wrong"]
    if output == "json":
        typer.echo(json.dumps({"well": not wrong, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        _tell(checks, len(wrong))
    if wrong:
        raise typer.Exit(1)


async def _seen(server: Server, namespace: str, operator_namespace: str) -> Seen:
    """One list a kind, all at once."""
    unseen: dict[str, str] = {}

    async def listed(kind: type[ResourceT]) -> list[ResourceT]:
        try:
            return await server.list(kind, namespace if kind.NAMESPACED else "")
        except ForbiddenError as error:
            unseen[kind.PLURAL] = str(error)
            return []

    async def lease() -> dict[str, Any] | None:
        try:
            return await server.lease(operator_namespace)
        except ForbiddenError as error:
            unseen["operator"] = str(error)
            return None

    found = await asyncio.gather(
        lease(), listed(VirtualMachine), listed(Host), listed(NodePool), listed(MigrationPlan), listed(UsageRecord)
    )
    return Seen(found[0], vms=found[1], hosts=found[2], pools=found[3], plans=found[4], records=found[5], unseen=unseen)


def _tell(checks: list[Check], wrong: int) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for check in checks:
        table.add_row(f"[{STYLES[check.state]}]{check.state}[/]", check.about, escape(check.message))
        for detail in check.details[:SHOWN]:
            table.add_row("", "", escape(detail))
        if len(check.details) > SHOWN:
            table.add_row("", "", f"and {len(check.details) - SHOWN} more: -o json has all")
    console().print(table)
    unseen = sum(check.state == "unseen" for check in checks)
    told = f"{wrong} of {len(checks)} are not well" if wrong else "Nothing is wrong" if unseen else "Everything is well"
    typer.echo(f"{told}{f', {unseen} could not be looked at' if unseen else ''}.")
