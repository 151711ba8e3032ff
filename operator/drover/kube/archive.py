"""The archive of usage: a directory with a CSV file a namespace and month, only ever appended to."""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from drover.control.metering.archive import Entry, digest, rows_for
from drover.control.ports import Write
from drover.control.world import World

log = logging.getLogger(__name__)

CHECK = "check"
"""Heading of the last column: eight digits of the row's SHA-256, by which a torn line is told from a row."""


class Archive:
    """Written before the record that has the rows in its sums is, so none is missing; a row may be there twice."""

    def __init__(self, directory: Path, pause: float = 5.0) -> None:
        """A write that failed is tried again after ``pause`` seconds."""
        self._directory = directory
        self._pause = pause

    async def before(self, write: Write, world: World, go_on: Callable[[], bool]) -> None:
        """Keep what this write settles."""
        await self.keep(rows_for(write, world), go_on)

    async def keep(self, rows: Sequence[Entry], go_on: Callable[[], bool]) -> None:
        """Append rows. Returns once they are on disk, or ``go_on`` says that they need not be."""
        while rows and go_on():
            try:
                await asyncio.to_thread(self.append, rows)
                return
            except OSError as error:
                log.error("usage archive cannot be written, trying again", extra={"rows": len(rows), "error": error})
            await asyncio.sleep(self._pause)

    def append(self, rows: Iterable[Entry]) -> None:
        """Durable when it returns. Raises OSError."""
        files: dict[Path, list[Entry]] = defaultdict(list)
        for row in rows:
            files[self._path(row.namespace, row.day[:7])].append(row)
        for path, lines in files.items():
            _append(path, lines)

    def read(self, namespace: str | None = None) -> Iterator[Entry]:
        """Every row once, of one namespace where one is named. A line that a crash has torn is left out: its write was
        never sent, and what it told is told again. Raises OSError."""
        for path in sorted(self._directory.glob(f"{namespace or '*'}/*.csv")):
            seen = set()
            with path.open(newline="", encoding="utf-8", errors="replace") as file:  # what is torn fails its check
                for cells in csv.reader(file):
                    row = _parsed(cells)
                    if row is not None and row.key not in seen:
                        seen.add(row.key)
                        yield row

    def _path(self, namespace: str, month: str) -> Path:
        return self._directory / namespace / f"{month}.csv"


def _append(path: Path, rows: list[Entry]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if file.tell() == 0:
            writer.writerow((*Entry._fields, CHECK))
        else:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                text.write("\n")  # the last writer was killed in the middle of a line
        writer.writerows((*row, _check(row)) for row in rows)
        file.write(text.getvalue().encode())
        file.flush()
        os.fsync(file.fileno())


def _parsed(cells: list[str]) -> Entry | None:
    """The row of a line; None for a heading and for what is none."""
    if len(cells) != len(Entry._fields) + 1 or not (cells[4].isdecimal() and cells[9].isdecimal()):
        return None
    namespace, kind, name, uid, seq, day, meter, sku, state, amount, check = cells
    row = Entry(namespace, kind, name, uid, int(seq), day, meter, sku, state, int(amount))
    return row if check == _check(row) else None


def _check(row: Entry) -> str:
    return digest(row).hex()[:8]
