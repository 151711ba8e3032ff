"""``kubectl_complete-drover``: what kubectl asks so that the shell completes ``kubectl drover ...``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer
from typer._completion_classes import BashComplete  # what typer's own script asks; it has no public name

from drover.cli.main import app

NO_FILES = ":4"
"""Cobra's directive to kubectl: complete with these words only, not with names of files."""
DEFAULT = ":0"
"""With these, else with names of files."""


def complete() -> None:
    """The words go to stdout, one a line, and a directive last."""
    typer.echo("\n".join(answer(sys.argv[1:])))


def answer(words: Sequence[str]) -> list[str]:
    """``words`` are those after ``kubectl drover``; the last one, which may be empty, is to be completed."""
    *before, unfinished = words or [""]
    found = BashComplete(typer.main.get_command(app), {}, "kubectl drover", "").get_completions(before, unfinished)
    told = [f"{item.value}\t{item.help}" if item.help else item.value for item in found if item.type == "plain"]
    return [*told, NO_FILES if told else DEFAULT]
