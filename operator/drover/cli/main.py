"""The ``drover`` command. A subcommand's module is imported when it is called: the operator's take a second to load."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from drover import __version__
from drover.cli import garbage

PANELS = {
    "Look": {
        "status": "status",
        "top": "top",
        "explain": "explain",
        "events": "events",
        "usage": "usage",
    },
    "Act": {
        "start": "power",
        "stop": "power",
        "restart": "power",
        "pause": "power",
        "resume": "power",
        "migrate": "migrate",
        "drain": "drain",
        "plan": "plan",
        "rebalance": "rebalance",
    },
    "Without a cluster": {
        "estimate": "estimate",
        "simulate": "simulate",
    },
    "Operator": {
        "run": "run",
        "admission": "admission",
    },
}
"""The module of each subcommand, which has a function or a typer app of its name, by the panel that help has it in."""

MODULES = {name: module for panel in PANELS.values() for name, module in panel.items()}


class Subcommands(TyperGroup):
    """Those of ``MODULES``, imported when they are asked for, and those that are registered."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._registered = dict(self.commands)
        names = dict.fromkeys(MODULES)  # for lists and suggestions
        self.commands = {**names, **self._registered}  # type: ignore[dict-item]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # typer's signature
        """None where there is no such subcommand."""
        if cmd_name not in MODULES:
            return self._registered.get(cmd_name)
        command = typer.main.get_command(_app(cmd_name))
        command.name = cmd_name  # a group has none of its own
        panel = next(panel for panel, names in PANELS.items() if cmd_name in names)
        command.rich_help_panel = panel  # type: ignore[attr-defined]  # typer's, of its own subclasses
        return command


def _app(name: str) -> typer.Typer:
    with garbage.kept():
        found = getattr(import_module(f"drover.cli.{MODULES[name]}"), name)
    if isinstance(found, typer.Typer):
        return found
    single = typer.Typer(add_completion=False)
    single.command(name)(found)
    return single


app = typer.Typer(
    cls=Subcommands,
    help="Runs an IaaS cloud's virtual machines as Kubernetes custom resources."
    "\n\n`drover` and `kubectl drover` are the same program. It uses your kubeconfig, and the rights it gives you.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def drover(
    _: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What comes before a subcommand."""


@app.command(rich_help_panel="Operator")
def version() -> None:
    """Print the version."""
    _tell_version(True)


def plugin() -> None:
    """``kubectl drover``: kubectl runs the program ``kubectl-drover`` that it finds on PATH."""
    command = typer.main.get_command(app)
    # What completes this name is kubectl, by kubectl_complete-drover.
    command.params = [param for param in command.params if param.name not in ("install_completion", "show_completion")]
    command(prog_name="kubectl drover")
