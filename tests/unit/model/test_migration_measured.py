"""The qemu preset against migrations of a real QEMU."""

from __future__ import annotations

from statistics import mean

import pytest
from migration_measured import Measured, measured

ROWS = measured()
PLAIN = [row for row in ROWS if row.status == "completed" and not row.caps and row.concurrent == 1]


def error(predicted: float, found: float) -> float:
    return abs(predicted / found - 1)


def test_total_time_bytes_and_downtime_are_close_on_average() -> None:
    courses = [(row, row.course) for row in PLAIN]
    assert mean(error(course.total * 1000, row.total_ms) for row, course in courses) <= 0.04
    assert mean(error(course.bytes, row.bytes) for row, course in courses) <= 0.025
    assert mean(abs(course.downtime * 1000 - (row.downtime_ms or 0.0)) for row, course in courses) <= 25


def test_passes_are_within_two_nearly_always() -> None:
    off = [abs(len(row.course.passes) - (row.syncs - 2)) for row in PLAIN]
    assert mean(passes <= 2 for passes in off) >= 0.95


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_converged_is_said_to_converge_and_nothing_else(row: Measured) -> None:
    assert (row.course.verdict == "Converges") == (row.status == "completed")


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.caps in ("xbzrle", "postcopy-ram") or row.concurrent > 1],
    ids=lambda row: row.name,
)
def test_with_capabilities_and_on_a_shared_line_it_is_close_each_time(row: Measured) -> None:
    assert error(row.course.total * 1000, row.total_ms) <= 0.10
    assert error(row.course.bytes, row.bytes) <= 0.05


@pytest.mark.parametrize("row", [row for row in ROWS if row.caps == "auto-converge"], ids=lambda row: row.name)
def test_auto_converge_takes_about_as_long_and_as_many_passes(row: Measured) -> None:
    assert row.course.verdict == "Converges"
    assert error(row.course.total * 1000, row.total_ms) <= 0.10
    assert error(row.course.bytes, row.bytes) <= 0.10
    assert abs(len(row.course.passes) - (row.syncs - 2)) <= 2
