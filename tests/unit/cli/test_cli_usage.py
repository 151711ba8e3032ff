"""`drover usage --archive` tells what it cannot read, and reads around what is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from drover.cli.server import CommandError
from drover.cli.usage import archived_rows
from drover.control.metering.archive import Entry
from drover.kube.archive import Archive

ROW = Entry("team", "VirtualMachine", "web", "uid-1", 1, "2026-11-30", "vcpu", "small", "Running", 7)


def test_a_month_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    month = tmp_path / "team" / "2026-11.csv"
    month.mkdir(parents=True)
    with pytest.raises(CommandError) as refused:
        archived_rows(tmp_path, None)
    assert str(refused.value) == f"{month}: Is a directory: ask for the right to read it"


@pytest.mark.parametrize("line", [b"\xff\xfe\n", "team,VirtualMachine,web,u,²,d,vcpu,s,R,²,0\n".encode()])
def test_a_line_that_is_none_is_left_out(tmp_path: Path, line: bytes) -> None:
    Archive(tmp_path).append([ROW])
    with (tmp_path / "team" / "2026-11.csv").open("ab") as file:
        file.write(line)
    assert archived_rows(tmp_path, "team") == [ROW]
