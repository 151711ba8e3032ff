"""`drover simulate` tells what the operator makes of manifests, and says what is wrong with those it cannot read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from drover.cli.simulate import simulate
from drover.sim import cloud


def vm(name: str, flavor: str) -> dict[str, Any]:
    spec = {"flavorRef": {"name": flavor}, "imageRef": {"name": "debian"}}
    return cloud.manifest("VirtualMachine", name, spec, "team-a")


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    """A cloud with a VM that fits and is moved, and one that never fits."""
    move = cloud.manifest("VirtualMachineMigration", "move", {"virtualMachineName": "a"}, "team-a")
    (tmp_path / "cloud.yaml").write_text(yaml.safe_dump_all(cloud.base(1)))
    (tmp_path / "vms.yaml").write_text(yaml.safe_dump_all([vm("a", "medium"), vm("b", "giant"), move]))
    return tmp_path


def drover_simulate(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(simulate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_json_has_phases_migrations_and_who_waits_for_what(manifests: Path) -> None:
    result = drover_simulate(manifests, "--for", "10m", "--seed", 3, "-o", "json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["phases"] == {"Running": 1, "Unschedulable": 1}
    assert told["simulated_seconds"] <= 600
    assert [line["virtual_machine"] for line in told["waiting"]] == ["team-a/b"]
    move = told["migrations"][0]
    assert (move["phase"], move["sent_bytes"] > 0, move["passes"] > 0) == ("Succeeded", True, True)
    assert move["downtime_predicted_ms"] > 0
    assert told["failures"] == []
    assert {"Scheduled", "SuccessfulMigration", "FailedScheduling"} <= {line["reason"] for line in told["timeline"]}


def test_a_folder_is_read_as_kubectl_reads_it_without_the_folders_in_it(manifests: Path) -> None:
    (manifests / "variants").mkdir()
    (manifests / "variants" / "again.yaml").write_text(yaml.safe_dump(vm("a", "medium")))
    result = drover_simulate(manifests, "--for", "1m", "-o", "json")
    assert result.exit_code == 0, result.output


def test_text_tells_the_timeline_and_a_summary(manifests: Path) -> None:
    result = drover_simulate(manifests, "--for", "10m")
    assert result.exit_code == 0, result.output
    assert "Scheduled on " in result.stdout
    assert "VMs: 1 Running, 1 Unschedulable" in result.stdout
    assert "team-a/b Unschedulable" in result.stdout


def test_the_same_seed_tells_the_same_and_faults_change_it(manifests: Path) -> None:
    one, again, faulty = (
        drover_simulate(manifests, "--for", "1h", "-o", "json", *faults).stdout for faults in ([], [], ["--faults"])
    )
    assert one == again
    assert one != faulty


def test_what_the_schema_refuses_is_told_and_not_simulated(tmp_path: Path) -> None:
    bad = cloud.flavor("small")
    bad["spec"]["cpu"]["guest"] = 0
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(bad))
    result = drover_simulate(tmp_path)
    assert result.exit_code == 1
    assert "spec.cpu.guest" in result.stderr


def test_text_tells_messages_as_they_are(tmp_path: Path) -> None:
    odd = vm("a", "[/x]")
    (tmp_path / "cloud.yaml").write_text(yaml.safe_dump_all([*cloud.base(1), odd]))
    result = drover_simulate(tmp_path, "--for", "1m")
    assert result.exit_code == 0, result.output
    assert "flavor [/x] does not exist" in result.stdout


def test_a_time_beyond_the_calendar_is_refused(manifests: Path) -> None:
    result = drover_simulate(manifests, "--for", "99999999999d")
    assert result.exit_code == 2
    assert "--for 99999999999d is above 3660 days: simulate" in " ".join(result.stderr.split())


@pytest.mark.parametrize("text", ["1 hour", "h", "-5m", ""])
def test_a_duration_that_is_none_is_refused(manifests: Path, text: str) -> None:
    result = drover_simulate(manifests, "--for", text)
    assert result.exit_code == 2
    assert f"--for {text!r} is not a duration" in " ".join(result.stderr.split())
