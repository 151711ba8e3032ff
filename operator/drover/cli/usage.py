"""``drover usage``: what was used, by VM, flavor, namespace or day, as Horizon's usage summary has it."""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from drover.api.network import Network
from drover.api.quantity import human
from drover.api.usage import Meter
from drover.api.usagerecord import UsageRecord
from drover.api.virtualmachine import VirtualMachine
from drover.api.volume import Volume
from drover.cli.cluster import opened
from drover.cli.output import console
from drover.cli.server import AllNamespaces, CommandError, Context, Kubeconfig, carried_out
from drover.control.metering.archive import Entry
from drover.control.metering.report import (
    LABELS,
    By,
    Daily,
    Share,
    active,
    by_vm,
    by_vm_between,
    daily,
    damage,
    grouped,
    live,
)
from drover.control.world import World
from drover.kube.archive import Archive
from drover.model.usage import METERS, focus
from drover.model.usage.units import DIGITS, UNITS, plain, quantity

Output = Literal["text", "csv", "json", "focus"]

KINDS = (VirtualMachine.KIND, Volume.KIND, Network.KIND, UsageRecord.KIND)
"""What usage is told from. Records come last: what has moved into one meanwhile is then in it."""
HEADINGS: dict[Meter, str] = {
    "vcpu": "vCPU-h",
    "memory": "RAM GiB-h",
    "instance": "Instance-h",
    "volume": "Disk GiB-h",
    "address": "Address-h",
    "migration": "Migrated GiB",
}
LABELLED = {
    "namespace": "Namespace",
    "sku": "Flavor or class",
    "day": "Day",
    "vm": "VM",
    "flavor": "Flavor",
    "uid": "UID",
}


def usage(
    namespace: AllNamespaces = None,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="First day, in UTC.", show_default="the first of this month"),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Last day, in UTC.", show_default="today")
    ] = None,
    by: Annotated[
        By, typer.Option(help="A row for each; vm without --archive: those that exist, since their creation.")
    ] = "namespace",
    archive: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="The operator's --usage-archive: with it, --by vm takes any days and has deleted VMs.",
        ),
    ] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="focus: FOCUS 1.2 as CSV, a row a day.")] = "text",
    account: Annotated[str, typer.Option(help="What FOCUS rows call this cloud (BillingAccountId).")] = "drover",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Tell what was used: vCPU-hours, RAM-hours, disk and addresses, deleted VMs and namespaces included."""
    now = datetime.now(UTC)
    days = _days(first, last, now)
    if by == "vm" and archive is None and (first or last):
        raise typer.BadParameter("--by vm of certain days needs --archive, the directory of drover run --usage-archive")

    async def work() -> tuple[World, list[Entry]]:
        async with opened(kubeconfig, context, KINDS, namespace or "") as cluster:
            return cluster.world, archived_rows(archive, namespace) if archive is not None and by == "vm" else []

    world, archived = carried_out(work())
    if output == "focus":
        write_focus(daily(world, now, *days, namespace), account)
        return
    if by != "vm":
        shares = grouped(daily(world, now, *days, namespace), by)
    elif archive is None:
        shares = by_vm(world, now, namespace)
    else:
        _warn(archived, world)
        shares = by_vm_between(archived, live(world, now), *days)
    if output == "text":
        _tell(shares, by, world, namespace, days, dated=archive is not None)
    elif output == "csv":
        write_csv(shares, by)
    else:
        typer.echo(json.dumps([as_json(share, by) for share in shares], indent=2))


def archived_rows(archive: Path, namespace: str | None) -> list[Entry]:
    """Raises CommandError."""
    try:
        return list(Archive(archive).read(namespace))
    except OSError as error:
        raise CommandError(f"{error.filename or archive}: {error.strerror}: ask for the right to read it") from error


def _warn(archived: Iterable[Entry], world: World) -> None:
    """Of what is wrong with the archive."""
    months: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for row in archived:
        months[row.namespace, row.day[:7]].append(row)
    for record in world.usage.all_records():
        if told := damage(record, months[record.of, record.spec.month]):
            typer.echo(f"warning: {told}", err=True)


def _days(first: str | None, last: str | None, now: datetime) -> tuple[date, date]:
    """The days asked for, both included."""
    begin = _day(first, "--from") if first else now.date().replace(day=1)
    end = _day(last, "--to") if last else now.date()
    if begin > end:
        raise typer.BadParameter(f"--from {begin} is after --to {end}: swap them")
    return begin, end


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option} {text} is not a date such as 2026-11-21") from None


# For people


def _tell(
    shares: Sequence[Share], by: By, world: World, namespace: str | None, days: tuple[date, date], *, dated: bool
) -> None:
    terminal = console()
    runs = active(world, namespace)
    terminal.print(f"Active instances: {runs.instances}, active RAM: {human(runs.memory_bytes)}")
    when = "since each was created" if by == "vm" and not dated else f"{days[0]} to {days[1]}, UTC"
    table = Table(*(LABELLED[label] for label in LABELS[by]), title=f"Usage, {when}", title_justify="left")
    shown = [meter for meter in METERS if any(share.amounts[meter] for share in shares)]
    for meter in shown:
        table.add_column(HEADINGS[meter], justify="right")
    for share in shares:
        table.add_row(
            *(label or "-" for label in share.labels), *(_shown(meter, share.amounts[meter]) for meter in shown)
        )
    terminal.print(table)


def _shown(meter: Meter, amount: int) -> str:
    return f"{quantity(meter, amount, digits=2):,}" if amount else "-"


# For programs


def write_csv(shares: Iterable[Share], by: By) -> None:
    """To stdout; hours are exact to the millisecond."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*LABELS[by], *(f"{meter} {UNITS[meter][0]}" for meter in METERS)])
    for share in shares:
        writer.writerow([*share.labels, *(plain(quantity(meter, share.amounts[meter], DIGITS)) for meter in METERS)])


def as_json(share: Share, by: By) -> dict[str, Any]:
    """Amounts in the ledger's own integers, as strings: milliseconds times vCPUs, bytes, instances, addresses."""
    return {**dict(zip(LABELS[by], share.labels, strict=True)), **{m: str(share.amounts[m]) for m in METERS}}


def write_focus(rows: Iterable[Daily], account: str) -> None:
    """To stdout; each row has been held against the standard's rules."""
    columns = [field.alias or name for name, field in focus.Row.model_fields.items()]
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        if quantity(row.line.meter, row.amount):  # what rounds to 0 is no charge
            writer.writerow(focus.row(account, row.namespace, row.day, row.line, row.amount).cells())
