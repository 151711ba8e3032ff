"""How an estimated migration is told: as JSON, as a table and a plot in the terminal, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drover.api.quantity import human
from drover.cli.scenario import ScenarioError
from drover.cli.textplot import Point, text_plot
from drover.model.migration import Band, Course, Estimate
from drover.model.packing.extras import optional

SHOWN = 40
"""Passes in the table for people; -o json has all."""
COLOURS = {"Converges": "green", "ConvergesWithLongerDowntime": "yellow"}


def in_json(estimated: Estimate) -> dict[str, Any]:
    course = estimated.likely
    return {
        "verdict": estimated.verdict,
        "reason": course.reason,
        "message": estimated.message,
        "limitedBy": estimated.limited_by,
        "warnings": list(estimated.warnings),
        "totalSeconds": round(course.total, 6),
        "downtimeMs": round(course.downtime * 1000, 3),
        "blackoutMs": round(course.blackout * 1000, 3),
        "postCopySeconds": round(course.post_copy, 6),
        "bytes": round(course.bytes),
        "band": {
            "totalSeconds": _band(estimated.total, 1, 6),
            "downtimeMs": _band(estimated.downtime, 1000, 3),
            "blackoutMs": _band(estimated.blackout, 1000, 3),
            "bytes": _band(estimated.bytes, 1, 0),
        },
        "passes": [
            {
                "index": sent.index,
                "bytes": round(sent.bytes),
                "seconds": round(sent.seconds, 6),
                "remainingBytes": round(sent.remaining_bytes),
            }
            for sent in course.passes
        ],
    }


def _band(band: Band, scale: float, digits: int) -> dict[str, float]:
    return {name: round(figure * scale, digits) for name, figure in band._asdict().items()}


def tell(estimated: Estimate, console: Console) -> None:
    course = estimated.likely
    console.print(
        f"[{COLOURS.get(estimated.verdict, 'red')}]{estimated.verdict}[/] ({course.reason}): "
        f"{escape(estimated.message)}"
    )
    for warning in estimated.warnings:
        console.print(f"[yellow]warning[/]: {escape(warning)}")
    if course.passes:
        console.print(_passes(course))
        _print_plot(course, console)
    slowed = f"{course.post_copy:.2f} s of post-copy in which the guest waits {course.slowdown:.0%} of the time"
    pulled = f", then {slowed}" if course.post_copy else ""
    console.print(
        f"total {course.total:.2f} s, downtime {course.downtime * 1000:.0f} ms{pulled}, "
        f"blackout {course.blackout * 1000:.0f} ms, {human(round(course.bytes))} sent"
    )
    total, downtime = estimated.total, estimated.downtime
    if total.p10 != total.p90:
        console.print(
            f"8 in 10 take {total.p10:.2f} to {total.p90:.2f} s, with a downtime of "
            f"{downtime.p10 * 1000:.0f} to {downtime.p90 * 1000:.0f} ms"
        )


def _print_plot(course: Course, console: Console) -> None:
    """What remains over time, under the size it begins with."""
    points = _curve(course)
    console.print(f"{human(round(max(rest for _, rest in points)))} remain")
    for row in text_plot(points):
        console.print(f"|{row}", markup=False)
    console.print(f"0 s{'-' * 50}{points[-1][0]:7.2f} s")


def _passes(course: Course) -> Table:
    table = Table()
    for name in ("Pass", "Sent", "Seconds", "Remaining"):
        table.add_column(name, justify="right")
    for sent in course.passes[:SHOWN]:
        row = (human(round(sent.bytes)), f"{sent.seconds:.2f}", human(round(sent.remaining_bytes)))
        table.add_row(str(sent.index), *row)
    if len(course.passes) > SHOWN:
        table.caption = f"and {len(course.passes) - SHOWN} more; -o json has all"
    return table


def _curve(course: Course) -> list[Point]:
    """What remains over time: it falls while a pass sends, and rises to what was dirtied meanwhile as it ends."""
    points = [(0.0, course.whole)]
    for sent in course.passes:
        seconds, rest = points[-1]
        ends = seconds + sent.seconds
        points += [(ends, max(0.0, rest - sent.bytes)), (ends, sent.remaining_bytes)]
        if sent.times > 1:
            points.append((ends + (sent.times - 1) * sent.seconds, sent.remaining_bytes))
    if course.downtime:
        points.append((points[-1][0] + course.downtime + course.post_copy, 0.0))
    return points


def draw(course: Course, path: Path) -> None:
    points = _curve(course)
    figure = optional("matplotlib.figure", "trace").Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([seconds for seconds, _ in points], [rest / 2**20 for _, rest in points])
    axes.set(xlabel="Seconds", ylabel="Remaining MiB", ylim=(0, None), title=course.verdict)
    axes.margins(x=0)
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise ScenarioError(f"--plot {path}: {error}: name a PNG file in a folder that exists") from error
