"""`drover estimate` tells a migration pass by pass, from options or a file, and names what has to be mended."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from typer.testing import CliRunner, Result

from drover.cli.estimate import estimate
from drover.cli.scenario import Preset
from drover.model.migration import PRESETS

SCENARIO: dict[str, Any] = {
    "memoryBytes": 1 << 30,
    "zeroBytes": 180_000_000,
    "pageBytes": 4096,
    "dirty": [{"kind": "cyclic", "workingSetBytes": 268_435_456, "pagesPerSecond": 16000}],
    "capBytesPerSecond": 125e6,
    "lineBytesPerSecond": 1.4e9,
    "maxDowntimeMs": 300,
    "deviceStateMs": 4,
    "preset": "qemu",
}
OPTIONS = "--memory 8Gi --dirty-rate 100Mi --hot-set 256Mi --bandwidth 1Gbit --max-downtime 300ms --preset qemu"


def command(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(estimate)
    return CliRunner().invoke(app, arguments)


def from_file(path: Path, **changes: Any) -> Result:
    path.write_text(json.dumps({**SCENARIO, **changes}))
    return command("--file", str(path), "-o", "json")


def test_options_give_a_table_of_passes_and_the_totals() -> None:
    told = command(*OPTIONS.split())
    assert told.exit_code == 0
    assert told.output.startswith("Converges (DowntimeLimit)")
    assert "Pass" in told.output
    assert "downtime 300 ms" in told.output


def test_a_file_gives_json_whose_figures_agree(tmp_path: Path) -> None:
    told = json.loads(from_file(tmp_path / "scenario.json").output)
    assert told["verdict"] == "Converges"
    assert told["reason"] == "DowntimeLimit"
    passes = told["passes"]
    assert [each["index"] for each in passes] == list(range(1, len(passes) + 1))
    assert told["bytes"] == pytest.approx(sum(each["bytes"] for each in passes) + passes[-1]["remainingBytes"], abs=99)
    assert told["totalSeconds"] == pytest.approx(
        0.002 + sum(each["seconds"] for each in passes) + told["downtimeMs"] / 1000, abs=1e-4
    )
    assert told["blackoutMs"] >= told["downtimeMs"] > 4


def test_a_guest_that_beats_the_link_is_said_not_to_converge(tmp_path: Path) -> None:
    faster = [{"kind": "cyclic", "workingSetBytes": 268_435_456, "pagesPerSecond": 40000}]
    told = json.loads(from_file(tmp_path / "scenario.json", dirty=faster).output)
    assert (told["verdict"], told["downtimeMs"]) == ("DoesNotConverge", 0)


def test_measured_points_are_seconds_and_pages(tmp_path: Path) -> None:
    points = [{"kind": "points", "points": [[0.5, 2000], [1, 3000], [5, 9000]]}]
    told = json.loads(from_file(tmp_path / "scenario.json", dirty=points, preset="textbook").output)
    first = told["passes"][0]
    assert first["remainingBytes"] == pytest.approx((9000 + (first["seconds"] - 5) * 1500) * 4104, rel=1e-3)


def test_what_is_left_out_has_defaults(tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    path.write_text('{"memoryBytes": 1e9, "lineBytesPerSecond": 1e8}')
    told = json.loads(command("--file", str(path), "-o", "json").output)
    assert told["totalSeconds"] == pytest.approx(1e9 / 4096 * 4104 / 1e8, rel=0.01)


def test_what_remains_is_drawn_in_the_terminal() -> None:
    lines = command(*OPTIONS.split()).output.splitlines()
    top = lines.index("8Gi remain")
    rows = lines[top + 1 : top + 11]
    assert all(row.startswith("|") and len(row) == 61 for row in rows)
    filled = [row.count("█") for row in rows]
    assert filled == sorted(filled)
    assert lines[top + 11].startswith("0 s---")


def test_noise_gives_a_band() -> None:
    told = command(*OPTIONS.split(), "--noise", "0.3")
    assert re.search(r"8 in 10 take [0-9.]+ to [0-9.]+ s, with a downtime of \d+ to \d+ ms", told.output)
    band = json.loads(command(*OPTIONS.split(), "--noise", "0.3", "-o", "json").output)["band"]
    assert band["totalSeconds"]["p10"] < band["totalSeconds"]["p50"] < band["totalSeconds"]["p90"]


def test_each_knob_ends_what_would_not_end(tmp_path: Path) -> None:
    faster = [{"kind": "cyclic", "workingSetBytes": 268_435_456, "pagesPerSecond": 40000}]
    path = tmp_path / "scenario.json"
    told = json.loads(from_file(path, dirty=faster).output)
    assert told["limitedBy"] == "DirtyRate"
    assert "what helps: auto-converge (" in told["message"]
    assert "bandwidth " in told["message"]
    slowed = json.loads(from_file(path, dirty=faster, autoConverge=True).output)
    pulled = json.loads(from_file(path, dirty=faster, postCopy=True).output)
    assert slowed["verdict"] == pulled["verdict"] == "Converges"
    assert slowed["totalSeconds"] > 20
    assert pulled["downtimeMs"] == pytest.approx(4)
    assert pulled["postCopySeconds"] > 0.1


def test_every_preset_of_the_model_can_be_named() -> None:
    assert get_args(Preset) == tuple(PRESETS)


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "rest.png"
    assert command(*OPTIONS.split(), "--plot", str(path)).exit_code == 0
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--memory 8Gi", "--memory and --bandwidth are needed"),
        ("--memory 8Gib --bandwidth 1Gbit", "--memory 8Gib: write bytes as 8Gi"),
        ("--memory 0 --bandwidth 1Gbit", "--memory 0: a VM has more"),
        ("--memory 8Gi --bandwidth fast", "--bandwidth fast: write a rate as 1Gbit"),
        ("--memory 8Gi --bandwidth 1Gbit --max-downtime 300", "--max-downtime 300: write a duration as 300ms"),
        ("--memory 1Gi --bandwidth 1Gbit --hot-set 2Gi", "--hot-set 2Gi and --zero 0 do not fit --memory 1Gi"),
        ("--memory 1Gi --file x.json", "--file has the whole scenario: leave out --memory"),
        ("--file x.json --preset xen", "--file has the whole scenario: leave out --preset"),
        ("--file /nowhere.json", "/nowhere.json: No such file"),
    ],
)
def test_options_that_cannot_be_are_named_with_the_mend(options: str, said: str) -> None:
    told = command(*options.split())
    assert told.exit_code == 1
    assert f"error: {said}" in told.output
    assert told.output.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"memoryByte": 1}, "memoryByte: unknown field"),
        ({"memoryBytes": 0}, "memoryBytes: Input should be greater than 0"),
        ({"preset": "vmware"}, "preset: Input should be 'textbook'"),
        ({"zeroBytes": 1 << 31}, "zeroBytes 2147483648 is above memoryBytes 1073741824"),
        ({"zeroBytes": 1e9}, "workingSetBytes 268435456 in all do not fit memoryBytes - zeroBytes = 73741824"),
        ({"dirty": [{"kind": "cyclic"}]}, "kind cyclic needs workingSetBytes"),
        ({"dirty": [{"kind": "points", "points": [[1, 2]]}]}, "kind points needs points"),
        ({"dirty": [{"kind": "points", "points": [[1, 2], [0, 3]]}]}, "dirty: points must grow in time"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_field(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    told = from_file(tmp_path / "scenario.json", **changes)
    assert told.exit_code == 1
    assert said in told.output
    assert told.output.count("\n") == 1


def test_a_file_that_is_not_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    path.write_text("memory: 8Gi")
    assert "not JSON" in command("--file", str(path)).output
