"""`drover simulate --trace` replays a trace, tells and draws what policies come to, and refuses what means nothing."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from drover.cli.simulate import simulate

COLUMNS = "arrive_s,batch,vcpu,mem_gib,life_lo_s,life_hi_s,censored"


@pytest.fixture
def azure(tmp_path: Path) -> Path:
    """A day of bursts."""
    rng = random.Random(1)
    rows = [
        f"{burst * 900},{burst},{vcpus},{vcpus * 1.75},{life},{life * 1.2},{int(rng.random() < 0.05)}"
        for burst in range(96)
        for vcpus, life in [(rng.choice((1, 2, 4, 8, 16)), rng.choice((600, 1800, 14400))) for _ in range(8)]
    ]
    path = tmp_path / "azure.csv.gz"
    path.write_bytes(gzip.compress("\n".join([COLUMNS, *rows]).encode()))
    return path


@pytest.fixture
def huawei(tmp_path: Path) -> Path:
    """A small rack and a large one, and a group of four that only the large one holds."""
    folder = tmp_path / "huawei"
    folder.mkdir()
    (folder / "pm_res.csv").write_text("CPU1,RAM1,CPU2,RAM2\n4,8,4,8\n" + "8,16,8,16\n" * 2)
    (folder / "topology_provider.csv").write_text("host_id,rack_id\nhost-0,0\nhost-1,1\nhost-2,1\n")
    header = "flavor_vcpus,flavor_ram,numa,strategy,group,domain\n"
    (folder / "vm_data_c1.csv").write_text(header + "8,16,2,affinity,0.0,\n" * 4)
    return folder


def drover_simulate(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(simulate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_json_has_every_policy_beside_the_bound(azure: Path) -> None:
    result = drover_simulate("--trace", "azure2017", azure, "-o", "json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["virtual_machines"] == 768
    over = {line["policy"]: line["host_hours_over_percent"] for line in told["policies"]}
    assert list(over) == ["Pack", "Balance", "First fit", "Pack, lifetimes", "Pack, drained"]
    assert 0 <= over["Pack"] < over["Balance"]
    for line in told["policies"]:
        assert line["host_hours"] == pytest.approx(told["bound"]["host_hours"] * (1 + over[line["policy"]] / 100))
        assert line["peak_hosts"] >= told["bound"]["peak_hosts"]


def test_the_drain_budget_decides_how_much_is_moved(azure: Path) -> None:
    none, some, most = (
        json.loads(drover_simulate("--trace", "azure2017", azure, "-o", "json", "--drain-budget", budget).stdout)
        for budget in (0, 0.05, 1)
    )
    moved = [told["policies"][-1]["migrations"] for told in (none, some, most)]
    assert moved[0] == 0 < moved[1] < moved[2]


def test_text_is_one_line_a_policy(azure: Path) -> None:
    result = drover_simulate("--trace", "azure2017", azure)
    assert result.exit_code == 0, result.output
    assert "768 VMs; bound: " in result.stdout
    assert [line.split()[0] for line in result.stdout.splitlines()[4:9]] == [
        "Pack",
        "Balance",
        "First",
        "Pack,",
        "Pack,",
    ]


def test_the_plot_is_a_picture(azure: Path, tmp_path: Path) -> None:
    result = drover_simulate("--trace", "azure2017", azure, "--plot", tmp_path / "hosts.png")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "hosts.png").read_bytes().startswith(b"\x89PNG")


def test_the_seed_draws_the_lifetimes_and_is_0_unless_told(azure: Path) -> None:
    unsaid, zero, one = (
        drover_simulate("--trace", "azure2017", azure, "-o", "json", *seed).stdout
        for seed in ([], ["--seed", 0], ["--seed", 1])
    )
    assert unsaid == zero != one


def test_refusals_are_told_with_and_without_looking_ahead(huawei: Path) -> None:
    result = drover_simulate("--trace", "huawei-topology", huawei, "-o", "json")
    assert result.exit_code == 0, result.output
    refused = {(line["strategy"], line["looking_ahead"]): line["refused"] for line in json.loads(result.stdout)}
    assert refused["Pack", False] == 3
    assert refused["Pack", True] == refused["Balance", True] == 0
    text = drover_simulate("--trace", "huawei-topology", huawei).stdout
    assert "vm_data_c1" in text
    assert "Pack, look-ahead" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trace", "azure2017", "--faults"], "--faults means nothing with --trace azure2017"),
        (["--trace", "azure2017", "--for", "1h"], "--for means nothing with --trace azure2017"),
        (["--trace", "huawei-topology", "--plot", "x.png"], "--plot means nothing with --trace huawei-topology"),
        (["--drain-budget", "0.1"], "--drain-budget means nothing with manifests"),
        (["--trace", "azure2017", "."], "--trace replays one file or folder, not 2"),
        (["--trace", "azure2018"], "azure2018"),
    ],
)
def test_options_that_mean_nothing_are_refused(azure: Path, arguments: list[str], message: str) -> None:
    result = drover_simulate(azure, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", "").split())


@pytest.mark.parametrize(
    ("trace", "content", "message"),
    [
        ("azure2017", "arrive_s\n0\n", "no column vcpu, mem_gib"),
        ("azure2017", f"{COLUMNS}\n", "no rows"),
        ("huawei-topology", "", "pm_res.csv"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, trace: str, content: str, message: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(content)
    result = drover_simulate("--trace", trace, path if trace == "azure2017" else tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr


def test_a_folder_without_cases_is_told(huawei: Path) -> None:
    (huawei / "vm_data_c1.csv").unlink()
    result = drover_simulate("--trace", "huawei-topology", huawei)
    assert result.exit_code == 1
    assert "vm_data_*.csv" in result.stderr
