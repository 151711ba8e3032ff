"""What the demo shows: a live screen on a terminal, plain lines elsewhere, and the summary's tables."""

import re
import time
from collections.abc import Mapping
from io import StringIO
from types import TracebackType
from typing import Self

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from demo_state import FINAL, Manifest, Snapshot, median, message, name_of, phase

PHASES = ("Pending", "Provisioning", "Unschedulable", "Starting", "Running", "Migrating", "Stopping", "Unknown")
COLOURS = {"Running": "green", "Succeeded": "green", "Unschedulable": "yellow", "Failed": "red", "Migrating": "cyan"}
BAR = 14
PICTURE_WIDTH = 100
HOST_COLOURS = {"Draining": "yellow", "Maintenance": "magenta", "Ready": "green"}


class Screen:
    """Tells what happens: redraws on a terminal, prints only what has changed where there is none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None
        self._begun = time.monotonic()
        self._told: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, line: str) -> None:
        self._console.print(f"[dim]{self._elapsed}[/]  {line}", highlight=False)

    def show(self, now: Snapshot) -> None:
        if self._live:
            self._live.update(_screen(now))
            return
        self._tell("VMs", ", ".join(f"{count} {name}" for name, count in sorted(now.phases.items())))
        for migration in now.migrations:
            self._tell(name_of(migration), f"{_route(migration)}: {phase(migration)}")

    def _tell(self, subject: str, told: str) -> None:
        if told and self._told.get(subject) != told:
            self._told[subject] = told
            self.say(told)

    @property
    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._begun:5.1f} s"


def picture(now: Snapshot) -> str:
    """The live screen as an SVG, for the README."""
    console = Console(record=True, width=PICTURE_WIDTH, file=StringIO())
    console.print("[bold]$ make demo[/]\n", _screen(now), highlight=False)
    svg = console.export_svg(title="Drover: draining a host by live migration")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # a picture should not fetch fonts


def _screen(now: Snapshot) -> RenderableType:
    parts: list[RenderableType] = [Columns([_vms(now), _hosts(now)], padding=(0, 3))]
    if now.migrations:
        parts.append(_moves(now))
    return Group(*parts)


def _vms(now: Snapshot) -> Table:
    table = Table(title="virtual machines", title_justify="left", box=None)
    table.add_column("phase")
    namespaces = sorted({vm["metadata"]["namespace"] for vm in now.vms})
    for namespace in namespaces:
        table.add_column(namespace, justify="right")
    for name in [*PHASES, *(now.phases.keys() - set(PHASES))]:
        if name in now.phases:
            own = [sum(phase(vm) == name and vm["metadata"]["namespace"] == ns for vm in now.vms) for ns in namespaces]
            table.add_row(name, *(str(count or "") for count in own), style=COLOURS.get(name, ""))
    return table


def _hosts(now: Snapshot) -> Table:
    """A cell a host, a column a zone; each block is a VM on it."""
    zones: dict[str, list[Text]] = {}
    for host in sorted(now.hosts, key=_natural):
        blocks = "■" * int(host.get("status", {}).get("virtualMachines", 0))
        cell = Text(f"{name_of(host):<11} {blocks:<7}", style=HOST_COLOURS.get(phase(host), "dim"))
        zones.setdefault(host["spec"].get("failureDomain", ""), []).append(cell)
    table = Table(title="hosts, and the VMs on them", title_justify="left", box=None)
    for zone in sorted(zones):
        table.add_column(zone)
    columns = [zones[zone] for zone in sorted(zones)]
    for row in range(max(map(len, columns), default=0)):
        table.add_row(*(column[row] if row < len(column) else "" for column in columns))
    return table


def _moves(now: Snapshot) -> Table:
    table = Table(title="live migrations", title_justify="left", box=None)
    for heading in ("VM", "from", "to", "phase", "", "pass", "GiB left", "ETA"):
        table.add_column(heading, justify="right" if heading in ("pass", "GiB left", "ETA") else "left")
    for migration in now.migrations:
        status = migration.get("status", {})
        progress = status.get("progress") or {}
        done = int(progress.get("percent", 0))
        eta = progress.get("etaSeconds")
        table.add_row(
            migration["spec"]["virtualMachineName"],
            status.get("sourceHost", ""),
            status.get("targetHost", ""),
            phase(migration),
            "━" * (done * BAR // 100) + "·" * (BAR - done * BAR // 100),
            str(progress.get("iteration", "")),
            _number(_gib(progress.get("remainingBytes")), 1),
            "" if phase(migration) in FINAL or eta is None else f"{eta:.0f} s",
            style=COLOURS.get(phase(migration), ""),
        )
    return table


def _route(migration: Manifest) -> str:
    status = migration.get("status", {})
    route = f" from {status['sourceHost']} to {status['targetHost']}" if status.get("targetHost") else ""
    return f"migration of {migration['spec']['virtualMachineName']}{route}"


# The summary


def phases_table(now: Snapshot) -> Table:
    table = _vms(now)
    table.title = "VMs by phase"
    return table


def hosts_table(now: Snapshot) -> Table:
    table = Table(title="VMs by host", title_justify="left", box=None)
    for heading in ("host", "zone", "state", "CPU", "memory", "VMs"):
        table.add_column(heading, justify="right" if heading in ("CPU", "memory") else "left", no_wrap=heading != "VMs")
    for host in sorted(now.hosts, key=_natural):
        status = host["status"]
        held = status.get("allocated", {})
        names = ", ".join(now.on_host(name_of(host)))
        row = (name_of(host), host["spec"]["failureDomain"], phase(host), held.get("cpu"), held.get("memory"), names)
        table.add_row(*row, style="" if names or phase(host) != "Ready" else "dim")
    return table


def migrations_table(now: Snapshot) -> Table:
    """Outcomes beside predictions, in model time."""
    table = Table(title="migrations: played (predicted)", title_justify="left", box=None, pad_edge=False)
    for heading in ("VM", "to", "phase"):
        table.add_column(heading, no_wrap=True)
    for heading in ("passes", "sent, GiB", "downtime, ms", "duration, s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for migration in now.migrations:
        status = migration["status"]
        result, estimate = status.get("result") or {}, status.get("estimate") or {}
        table.add_row(
            migration["spec"]["virtualMachineName"],
            status.get("targetHost", ""),
            phase(migration),
            _pair(result.get("passes"), estimate.get("passes")),
            _pair(_gib(result.get("transferredBytes")), _gib(estimate.get("transferBytes")), 1),
            _pair(result.get("downtimeMilliseconds"), median(estimate, "downtimeMilliseconds")),
            _pair(result.get("durationSeconds"), median(estimate, "durationSeconds"), 1),
            style=COLOURS.get(phase(migration), ""),
        )
    return table


def plan_line(plan: Manifest) -> str:
    """One sentence: what the whole drain was to take, and took."""
    status = plan["status"]
    result = status.get("result") or {}
    predicted = median(status.get("estimate"), "durationSeconds")
    return (
        f"plan {name_of(plan)}: {phase(plan)}, {message(plan)}; {_number(result.get('durationSeconds'), 1)} s "
        f"({_number(predicted, 1)} s predicted), {_number(_gib(result.get('transferredBytes')), 1)} GiB"
    )


def patches_line(settled: Mapping[str, int], final: Mapping[str, int], vms: int) -> str:
    """``settled`` and ``final``: PATCHes by kind when the VMs had come up, and at the end."""
    patched = settled.get("virtualmachines", 0)
    rest = ", ".join(f"{count} {kind}" for kind, count in sorted(final.items()) if count)
    return f"PATCHes: {patched} of {vms} VMs until all had come up ({patched / vms:.1f} each); in all {rest}"


def _pair(played: float | None, predicted: float | None, digits: int = 0) -> str:
    return f"{_number(played, digits)} ({_number(predicted, digits)})"


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _gib(count: float | None) -> float | None:
    return None if count is None else count / 2**30


def _natural(host: Manifest) -> tuple[str, int]:
    pool, _, index = name_of(host).rpartition("-")
    return pool, int(index)
