"""The generated pages have every field and command, with types, bounds and defaults in words."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from drover.api.crd import open_api
from drover.api.kinds import KINDS
from drover.api.meta import AnyResource
from drover.api.quantity import Quantity
from drover.cli.main import MODULES
from reference import api, commands
from reference.fields import Field, Rule, fields, rules, type_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "string", "pattern": Quantity.PATTERN, "description": "How large."},
        "disks": {
            "type": "array",
            "maxItems": 4,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string", "maxLength": 63}},
                "x-kubernetes-validations": [{"rule": "self.name != ''", "message": "name it"}],
            },
        },
        "on": {"type": "boolean", "default": True},
        "placed": {
            "type": "object",
            "default": {"by": "hand"},
            "properties": {"by": {"type": "string", "enum": ["hand", "lot"], "default": "hand"}},
        },
    },
    "x-kubernetes-validations": [{"rule": "self.on", "message": "set on"}],
}


def test_fields_are_told_by_path_outer_ones_first() -> None:
    assert list(fields(SCHEMA)) == [
        Field("size", "quantity", True, "", "How large."),
        Field("disks", "list (≤ 4) of object, by name", False, "", ""),
        Field("disks[].name", "string (≤ 63)", False, "", ""),
        Field("on", "boolean", False, "true", ""),
        Field("placed", "object", False, "", ""),
        Field("placed.by", "hand, lot", False, "hand", ""),
    ]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_default_of_an_object_is_that_of_its_fields_so_that_these_tell_it(kind: type[AnyResource]) -> None:
    def differing(schema: dict[str, Any], at: str) -> Iterator[str]:
        for name, child in schema.get("properties", {}).items():
            whole = child.get("default")
            if isinstance(whole, dict):
                own = {name: field.get("default") for name, field in child["properties"].items()}
                yield from (f"{at}.{name}.{key}" for key in whole if whole[key] != own[key])
            yield from differing(child.get("items", child), f"{at}.{name}")

    assert list(differing(open_api(kind)["properties"]["spec"], "spec")) == []


def test_rules_are_told_by_the_path_they_stand_on() -> None:
    assert list(rules(SCHEMA)) == [Rule("", "self.on", "set on"), Rule("disks[]", "self.name != ''", "name it")]


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "integer (1 to 9)"),
        ({"type": "integer", "minimum": 0}, "integer (≥ 0)"),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, "number (> 0)"),
        ({"type": "number", "maximum": 1}, "number (≤ 1)"),
        ({"type": "number"}, "number"),
        ({"type": "string", "format": "date-time"}, "time"),
        ({"type": "string", "pattern": "^[0-9a-f]{64}$", "maxLength": 64}, "string like `^[0-9a-f]{64}$` (≤ 64)"),
        (
            {"type": "object", "maxProperties": 8, "additionalProperties": {"type": "integer", "minimum": 0}},
            "map (≤ 8) to integer (≥ 0)",
        ),
        (
            {"type": "array", "maxItems": 2, "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "list (≤ 2) of string, each once",
        ),
    ],
)
def test_types_and_bounds_are_told_in_words(schema: dict[str, Any], told: str) -> None:
    assert type_of(schema) == told


def test_the_page_of_the_api_has_rows_of_as_many_cells_as_their_tables() -> None:
    tables = re.findall(r"(?:^\|.*\|\n)+", api.page(), re.MULTILINE)
    assert len(tables) > 40
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_the_page_of_commands_has_each_of_them_and_links_that_lead_to_them() -> None:
    page = commands.page()
    headings = set(re.findall(r"^#{2,3} (drover .+)$", page, re.MULTILINE))
    assert {f"drover {name}" for name in MODULES} | {"drover plan show", "drover top vms", "drover version"} <= headings
    assert set(re.findall(r"\(#([\w-]+)\)", page)) <= {heading.replace(" ", "-") for heading in headings}
    assert "[default" not in page
    assert "`--wait`: Follow it to its end; code 1 if the VM stays." in page
