"""``drover events``: what has happened to a VM, its migrations included, oldest first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from drover.api.virtualmachine import VirtualMachine
from drover.cli.server import (
    Context,
    Kubeconfig,
    Namespace,
    Output,
    VirtualMachineName,
    carried_out,
    connected,
    console,
    name_of,
)

UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


@dataclass(frozen=True, slots=True)
class Told:
    """One event."""

    first: str
    """RFC 3339, as ``last``."""
    last: str
    count: int
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
    """Tell what has happened to a VM, oldest first. Kubernetes keeps events for an hour unless told otherwise."""

    async def work() -> list[Told]:
        async with connected(kubeconfig, context) as server:
            name, here = name_of(vm, VirtualMachine), namespace or server.namespace
            about = f"involvedObject.kind={VirtualMachine.KIND},involvedObject.name={name}"
            path = f"/api/v1/namespaces/{here}/events"
            found = in_order((await server.request("list", "events", path, query=(("fieldSelector", about),)))["items"])
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


def in_order(raws: Iterable[Mapping[str, Any]]) -> list[Told]:
    """Raw Events, oldest first; in one second in the order in which they were first told."""
    told = [
        Told(
            first=str(raw.get("firstTimestamp") or raw.get("eventTime") or ""),
            last=str(raw.get("lastTimestamp") or raw.get("eventTime") or ""),
            count=int(raw.get("count") or 1),
            type=str(raw.get("type") or "Normal"),
            reason=str(raw.get("reason") or ""),
            message=str(raw.get("message") or ""),
        )
        for raw in sorted(raws, key=_version)
    ]
    return sorted(told, key=lambda event: (event.last, event.first))


def _version(raw: Mapping[str, Any]) -> int:
    return int(raw["metadata"].get("resourceVersion") or 0)


def age(text: str, now: datetime) -> str:
    """``42s``, ``3m``, ``5h``, ``2d`` since an RFC 3339 instant; ``-`` for none."""
    if not text:
        return "-"
    seconds = max(0, int((now - datetime.fromisoformat(text)).total_seconds()))
    unit, size = next(((unit, size) for unit, size in UNITS if seconds >= 2 * size), ("s", 1))
    return f"{seconds // size}{unit}"


def _table(told: Iterable[Told], now: datetime) -> Table:
    table = Table("Last seen", "Type", "Reason", "Message", box=None, padding=(0, 2, 0, 0))
    for event in told:
        style = "yellow" if event.type == "Warning" else ""
        often = f" (x{event.count} over {age(event.first, now)})" if event.count > 1 else ""
        table.add_row(age(event.last, now) + often, event.type, event.reason, escape(event.message), style=style)
    return table
