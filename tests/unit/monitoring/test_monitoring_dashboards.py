"""The dashboards: committed as generated, every expression parses and reads what there is, and Grafana's conventions.

The rules are those of grafana/dashboard-linter, which is not in the registries that CI reaches.
"""

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from monitored import families, known, selectors

from mixin.__main__ import files
from mixin.boards import BOARDS, Board
from mixin.queries import executable, of_board

ROOT = Path(__file__).parents[3]
LINT: dict[str, dict[str, str]] = yaml.safe_load((ROOT / "monitoring" / "dashboards" / "lint.yaml").read_text())
"""Rule to series it does not hold for, each with the reason."""
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

boards = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)


def made(board: Board) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "monitoring" / "dashboards" / f"{board.uid}.json").read_text())
    return found


def panels(board: Board) -> list[dict[str, Any]]:
    return [panel for panel in made(board)["panels"] if panel["type"] != "row"]


def excused(rule: str, series: str) -> bool:
    return any(re.fullmatch(pattern, series) for pattern in LINT.get(rule, {}))


def test_what_is_committed_is_what_the_code_makes() -> None:
    for path, text in files().items():
        assert path.read_text() == text, f"{path}: run `make dashboards`"
    committed = set((ROOT / "monitoring" / "dashboards").glob("*.json"))
    assert committed <= set(files())


@boards
def test_every_expression_parses_and_reads_what_the_operator_tells(board: Board) -> None:
    for _, query in of_board(board):
        found = selectors(executable(query))
        assert found
        for selector in found:
            assert known(selector) == []


@boards
def test_grouping_is_by_labels_that_the_series_have(board: Board) -> None:
    for _, query in of_board(board):
        labels = {label for selector in selectors(executable(query)) for label in families()[selector.name]}
        labels |= {"job", "instance", "share"}
        for grouped in re.findall(r"\b(?:by|on)\s*\(([^)]+)\)", query.expr):
            assert {label.strip() for label in grouped.split(",")} <= labels, query.expr
        assert set(re.findall(r"{{(\w+)}}", query.legend)) <= labels, query.legend


@boards
def test_a_board_is_fixed_and_says_what_it_is(board: Board) -> None:
    told = made(board)
    assert told["uid"] == board.uid
    assert told["title"].startswith("Drover / ")
    assert (told["editable"], told["tags"], told["refresh"]) == (False, ["drover"], "1m")
    assert told["schemaVersion"] == 41
    assert told["description"]
    assert len(json.dumps(told)) < 2**20  # what a ConfigMap holds
    ids = [panel["id"] for panel in told["panels"]]
    assert len(ids) == len(set(ids))


@boards
def test_a_board_chooses_its_data_source_job_and_instance(board: Board) -> None:
    variables = {variable["name"]: variable for variable in made(board)["templating"]["list"]}
    source = variables.pop("datasource")
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    assert {"job", "instance"} <= set(variables)
    for name, variable in variables.items():
        assert variable["datasource"] == DATASOURCE
        assert (variable["label"], variable["multi"], variable["allValue"]) == (name, True, ".+")
        assert variable["refresh"] == 2  # on change of the time range
        selected = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
        assert selected
        promql_parser.parse(selected[1].replace("$job", ".+").replace("$namespace", ".+"))


@boards
def test_a_panel_has_a_title_a_description_a_unit_and_targets(board: Board) -> None:
    for panel in panels(board):
        assert panel["title"]
        assert panel["description"].endswith((".", ").")), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == DATASOURCE
        assert panel["targets"]
        assert all(target["datasource"] == DATASOURCE for target in panel["targets"])


@boards
def test_every_series_is_selected_by_job_and_instance(board: Board) -> None:
    for _, query in of_board(board):
        for selector in selectors(executable(query)):
            told = {(matcher.name, matcher.value) for matcher in selector.matchers.matchers}
            assert ("job", ".+") in told or excused("target-job", selector.name), query.expr
            assert ("instance", ".+") in told or excused("target-instance", selector.name), query.expr


@boards
def test_rates_follow_the_scrape_interval_and_counters_are_never_shown_raw(board: Board) -> None:
    for _, query in of_board(board):
        for used in re.findall(r"\bi?rate\([^\[]*\[([^\]]+)\]", query.expr):
            assert used == "$__rate_interval"
        for counter in re.findall(r"\b(\w+(?:_total|_bucket|_sum|_count))\{", query.expr):
            assert re.search(rf"(?:rate|increase)\({counter}\{{", query.expr), query.expr


def test_an_exception_to_a_rule_has_a_reason_and_is_needed() -> None:
    used = {s.name for board in BOARDS for _, query in of_board(board) for s in selectors(executable(query))}
    for rule, exceptions in LINT.items():
        for pattern, reason in exceptions.items():
            assert len(reason) > 20, rule
            assert any(re.fullmatch(pattern, name) for name in used), f"{rule}: {pattern} excuses nothing"
