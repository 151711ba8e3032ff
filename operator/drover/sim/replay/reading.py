"""Columns of comma-separated files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence


class TraceError(Exception):
    """A trace that cannot be read; names what is wrong and what is expected."""


def records(lines: Iterable[str], columns: Sequence[str], name: str) -> Iterator[tuple[str, ...]]:
    """These columns of every row, in this order. Raises TraceError where one is missing or a row is too short."""
    rows = csv.reader(lines)
    header = next(rows, [])
    if missing := [column for column in columns if column not in header]:
        raise TraceError(f"{name}: no column {', '.join(missing)} among {', '.join(header) or 'none'}")
    places = [header.index(column) for column in columns]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise TraceError(f"{name}: line {number} has {len(row)} values, the header has {len(header)}")
        yield tuple(row[place] for place in places)
