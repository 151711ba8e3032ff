"""The ``drover`` command. A subcommand's module is imported when it is called: the operator's take a second to load."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from drover import __version__
from drover.cli import garbage

MODULES = {
    "status": "status",
    "top": "top",
    "explain": "explain",
    "events": "events",
    "start": "power",
    "stop": "power",
    "restart": "power",
    "pause": "power",
    "resume": "power",
    "migrate": "migrate",
    "drain": "drain",
    "plan": "plan",
    "estimate": "estimate",
    "rebalance": "rebalance",
    "usage": "usage",
    "simulate": "simulate",
    "run": "run",
}
"""The module of each subcommand, which has a function or a typer app of the subcommand's name."""


class Subcommands(TyperGroup):
    """Those of ``MODULES``, imported when they are asked for, after those that are registered."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._registered = dict(self.commands)
        self.commands.update(dict.fromkeys(MODULES))  # type: ignore[arg-type]  # their names, for suggestions

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # typer's signature
        """None where there is no such subcommand."""
        if cmd_name not in MODULES:
            return self._registered.get(cmd_name)
        command = typer.main.get_command(_app(cmd_name))
        command.name = cmd_name  # a group has none of its own
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
    help="Runs an IaaS cloud's virtual machines as Kubernetes custom resources.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def drover() -> None:
    """A group even while nothing but ``version`` is registered."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def plugin() -> None:
    """``kubectl drover``: kubectl runs the program ``kubectl-drover`` that it finds on PATH."""
    app(prog_name="kubectl drover")
