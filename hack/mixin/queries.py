"""The queries of the boards, as a Prometheus can execute them."""

from collections.abc import Mapping

from mixin.boards import Board, Query

VALUES = {
    "$__range": "5m",
    "$job": ".+",
    "$instance": ".+",
    "$namespace": ".+",
    "$vm": ".+",
}
"""What Grafana would put in for the choice All."""


def executable(query: Query, rate_interval: str = "30s") -> str:
    """The expression with Grafana's variables filled in."""
    text = query.expr.replace("$__rate_interval", rate_interval)
    for name, value in VALUES.items():
        text = text.replace(name, value)
    return text


def filled(query: Query, chosen: Mapping[str, str]) -> str:
    """The expression with some of the board's variables filled in."""
    text = query.expr
    for name, value in chosen.items():
        text = text.replace(f"${name}", value)
    return text


def of_board(board: Board) -> list[tuple[str, Query]]:
    """(title of the panel, query), in the board's order."""
    return [(panel.title, query) for panel in board.panels for query in panel.queries]
