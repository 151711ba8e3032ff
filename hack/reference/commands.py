"""docs/reference/cli.md: every command and option of ``drover``, from what its ``--help`` is made of."""

import re
from collections.abc import Iterator
from typing import Any

import typer

from drover.cli.main import PANELS, app

_SHARED = ("--kubeconfig", "--context")
_DEFAULT = re.compile(r"\[default: \(?(.+?)\)?\]")
_EVERYWHERE = ("--help", "--install-completion", "--show-completion", "--version")

INTRODUCTION = """\
<!-- Generated from operator/drover/cli by `make reference`; do not edit. -->
# Command line

`drover` and `kubectl drover` are the same program: kubectl finds it as `kubectl-drover` on your PATH. How the commands
are used is told with examples in [kubectl drover](../kubectl.md); here are all of them, with every option, as `--help`
has them. `drover --version` prints the version.

A command that asks a cluster takes `--kubeconfig FILE` and `--context NAME`. Without them it uses, in a pod, its
service account; else the files of `$KUBECONFIG`, else `~/.kube/config`, and their current context.

| code | when |
|---|---|
| 0 | it has done what it says |
| 1 | it could not: one line on stderr names the mend. `status`: something is wrong. `--wait`: it did not come about |
| 2 | it was called wrongly. `status`: it could not look. `simulate`: the operator has a defect |

**Completion.** `drover --install-completion` teaches your shell (bash, zsh, fish, PowerShell) to complete `drover`. For
`kubectl drover`, have `kubectl_complete-drover` on your PATH beside `kubectl-drover`, and kubectl's own completion
loaded: `source <(kubectl completion bash)`.

"""


def page() -> str:
    group = typer.main.get_command(app)
    context = typer.Context(group, info_name="drover")
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}  # type: ignore[attr-defined]
    return "".join([INTRODUCTION, *_overview(found), *(text for name in found for text in _command(found[name], name))])


def _overview(commands: dict[str, Any]) -> Iterator[str]:
    for panel in PANELS:
        yield f"**{panel}**\n\n"
        for name, command in commands.items():
            if command.rich_help_panel == panel:
                yield f"- [`{name}`](#drover-{name}): {_first(command)}\n"
        yield "\n"


def _command(command: Any, name: str, level: int = 2) -> Iterator[str]:
    """A section of a command, then those of its own commands."""
    full = f"drover {name}"
    context = typer.Context(command, info_name=full)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"{'#' * level} {full}\n\n{command.help}\n\n```text\n{full} {usage}\n```\n\n"
    params = [param for param in command.get_params(context) if param.opts[0] not in (*_SHARED, *_EVERYWHERE)]
    records = [record for param in params if (record := param.get_help_record(context)) is not None]
    yield "".join([*(f"- `{option}`: {_told(what)}\n" for option, what in records), "\n"])
    for child in command.list_commands(context) if hasattr(command, "list_commands") else ():
        yield from _command(command.get_command(context, child), f"{name} {child}", level + 1)


def _first(command: Any) -> str:
    """The first paragraph of its help, on one line."""
    return _words(command.help.partition("\n\n")[0])


def _told(what: str) -> str:
    return _DEFAULT.sub(r"Default: \1.", _words(what))


def _words(text: str) -> str:
    return " ".join(text.split())
