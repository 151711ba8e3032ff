"""``drover explain``: why a VM is where it is, where it would be placed now, or why nowhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drover.api.invalid import fault_of
from drover.api.kinds import WATCHED, parse
from drover.api.meta import AnyResource, dump
from drover.api.virtualmachine import HostScore, PlacementDecision, VirtualMachine
from drover.cli.cluster import opened
from drover.cli.manifests import Manifest, ManifestError, read
from drover.cli.output import Output, console
from drover.cli.server import CommandError, Context, Kubeconfig, Namespace, carried_out
from drover.control.explaining import Explanation, supposed
from drover.control.explaining import explain as explain_vm
from drover.control.world import World


def explain(
    virtual_machine: Annotated[str | None, typer.Argument(metavar="vm/NAME", help="The VM.")] = None,
    filename: Annotated[
        Path | None,
        typer.Option("--filename", "-f", help="Explain the VMs of a manifest as if it had been applied; - is stdin."),
    ] = None,
    namespace: Namespace = None,
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Say why a VM is where it is, or why it waits, and where it would be placed now. Changes nothing."""
    if (virtual_machine is None) == (filename is None):
        raise typer.BadParameter("name one VM as vm/NAME, or a manifest with -f FILE")

    async def answer() -> list[Explanation]:
        raws = _read(filename) if filename is not None else []
        async with opened(kubeconfig, context) as cluster:
            if filename is not None:
                return _of_manifests(filename, raws, namespace or cluster.server.namespace, cluster.world)
            return [explain_vm(cluster.vm(str(virtual_machine), namespace), cluster.world, datetime.now(UTC))]

    told = carried_out(answer())
    if output == "json":
        as_json = [_json(explanation) for explanation in told]
        typer.echo(json.dumps(as_json if filename is not None else as_json[0], indent=2))
    else:
        for explanation in told:
            _tell(explanation, console())


# Manifests that are not applied


def _read(path: Path) -> list[Manifest]:
    """What the operator watches, of what is in the file. Raises CommandError."""
    try:
        raws = list(read(Path("/dev/stdin") if str(path) == "-" else path))
    except ManifestError as error:
        raise CommandError(str(error)) from error
    known = [raw for raw in raws if raw["kind"] in WATCHED]
    watched = [raw for raw in known if raw.get("apiVersion") == WATCHED[raw["kind"]].api_version()]
    if all(raw["kind"] != VirtualMachine.KIND for raw in watched):
        raise CommandError(f"no VirtualMachine in {path}: name a manifest with at least one")
    return watched


def _of_manifests(path: Path, raws: Sequence[Manifest], namespace: str, world: World) -> list[Explanation]:
    """Everything in the file is supposed to be there before the first VM is explained."""
    now = datetime.now(UTC)
    resources = [_typed(path, raw, namespace) for raw in raws]
    for resource in resources:
        world.observe(supposed(resource, world, now))
    vms = [world.get(VirtualMachine, vm.namespace, vm.name) for vm in resources if isinstance(vm, VirtualMachine)]
    return [explain_vm(vm, world, now) for vm in vms if vm is not None]


def _typed(path: Path, raw: Manifest, namespace: str) -> AnyResource:
    kind = WATCHED[raw["kind"]]
    metadata = {**({"namespace": namespace} if kind.NAMESPACED else {}), **raw["metadata"]}
    try:
        return parse({**raw, "metadata": metadata, "status": {}})
    except ValidationError as error:
        raise CommandError(f"{path}: {kind.KIND} {metadata.get('name', '')}: {fault_of(error)}") from error


# JSON


def _json(explanation: Explanation) -> dict[str, Any]:
    vm = explanation.vm
    return {
        "virtualMachine": f"{vm.namespace}/{vm.name}",
        "phase": vm.status.phase,
        "hostName": vm.status.host_name,
        "nodePoolName": vm.status.node_pool_name,
        "priority": explanation.priority,
        "recorded": {"message": explanation.recorded, "placement": _placement(vm.status.placement)},
        "now": {
            "missing": explanation.missing,
            "message": explanation.message,
            "placement": _placement(explanation.now),
        },
    }


def _placement(decision: PlacementDecision | None) -> dict[str, Any] | None:
    return dump(decision) if decision is not None else None


# Text


def _tell(explanation: Explanation, console: Console) -> None:
    vm, recorded = explanation.vm, explanation.vm.status.placement
    where = f"on {vm.status.host_name} of pool {vm.status.node_pool_name}" if vm.status.host_name else "on no host"
    phase = vm.status.phase or "not seen by the operator yet"
    console.print(f"[bold]{vm.namespace}/{vm.name}[/]: {phase}, {where}, priority {explanation.priority}")
    if recorded is not None:
        console.print(f"\n[bold]Recorded {recorded.decided_at:%Y-%m-%dT%H:%M:%SZ}[/]: {_what(recorded)}")
        if recorded.host_name and vm.status.host_name and recorded.host_name != vm.status.host_name:
            console.print(f"It has been moved to {vm.status.host_name} since.")
        _decision(recorded, vm.status.host_name, console)
    elif explanation.recorded:
        console.print(f"\n[bold]Recorded[/]: {escape(explanation.recorded)}")
    console.print("\n[bold]If it were placed now[/]: " + escape(explanation.message or "its size is not known"))
    if explanation.missing:
        console.print(f"[yellow]But first[/]: {escape(explanation.missing)}")
    if explanation.now is not None:
        _decision(explanation.now, vm.status.host_name, console)
    console.print()


def _what(decision: PlacementDecision) -> str:
    if decision.host_name:
        return f"on {decision.host_name}, score {decision.score or 0:.2f}"
    return f"0/{decision.evaluated} hosts available"


def _decision(decision: PlacementDecision, here: str | None, console: Console) -> None:
    if decision.host_name:
        weights = ", ".join(f"{name} {weight}" for name, weight in decision.weights.items() if weight)
        console.print(f"Profile {decision.strategy} ({weights}): {decision.feasible} of {decision.evaluated} hosts fit")
        console.print(_hosts(decision.top_hosts, here))
        return
    if decision.rejections:
        console.print(_rejections(decision))
    for change in decision.would_fit_if:
        console.print(f"It would fit: {escape(change)}")
    if decision.nominated_host_name:
        console.print(f"To make room on {decision.nominated_host_name} it stops: {', '.join(decision.preempts)}")


def _hosts(top: Sequence[HostScore], here: str | None) -> Table:
    """The best hosts with what their scores are the sums of."""
    parts = sorted({name for host in top for name in host.parts})
    table = Table("Host")
    for name in ("Score", *parts):
        table.add_column(name, justify="right")
    for host in top:
        name = f"{host.host} (is here)" if host.host == here else host.host
        table.add_row(name, f"{host.score:.4f}", *(f"{host.parts.get(part, 0.0):.4f}" for part in parts))
    return table


def _rejections(decision: PlacementDecision) -> Table:
    """Each host once, under the first rule it fails."""
    table = Table("Rejected for", show_footer=True)
    table.columns[0].footer = "all hosts looked at"
    table.add_column("Hosts", footer=str(decision.evaluated), justify="right")
    for reason, count in sorted(decision.rejections.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(escape(reason), str(count))
    return table
