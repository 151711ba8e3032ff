"""Grafana's JSON of a board, made by its own SDK."""

from collections.abc import Callable
from itertools import count
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    dashboard,
    gauge,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from mixin.boards.board import Board, Panel, Query, Variable

DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG = "drover"
JOBS = Variable("job", 'label_values({__name__=~"drover_build_info|drover_metrics_series"}, job)')
INSTANCES = Variable("instance", 'label_values(drover_build_info{job=~"$job"}, instance)')
INSTANT = ("stat", "gauge", "bars", "table")
"""Panels that show the last value only."""


def render(board: Board) -> str:
    """The board's file."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .readonly()
        .refresh("1m")
        .timezone(board.timezone)
        .time(board.since, "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(_links())
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for variable in (JOBS, INSTANCES, *board.variables):
        made = made.with_variable(_variable(variable))
    ids = count(1)
    for heading, panels in board.rows:
        made = made.with_row(dashboard.Row(heading).id(next(ids)))
        for panel in panels:
            made = made.with_panel(_panel(panel).id(next(ids)))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _links() -> dashboard.DashboardLink:
    """To the other boards."""
    return (
        dashboard.DashboardLink("Drover")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True)
        .include_vars(True)
    )


def _variable(variable: Variable) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(variable.name)
        .label(variable.name)
        .datasource(DATASOURCE)
        .query(variable.query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(variable.multi)
        .include_all(True)
        .all_value(".+")
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )


def _panel(panel: Panel) -> Any:
    made = _BUILDERS[panel.kind]()
    made = made.title(panel.title).description(panel.description).unit(panel.unit)
    made = made.datasource(DATASOURCE).span(panel.width).height(panel.height)
    if panel.steps:
        made = made.thresholds(_thresholds(panel.steps))
    for number, query in enumerate(panel.queries):
        made = made.with_target(_target(query, panel, chr(ord("A") + number)))
    return made


def _target(query: Query, panel: Panel, name: str) -> prometheus.Dataquery:
    made = prometheus.Dataquery().ref_id(name).datasource(DATASOURCE).expr(query.expr).legend_format(query.legend)
    made = made.instant() if panel.kind in INSTANT else made.range()
    if panel.kind == "table":
        return made.format(PromQueryFormat.TABLE)
    return made.format(PromQueryFormat.HEATMAP if panel.kind == "heatmap" else PromQueryFormat.TIME_SERIES)


def _thresholds(steps: tuple[tuple[float, str], ...]) -> dashboard.ThresholdsConfig:
    (_, lowest), *others = steps
    told = [models.Threshold(None, lowest), *(models.Threshold(value, color) for value, color in others)]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(told)


def _lines() -> timeseries.Panel:
    legend = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.TABLE).show_legend(True)
    legend = legend.placement(common.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])
    return timeseries.Panel().legend(legend).fill_opacity(10).show_points(common.VisibilityMode.NEVER).min(0)


def _areas() -> timeseries.Panel:
    stacking = common_builders.StackingConfig().mode(common.StackingMode.NORMAL)
    return _lines().stacking(stacking).fill_opacity(60)


_BUILDERS: dict[str, Callable[[], Any]] = {
    "timeseries": _lines,
    "stacked": _areas,
    "stat": stat.Panel,
    "gauge": lambda: gauge.Panel().min(0).max(1),
    "bars": lambda: bargauge.Panel().orientation(common.VizOrientation.HORIZONTAL).min(0),
    "table": table.Panel,
    "heatmap": heatmap.Panel,
    "timeline": statetimeline.Panel,
}
