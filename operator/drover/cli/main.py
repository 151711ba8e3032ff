"""The ``drover`` command."""

from __future__ import annotations

import typer

from drover import __version__
from drover.cli.estimate import estimate
from drover.cli.explain import explain
from drover.cli.rebalance import rebalance
from drover.cli.run import run
from drover.cli.simulate import simulate
from drover.cli.usage import usage

app = typer.Typer(
    help="Runs an IaaS cloud's virtual machines as Kubernetes custom resources.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(run)
app.command()(simulate)
app.command()(explain)
app.command()(estimate)
app.command()(rebalance)
app.command()(usage)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def plugin() -> None:
    """``kubectl drover``: kubectl runs the program ``kubectl-drover`` that it finds on PATH."""
    app(prog_name="kubectl drover")
