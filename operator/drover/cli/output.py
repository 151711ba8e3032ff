"""How commands tell what they have found: for people or for programs."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer
from rich.console import Console

Output = Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="text for people, json for programs.")]

WIDE = 160
"""Columns where there is no terminal to measure."""


def console() -> Console:
    """Tables on stdout, as wide as the terminal."""
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
