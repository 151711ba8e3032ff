"""The archive on disk: appended to, torn by crashes, repeated by retries, and read back whole."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drover.control.metering.archive import Entry
from drover.kube.archive import Archive

NAMES = st.sampled_from(["team-a", "team-b"])
ENTRIES = st.builds(
    Entry,
    NAMES,
    st.just("VirtualMachine"),
    st.sampled_from(["web", 'we"b,1']),
    st.sampled_from(["uid-1", "uid-2"]),
    st.integers(1, 5),
    st.sampled_from(["2026-11-30", "2026-12-01"]),
    st.sampled_from(["vcpu", "memory"]),
    st.just("small"),
    st.just("Running"),
    st.just(2**70),
)


def entry(seq: int, namespace: str = "team-a", day: str = "2026-11-30") -> Entry:
    return Entry(namespace, "VirtualMachine", "web", "uid-1", seq, day, "vcpu", "small", "Running", 1000 + seq)


@given(st.lists(st.lists(ENTRIES, min_size=1, max_size=4), max_size=5))
@settings(max_examples=25)
def test_what_was_appended_is_read_once_however_often_it_was_repeated(batches: list[list[Entry]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        archive = Archive(Path(directory))
        for batch in [*batches, *batches[:2]]:
            archive.append(batch)
        expected = {row for batch in batches for row in batch}
        assert sorted(archive.read()) == sorted(expected)
        assert sorted(archive.read("team-a")) == sorted(row for row in expected if row.namespace == "team-a")


def test_a_namespace_has_a_file_a_month(tmp_path: Path) -> None:
    Archive(tmp_path).append([entry(1), entry(2, day="2026-12-01"), entry(3, namespace="team-b")])
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.csv"))
    assert files == ["team-a/2026-11.csv", "team-a/2026-12.csv", "team-b/2026-11.csv"]
    heading = (tmp_path / "team-a" / "2026-11.csv").read_text().splitlines()[0]
    assert heading == "namespace,kind,name,uid,seq,day,meter,sku,state,amount,check"


def test_wherever_a_crash_tears_the_last_line_no_row_is_wrong_and_the_repetition_is_whole(tmp_path: Path) -> None:
    archive, path = Archive(tmp_path), tmp_path / "team-a" / "2026-11.csv"
    archive.append([entry(1)])
    before = path.stat().st_size
    archive.append([entry(2)])
    whole = path.read_bytes()
    for length in range(before, len(whole)):
        path.write_bytes(whole[:length])
        assert set(archive.read()) <= {entry(1), entry(2)}
        archive.append([entry(2), entry(3)])
        assert sorted(archive.read()) == [entry(1), entry(2), entry(3)]


def test_a_directory_that_cannot_be_written_is_an_error_to_the_writer(tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.touch()
    with pytest.raises(OSError, match="file"):
        Archive(nowhere).append([entry(1)])


class Full(Archive):
    """A disk that is full the first time."""

    tries = 0

    def append(self, rows: Iterable[Entry]) -> None:
        self.tries += 1
        if self.tries == 1:
            raise OSError("no space left on device")
        super().append(rows)


async def test_a_write_waits_until_its_rows_are_on_disk_or_the_lease_is_lost(tmp_path: Path) -> None:
    archive = Full(tmp_path, pause=0.0)
    await archive.keep([entry(1)], lambda: True)
    assert list(archive.read()) == [entry(1)]
    await archive.keep([entry(2)], lambda: False)
    assert (archive.tries, list(archive.read())) == (2, [entry(1)])
