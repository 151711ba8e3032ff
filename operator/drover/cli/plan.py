"""``drover plan show|approve|pause|resume|cancel``: a MigrationPlan, and what a user may ask of it."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drover.api.kinds import manifest
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import PlanEstimate, PlanMigration
from drover.api.quantity import human
from drover.cli.output import Output, console
from drover.cli.server import (
    CommandError,
    Context,
    Kubeconfig,
    Namespace,
    carried_out,
    connected,
    name_of,
    title_of,
)

Verb = Literal["approve", "pause", "resume", "cancel"]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the plan, or mplan/NAME.")]
SHOWN = 40
"""VMs in the table for people; JSON has all."""

plan = typer.Typer(help="Show a migration plan, or steer it.", no_args_is_help=True, add_completion=False)


@plan.command()
def show(
    name: Name,
    namespace: Namespace = None,
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show a plan: where it stands, what was predicted, what it took, and each VM."""

    async def work() -> MigrationPlan:
        async with connected(kubeconfig, context) as server:
            return await server.get(MigrationPlan, name_of(name, MigrationPlan), namespace or server.namespace)

    found = carried_out(work())
    if output == "json":
        typer.echo(json.dumps(manifest(found), indent=2))
    else:
        _show(found, console())


def _steer(
    verb: Verb, given: str, namespace: str | None, output: str, kubeconfig: str | None, context: str | None
) -> None:
    async def work() -> tuple[MigrationPlan, dict[str, Any]]:
        async with connected(kubeconfig, context) as server:
            found = await server.get(MigrationPlan, name_of(given, MigrationPlan), namespace or server.namespace)
            spec = steered(found, verb)
            return (await server.patch(found, {"spec": spec}) if spec else found), spec

    found, spec = carried_out(work())
    if output == "json":
        told = {"migrationPlan": f"{found.namespace}/{found.name}", "patch": {"spec": spec} if spec else None}
        typer.echo(json.dumps(told, indent=2))
    else:
        changes = ", ".join(f"spec.{field} is now {str(value).lower()}" for field, value in spec.items())
        typer.echo(f"{title_of(found)}: {changes or f'{verb}: nothing to change'}")


def _command(verb: Verb, told: str) -> None:
    """Add the subcommand of a verb; they differ in nothing else."""

    def command(
        name: Name,
        namespace: Namespace = None,
        output: Output = "text",
        kubeconfig: Kubeconfig = None,
        context: Context = None,
    ) -> None:
        _steer(verb, name, namespace, output, kubeconfig, context)

    plan.command(verb, help=told)(command)


_command("approve", "Let a plan with approval Manual begin.")
_command("pause", "Start nothing new; what is under way ends.")
_command("resume", "Let a paused plan go on.")
_command("cancel", "Give a plan up for good: what is under way is cancelled unless it is too late.")


def steered(found: MigrationPlan, verb: Verb) -> dict[str, Any]:
    """The spec fields to set; none where they are set already. Raises CommandError where it cannot be asked."""
    spec, named = found.spec, f"plan {found.namespace}/{found.name}"
    if found.status.end_timestamp is not None:
        raise CommandError(f"{named} has ended, {found.status.phase}: create a new plan for what is left")
    if verb == "approve" and spec.approval != "Manual":
        raise CommandError(f"{named} needs no approval (spec.approval {spec.approval}): it begins by itself")
    if verb != "cancel" and spec.mode == "DryRun":
        raise CommandError(f"{named} moves nothing (spec.mode DryRun): create one with mode Execute")
    if verb != "cancel" and spec.cancel:
        raise CommandError(f"{named} is being cancelled, which cannot be withdrawn: create a new plan")
    field, wanted = {
        "approve": ("approved", True),
        "pause": ("paused", True),
        "resume": ("paused", False),
        "cancel": ("cancel", True),
    }[verb]
    return {field: wanted} if getattr(spec, field) != wanted else {}


# Text


def _show(found: MigrationPlan, console: Console) -> None:
    for line in summary(found):
        console.print(escape(line), soft_wrap=True)
    entries = found.status.migrations
    if entries:
        console.print(_entries(entries[:SHOWN]))
    if len(entries) > SHOWN:
        console.print(f"and {len(entries) - SHOWN} more VMs: -o json has all")


def summary(found: MigrationPlan) -> list[str]:
    """Where it stands, what was predicted and what it took, a line each."""
    status, ready = found.status, found.status.condition("Ready")
    told = [f"{found.namespace}/{found.name}: {status.phase or 'not seen by the operator yet'}, {status.percent} %"]
    if ready is not None and ready.message:
        told.append(ready.message)
    if status.estimate is not None:
        told.append(_predicted(status.estimate))
        told += [f"warning: {warning}" for warning in status.estimate.warnings]
    if status.result is not None:
        result = status.result
        error = result.duration_error_percent
        told.append(
            f"took {result.duration_seconds:.1f} s{f' ({error:+.1f} %)' if error is not None else ''}, "
            f"pauses of {result.total_downtime_milliseconds:.0f} ms in all, {human(result.transferred_bytes)} sent"
        )
    return told


def _predicted(estimate: PlanEstimate) -> str:
    duration, downtime = estimate.duration_seconds, estimate.downtime_milliseconds
    told = [f"predicted: {estimate.verdict}"]
    if duration is not None:
        told.append(f"{duration.p50:.1f} s (nine in ten: {duration.p90:.1f} s)")
    if downtime is not None:
        told.append(f"longest pause {downtime.p50:.0f} ms")
    told += [f"{human(estimate.transfer_bytes)} sent", f"{estimate.waves} wave{'' if estimate.waves == 1 else 's'}"]
    return ", ".join(told) + (f"; over by {estimate.finish_by}" if estimate.finish_by else "")


def _entries(entries: tuple[PlanMigration, ...]) -> Table:
    table = Table("VM", "Phase", "Move", box=None, padding=(0, 2, 0, 0))
    for heading in ("Wave", "Est-s", "Est-pause-ms", "Pause-ms"):
        table.add_column(heading, justify="right")
    table.add_column("Reason")
    for entry in entries:
        figures = (entry.wave, entry.estimated_seconds, entry.estimated_downtime_ms, entry.downtime_ms)
        table.add_row(
            f"{entry.namespace}/{entry.virtual_machine}",
            entry.phase or "-",
            f"{entry.source or '-'} > {entry.target or '-'}",
            *(f"{figure:g}" if figure is not None else "-" for figure in figures),
            entry.reason or "",
        )
    return table
