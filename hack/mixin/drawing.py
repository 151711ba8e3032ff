"""Draws a board from a Prometheus with matplotlib, so that a reader sees what Grafana would show."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import Transform
from PIL import Image

from mixin.boards import Board, Panel, Query
from mixin.queries import executable, filled
from mixin.server import Prometheus, Series

GRID = 24
"""Columns of a board, as Grafana counts them."""
INCHES = 0.75, 0.42
"""Width of a column and height of a row."""
MOST_SERIES = 12
STEPS = 180
PREFIXES = ((2**40, "Ti"), (2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki"))
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
}
_LABELS = ("__name__", "job", "instance")


@dataclass(frozen=True)
class Window:
    """The time shown, in Unix seconds."""

    start: float
    end: float

    @property
    def step(self) -> float:
        return max(1.0, (self.end - self.start) / STEPS)


def draw(board: Board, prometheus: Prometheus, window: Window, path: Path, **chosen: str) -> None:
    """Write the board's picture; ``chosen``: values of the board's variables, all where not named."""
    panels = {
        panel: replace(panel, queries=tuple(replace(query, text=filled(query, chosen)) for query in panel.queries))
        for panel in board.panels
    }
    with mpl.rc_context(STYLE):
        places = list(_places(board))
        height = max(y + panel.height for panel, _, y in places)
        figure = plt.figure(figsize=(GRID * INCHES[0], height * INCHES[1] + 0.6))
        grid = figure.add_gridspec(
            height, GRID, left=0.04, right=0.99, bottom=0.02, top=1 - 0.9 / figure.get_figheight()
        )
        for panel, x, y in places:
            # The last row and column of each place are left free, for ticks and the next title.
            axes = figure.add_subplot(grid[y : y + panel.height - 2, x : x + panel.width - 1])
            axes.set_title(panel.title)
            _DRAWN[panel.kind](axes, panels[panel], prometheus, window)
        figure.suptitle(board.title, x=0.01, ha="left", fontsize=12)
        figure.savefig(path, dpi=80)
        plt.close(figure)
    with Image.open(path) as picture:  # a third of the size, and no eye sees it
        picture.convert("RGB").quantize(colors=96).save(path, optimize=True)


def _places(board: Board) -> Iterator[tuple[Panel, int, int]]:
    """Panel, column and row: side by side until a line is full, each heading on a new one."""
    top = 0
    for _, panels in board.rows:
        x = tallest = 0
        for panel in panels:
            if x + panel.width > GRID:
                top, x, tallest = top + tallest, 0, 0
            yield panel, x, top
            x, tallest = x + panel.width, max(tallest, panel.height)
        top += tallest


def _legend(query: Query, series: Series) -> str:
    if query.legend in ("", "__auto"):
        return ", ".join(value for name, value in series["metric"].items() if name not in _LABELS)
    text = query.legend
    for name, value in series["metric"].items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


def _lines(axes: Axes, panel: Panel, prometheus: Prometheus, window: Window) -> None:
    for query in panel.queries:
        for series in _over_time(query, prometheus, window):
            at, values = zip(*series["values"], strict=True)
            axes.plot(
                np.array(at) - window.start, [float(value) for value in values], label=_legend(query, series), lw=1.2
            )
    _finish_lines(axes, panel, window)


def _areas(axes: Axes, panel: Panel, prometheus: Prometheus, window: Window) -> None:
    found = [(query, series) for query in panel.queries for series in _over_time(query, prometheus, window)]
    instants = sorted({at for _, series in found for at, _ in series["values"]})
    rows = [[float(dict(series["values"]).get(at, 0)) for at in instants] for _, series in found]
    if rows:
        labels = [_legend(*one) for one in found]
        axes.stackplot(np.array(instants) - window.start, rows, labels=labels, alpha=0.8, step="post")
    _finish_lines(axes, panel, window)


def _finish_lines(axes: Axes, panel: Panel, window: Window) -> None:
    axes.set_xlim(0, window.end - window.start)
    lowest = min((float(np.min(line.get_ydata())) for line in axes.get_lines()), default=0.0)
    if lowest >= 0:
        axes.set_ylim(bottom=0)
    if axes.dataLim.ymax <= 0:  # nothing but zeros
        axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(_formatter(panel.unit))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} s"))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=6, ncols=2, loc="best", framealpha=0.6)


def _bars(axes: Axes, panel: Panel, prometheus: Prometheus, window: Window) -> None:  # noqa: ARG001
    values = _now(panel, prometheus)
    axes.barh(range(len(values)), [value for _, value in values], color="lightsteelblue", height=0.8)
    for place, (name, value) in enumerate(values):
        axes.text(0.01, place, f"{name}: {_formatted(value, panel.unit)}", va="center", transform=_across(axes))
    axes.set_ylim(max(len(values), 4) - 0.5, -0.5)
    axes.set_axis_off()
    axes.set_title(panel.title)


def _number(axes: Axes, panel: Panel, prometheus: Prometheus, window: Window) -> None:  # noqa: ARG001
    told = "  ".join(_formatted(value, panel.unit) for _, value in _now(panel, prometheus)) or "no data"
    axes.text(0.5, 0.45, told, ha="center", va="center", fontsize=18, color="tab:green", transform=axes.transAxes)
    axes.set_axis_off()
    axes.set_title(panel.title)


def _heatmap(axes: Axes, panel: Panel, prometheus: Prometheus, window: Window) -> None:
    found = [(_legend(query, s), s) for query in panel.queries for s in _over_time(query, prometheus, window)]
    found.sort(key=lambda one: float(one[0]))
    counted = {name: sum(float(value) for _, value in series["values"]) for name, series in found}
    names = list(counted)
    values = np.array(list(counted.values()))
    if panel.queries[0].expr.startswith("sum by (le)"):
        values = np.diff(values, prepend=0.0)
    axes.bar(range(len(names)), values, color=plt.get_cmap("viridis")(values / max(values.max(initial=0.0), 1e-9)))
    told = [_formatted(float(name), panel.unit) if name != "+Inf" else name for name in names]
    axes.set_xticks(range(len(names)), told, rotation=60, fontsize=6)
    axes.set_yticks([])


def _timeline(axes: Axes, panel: Panel, prometheus: Prometheus, window: Window) -> None:
    found = [(_legend(query, s), s) for query in panel.queries for s in _over_time(query, prometheus, window)]
    for place, (_, series) in enumerate(found):
        for at, value in series["values"]:
            colour = "lightgreen" if float(value) else "salmon"
            axes.barh(place, window.step, left=at - window.start, color=colour, height=0.8)
    for place, (name, _) in enumerate(found):
        axes.text(0.005, place, name, va="center", fontsize=7, transform=_across(axes))
    axes.set_yticks([])
    axes.set_xlim(0, window.end - window.start)
    axes.set_ylim(max(len(found), 3) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} s"))
    axes.grid(visible=False)


def _over_time(query: Query, prometheus: Prometheus, window: Window) -> list[Series]:
    """The series with the highest last values, without what is not a number."""
    found = prometheus.query_range(executable(query), window.start, window.end, window.step)
    kept = []
    for series in found:
        values = [(at, value) for at, value in series["values"] if not math.isnan(float(value))]
        if values:
            kept.append({**series, "values": values})
    kept.sort(key=lambda series: -float(series["values"][-1][1]))
    return kept[:MOST_SERIES]


def _now(panel: Panel, prometheus: Prometheus) -> list[tuple[str, float]]:
    found = [
        (_legend(query, series), float(series["value"][1]))
        for query in panel.queries
        for series in prometheus.query(executable(query))
    ]
    numbers = [(name or "all", value) for name, value in found if not math.isnan(value)]
    return sorted(numbers, key=lambda one: -one[1])[:MOST_SERIES]


def _across(axes: Axes) -> Transform:
    """Across in shares of the axes, down in data."""
    return axes.get_yaxis_transform()


def _formatter(unit: str) -> FuncFormatter:
    return FuncFormatter(lambda value, _: _formatted(value, unit))


def _formatted(value: float, unit: str) -> str:
    match unit:
        case "percentunit":
            return f"{value:.0%}"
        case "s":
            return f"{value * 1000:.3g} ms" if 0 < abs(value) < 1 else f"{value:.3g} s"
        case "bytes" | "Bps":
            scale, prefix = next(((size, name) for size, name in PREFIXES if abs(value) >= size), (1, ""))
            return f"{value / scale:.3g} {prefix}B{'/s' if unit == 'Bps' else ''}"
        case "reqps":
            return f"{value:.3g}/s"
        case _:
            return f"{value:.4g}"


_DRAWN: dict[str, Any] = {
    "timeseries": _lines,
    "stacked": _areas,
    "stat": _number,
    "gauge": _bars,
    "bars": _bars,
    "table": _bars,
    "heatmap": _heatmap,
    "timeline": _timeline,
}
