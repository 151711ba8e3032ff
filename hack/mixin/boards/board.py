"""Dashboards as values: what a board shows, before Grafana's SDK makes JSON of it."""

from dataclasses import dataclass, field, replace
from typing import Literal

PROCESS = 'job=~"$job", instance=~"$instance"'
"""Selects series of /metrics."""
STATE = 'job=~"$job"'
"""Selects series of /metrics/state, whose instance label is dropped."""

Kind = Literal["timeseries", "stacked", "stat", "gauge", "table", "heatmap", "timeline", "bars"]


@dataclass(frozen=True)
class Query:
    """An expression, in which ``<P>`` and ``<S>`` stand for the selectors above, and the legend of its series."""

    text: str
    legend: str = "__auto"

    @property
    def expr(self) -> str:
        return self.text.replace("<P>", PROCESS).replace("<S>", STATE)


@dataclass(frozen=True)
class Panel:
    kind: Kind
    title: str
    description: str
    unit: str
    """One of Grafana's."""
    queries: tuple[Query, ...]
    width: int = 12
    height: int = 8
    steps: tuple[tuple[float, str], ...] = ()
    """Values from which on a colour holds."""

    def coloured(self, *steps: tuple[float, str]) -> "Panel":
        return replace(self, steps=steps)

    def wide(self, width: int, height: int = 8) -> "Panel":
        return replace(self, width=width, height=height)


@dataclass(frozen=True)
class Variable:
    """A choice at the top of a board, of the values of one label."""

    name: str
    query: str
    multi: bool = True


@dataclass(frozen=True)
class Board:
    uid: str
    title: str
    description: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    """Heading and panels."""
    variables: tuple[Variable, ...] = field(default=())
    timezone: str = "browser"
    since: str = "now-6h"

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for _, panels in self.rows for panel in panels)


NAMESPACE = Variable("namespace", 'label_values(drover_vms{job=~"$job"}, namespace)')


def panel(kind: Kind, title: str, unit: str, description: str, *queries: tuple[str, str]) -> Panel:
    return Panel(kind, title, description, unit, tuple(Query(text, legend) for text, legend in queries))


def quantiles(family: str, by: str = "", where: str = "<P>") -> tuple[tuple[str, str], ...]:
    """Median, p90 and p99 of a histogram."""
    grouped = f"le, {by}" if by else "le"
    legend = f" {{{{{by}}}}}" if by else ""
    return tuple(
        (
            f"histogram_quantile({quantile}, sum by ({grouped}) (rate({family}_bucket{{{where}}}[$__rate_interval])))",
            f"{name}{legend}",
        )
        for quantile, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))
    )


def buckets(family: str) -> tuple[str, str]:
    """A histogram as a heatmap shows it."""
    return f"sum by (le) (increase({family}_bucket{{<P>}}[$__rate_interval]))", "{{le}}"
