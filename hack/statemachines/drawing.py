"""A machine as markdown: a picture in mermaid's words, and what it leaves out as a table."""

from __future__ import annotations

from collections.abc import Iterator

from statemachines.machine import ANY, NEW, Machine, Step

_INDENT = "    "
_START = "start"


def section(machine: Machine) -> str:
    """Heading, text, picture and table."""
    return "\n".join(_lines(machine))


def _lines(machine: Machine) -> Iterator[str]:
    yield f"## {machine.kind}"
    if machine.says:
        yield from ("", machine.says)
    if machine.unwritten:
        names = ", ".join(f"`{name}`" for name in machine.unwritten)
        yield from ("", f"Phases of the API that nothing writes: {names}.")
    if len(machine.phases) > 1:
        yield from ("", "```mermaid", *picture(machine), "```")
    if machine.rarer:
        summary = f"{len(machine.rarer)} steps that the picture leaves out"
        yield from ("", '<details markdown="1">', f"<summary>{summary}</summary>", "")
        yield from ("| from | to | when |", "|---|---|---|")
        for step in machine.rarer:
            yield f"| {_told(machine, step.source)} | {_told(machine, step.target)} | {step.why} |"
        yield from ("", "</details>")


def picture(machine: Machine) -> Iterator[str]:
    yield "flowchart TB"
    yield f"{_INDENT}{_START}(( ))"
    for box in machine.boxes:
        yield f'{_INDENT}{box}("{"<br>".join(machine.groups[box])}")'
    for step, back in _pairs(machine.steps):
        arrow, why = ("<-->", f"{step.why} / {back.why}") if back is not None else ("-->", step.why)
        yield f'{_INDENT}{_node(machine, step.source)} {arrow}|"{why}"| {_node(machine, step.target)}'


def _pairs(steps: tuple[Step, ...]) -> Iterator[tuple[Step, Step | None]]:
    """Each step with the one that leads back, once: one line with two heads is easier to read than two."""
    by_ends = {(step.source, step.target): step for step in steps}
    for step in steps:
        back = by_ends.get((step.target, step.source))
        if back is None or steps.index(step) < steps.index(back):
            yield step, back


def _node(machine: Machine, name: str) -> str:
    if name == NEW:
        return _START
    return name if name in machine.groups else f"{name}({name})"


def _told(machine: Machine, name: str) -> str:
    words = {ANY: "any", NEW: "(new)"}
    return words.get(name) or ", ".join(machine.groups.get(name, (name,)))
