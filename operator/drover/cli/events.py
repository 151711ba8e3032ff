"""``drover events``: what has happened to a VM, its migrations included, oldest first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import typer
from rich.markup import escape
from rich.table import Table

from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.cli.output import Output, console
from drover.cli.server import (
    Context,
    ForbiddenError,
    Kubeconfig,
    Namespace,
    Server,
    VirtualMachineName,
    carried_out,
    connected,
    name_of,
)

Raw = Mapping[str, Any]
UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


@dataclass(frozen=True, slots=True)
class Told:
    """One event."""

    first: str
    """RFC 3339, as ``last``."""
    last: str
    count: int
    about: str
    """The object, as VirtualMachine/web-1."""
    type: str
    reason: str
    message: str


def events(
    vm: VirtualMachineName,
    namespace: Namespace = None,
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Tell what has happened to a VM and in its migrations, oldest first.

    Kubernetes keeps events for an hour unless told otherwise.
    """

    async def work() -> list[Told]:
        async with connected(kubeconfig, context) as server:
            name, here = name_of(vm, VirtualMachine), namespace or server.namespace
            own = await _about(server, here, f"involvedObject.kind={VirtualMachine.KIND},involvedObject.name={name}")
            found = in_order([*own, *await _of_migrations(server, here, name)])
            if not found:
                await server.get(VirtualMachine, name, here)  # one that is not there is an error
            return found

    told = carried_out(work())
    if output == "json":
        typer.echo(json.dumps([asdict(event) for event in told], indent=2))
    elif told:
        console().print(_table(told, datetime.now(UTC)))
    else:
        typer.echo("no events, or they have expired: see `kubectl drover explain` for how it is", err=True)


async def _of_migrations(server: Server, namespace: str, vm: str) -> list[Raw]:
    """Those of the migrations that are still there; none, with a warning, without the right to list migrations."""
    kind = VirtualMachineMigration
    try:
        migrations = await server.list(kind, namespace, f"spec.virtualMachineName={vm}")
    except ForbiddenError as error:
        typer.echo(f"warning: without the events of its migrations: {error}", err=True)
        return []
    names = {migration.name for migration in migrations}
    told = await _about(server, namespace, f"involvedObject.kind={kind.KIND}") if names else []
    return [raw for raw in told if raw["involvedObject"]["name"] in names]


async def _about(server: Server, namespace: str, selector: str) -> list[Raw]:
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/events"
    found: list[Raw] = (await server.request("list", "events", path, query=(("fieldSelector", selector),)))["items"]
    return found


def in_order(raws: Iterable[Raw]) -> list[Told]:
    """Raw Events, oldest first; in one second in the order in which they were first told."""
    told = [
        Told(
            first=str(raw.get("firstTimestamp") or raw.get("eventTime") or ""),
            last=str(raw.get("lastTimestamp") or raw.get("eventTime") or ""),
            count=int(raw.get("count") or 1),
            about="{kind}/{name}".format_map(raw["involvedObject"]),
            type=str(raw.get("type") or "Normal"),
            reason=str(raw.get("reason") or ""),
            message=str(raw.get("message") or ""),
        )
        for raw in sorted(raws, key=_version)
    ]
    return sorted(told, key=lambda event: (event.last, event.first))


def _version(raw: Raw) -> int:
    return int(raw["metadata"].get("resourceVersion") or 0)


def age(text: str, now: datetime) -> str:
    """``42s``, ``3m``, ``5h``, ``2d`` since an RFC 3339 instant; ``-`` for none."""
    if not text:
        return "-"
    seconds = max(0, int((now - datetime.fromisoformat(text)).total_seconds()))
    unit, size = next(((unit, size) for unit, size in UNITS if seconds >= 2 * size), ("s", 1))
    return f"{seconds // size}{unit}"


def _table(told: Iterable[Told], now: datetime) -> Table:
    table = Table("Last seen", "Type", "Reason", "Object", "Message", box=None, padding=(0, 2, 0, 0))
    for event in told:
        style = "yellow" if event.type == "Warning" else ""
        often = f" (x{event.count} over {age(event.first, now)})" if event.count > 1 else ""
        table.add_row(
            age(event.last, now) + often, event.type, event.reason, event.about, escape(event.message), style=style
        )
    return table
