"""The alerts: promtool takes the rules, each alert fires and does not fire, and each has its runbook."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from monitored import known, selectors

from mixin.alerts import ALERTS, Alert
from mixin.alerts.alert import runbooks
from mixin.binaries import MissingProgramError, find
from mixin.rules import RECORDED, manifest

ROOT = Path(__file__).parents[3]
CASES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "alert_cases.yaml").read_text())
SECTIONS = ("Meaning", "Impact", "Diagnosis", "Mitigation")


@pytest.fixture(scope="module")
def promtool() -> Path:
    try:
        return find("promtool")
    except MissingProgramError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rule file that the manifest's spec is."""
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump(manifest()["spec"]))
    return path


def run(promtool: Path, *arguments: object) -> None:
    done = subprocess.run([promtool, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_rules(promtool: Path, rules: Path) -> None:
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", rules)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_fires_with_numbers_and_does_not_fire_without_cause(
    alert: Alert, promtool: Path, rules: Path, tmp_path: Path
) -> None:
    case, rule = CASES[alert.name], alert.rule()
    expected = {
        "exp_labels": rule["labels"] | case.get("labels", {}),
        "exp_annotations": rule["annotations"] | {key: case[key] for key in ("summary", "description")},
    }
    document = {
        "rule_files": [str(rules)],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": str(values)} for name, values in series.items()],
                "alert_rule_test": [{"eval_time": case["at"], "alertname": alert.name, "exp_alerts": alerts}],
            }
            for series, alerts in ((case["fires"], [expected]), (case["quiet"], []))
        ],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(document))
    run(promtool, "test", "rules", path)


def test_every_case_is_of_an_alert_and_of_its_metrics() -> None:
    assert set(CASES) == {alert.name for alert in ALERTS}
    for case in CASES.values():
        for series in (*case["fires"], *case["quiet"]):
            for selector in selectors(series):
                assert known(selector) == []


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_has_a_runbook_that_says_what_to_do(alert: Alert) -> None:
    page = (ROOT / "docs" / "runbooks" / f"{alert.name.lower()}.md").read_text()
    assert page.startswith(f"# {alert.name}\n")
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == list(SECTIONS)
    assert alert.rule()["annotations"]["runbook_url"].endswith(f"/{alert.name.lower()}")


@pytest.mark.parametrize("url", ["https://docs.example.org/drover", "https://docs.example.org/drover/"])
def test_runbooks_are_below_the_url_of_the_site(url: str) -> None:
    assert runbooks(f"site_name: Drover\nsite_url: {url}\n") == "https://docs.example.org/drover/runbooks"


def test_a_site_without_a_url_is_refused() -> None:
    with pytest.raises(ValueError, match=r"mkdocs\.yml has no site_url"):
        runbooks("site_name: Drover\n# site_url: https://docs.example.org\n")


def test_no_runbook_is_left_of_an_alert_that_is_no_more() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")} - {"index"}
    assert pages == {alert.name.lower() for alert in ALERTS}


@pytest.mark.parametrize("expression", [*RECORDED.values(), *(alert.expr for alert in ALERTS)])
def test_a_rule_reads_only_what_the_operator_tells(expression: str) -> None:
    assert selectors(expression)
    for selector in selectors(expression):
        assert known(selector) == []
