"""The dashboards."""

from mixin.boards import capacity, migration, operator, overview, scheduler, usage, vm
from mixin.boards.board import Board, Panel, Query

BOARDS: tuple[Board, ...] = (
    overview.BOARD,
    capacity.BOARD,
    vm.BOARD,
    scheduler.BOARD,
    migration.BOARD,
    usage.BOARD,
    operator.BOARD,
)

__all__ = ["BOARDS", "Board", "Panel", "Query"]
