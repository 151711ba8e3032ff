"""The generator: what pydantic says, as a structural schema; and what it refuses to say."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field, TypeAdapter

from drover.api import crd
from drover.api.crd import SchemaError, structural
from drover.api.kinds import KINDS
from drover.api.meta import Model
from drover.api.quantity import Quantity, Ratio
from drover.api.schema import ListMap, ListSet, Rule, immutable

ROOT = Path(__file__).parents[3]


class Leaf(Model):
    """A leaf."""

    RULES = (Rule("self.name != ''", "name must not be empty"),)

    name: Annotated[str, Field(max_length=8)]


class Empty(Model):
    """Nothing."""


class WithDefaults(Model):
    """Nested."""

    some_share: Ratio = Ratio("0.5")


def schema(annotation: Any) -> dict[str, Any]:
    raw = TypeAdapter(annotation).json_schema(schema_generator=crd._JsonSchema)
    return structural({k: v for k, v in raw.items() if k != "$defs"}, raw.get("$defs", {}), "it")


QUANTITY = {"type": "string", "pattern": Quantity.PATTERN, "maxLength": 32}


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, {"type": "integer", "format": "int64"}),
        (
            Annotated[int, Field(ge=1, le=9)],
            {"type": "integer", "format": "int64", "minimum": 1, "maximum": 9},
        ),
        (Annotated[float, Field(gt=0)], {"type": "number", "minimum": 0, "exclusiveMinimum": True}),
        (Annotated[float, Field(lt=1)], {"type": "number", "maximum": 1, "exclusiveMaximum": True}),
        (bool, {"type": "boolean"}),
        (datetime, {"type": "string", "format": "date-time"}),
        (Literal["A", "B"], {"type": "string", "enum": ["A", "B"]}),
        (Literal["A"], {"type": "string", "enum": ["A"]}),
        (Quantity, QUANTITY),
        (Quantity | None, QUANTITY),
        (
            Annotated[tuple[int, ...], Field(max_length=3)],
            {
                "type": "array",
                "maxItems": 3,
                "items": {"type": "integer", "format": "int64"},
                "x-kubernetes-list-type": "atomic",
            },
        ),
        (
            Annotated[dict[str, Quantity], Field(max_length=4)],
            {"type": "object", "maxProperties": 4, "additionalProperties": QUANTITY},
        ),
        (Empty, {"type": "object", "description": "Nothing.", "properties": {}}),
        (
            WithDefaults,
            {
                "type": "object",
                "description": "Nested.",
                "properties": {
                    "someShare": {
                        "type": "string",
                        "pattern": Ratio.PATTERN,
                        "maxLength": 16,
                        "default": "0.5",
                    }
                },
            },
        ),
    ],
)
def test_a_python_type_becomes_a_structural_schema(annotation: Any, expected: dict[str, Any]) -> None:
    assert schema(annotation) == expected


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        (str, "it: a string needs max_length"),
        (tuple[int, ...], "it: a list needs max_length"),
        (dict[str, int], "it: a map needs max_length"),
        (dict[str, Any], "it: a map needs a type of value"),
        (int | bool, "it: an untagged union is not structural"),
        (tuple[int, bool], "it: a structural schema has no prefixItems"),
        (Any, "it: has no type"),
        (Annotated[tuple[str, ...], Field(max_length=1)], r"it\[\]: a string needs max_length"),
    ],
)
def test_what_is_not_structural_or_not_bounded_is_refused_by_its_place(annotation: Any, why: str) -> None:
    with pytest.raises(SchemaError, match=f"^{why}"):
        schema(annotation)


def test_rules_of_a_model_and_of_its_field_both_apply() -> None:
    class Outer(Model):
        leaf: Annotated[Leaf | None, immutable("leaf", "make another")] = None
        """The leaf."""

    leaf = schema(Outer)["properties"]["leaf"]
    assert leaf["description"] == "The leaf."
    assert [rule["message"] for rule in leaf["x-kubernetes-validations"]] == [
        "name must not be empty",
        "leaf is immutable: make another",
    ]
    assert "default" not in leaf


def test_several_rules_on_one_field_keep_their_order() -> None:
    size = schema(Annotated[Quantity, Rule("a", "first"), Rule("b", "second")])
    assert [rule["message"] for rule in size["x-kubernetes-validations"]] == ["first", "second"]


def test_a_map_list_names_its_keys() -> None:
    leaves = schema(Annotated[tuple[Leaf, ...], ListMap(("name",)), Field(max_length=2)])
    assert leaves["x-kubernetes-list-type"] == "map"
    assert leaves["x-kubernetes-list-map-keys"] == ["name"]
    assert leaves["items"]["required"] == ["name"]


def test_a_set_says_so_and_stays_bounded() -> None:
    traits = schema(Annotated[tuple[Annotated[str, Field(max_length=8)], ...], ListSet(), Field(max_length=2)])
    assert traits == {
        "type": "array",
        "maxItems": 2,
        "items": {"type": "string", "maxLength": 8},
        "x-kubernetes-list-type": "set",
    }


def test_what_is_empty_by_default_is_not_written_on_objects() -> None:
    class Inner(Model):
        text: Annotated[str, Field(max_length=8)] = ""
        labels: Annotated[dict[str, int], Field(max_length=2)] = Field(default_factory=dict)
        share: Ratio = Ratio("0.5")

    class Outer(Model):
        inner: Inner = Inner()

    inner = schema(Outer)["properties"]["inner"]
    assert inner["default"] == {"share": "0.5"}
    assert [name for name, child in inner["properties"].items() if "default" in child] == ["share"]


def test_a_nested_default_is_written_out_in_full() -> None:
    class Outer(Model):
        inner: WithDefaults = WithDefaults()

    assert schema(Outer)["properties"]["inner"]["default"] == {"someShare": "0.5"}


@pytest.mark.parametrize("kind", KINDS.values(), ids=sorted(KINDS))
def test_a_status_has_no_default_but_that_nobody_has_looked(kind: Any) -> None:
    def defaults(node: Any) -> list[Any]:
        if not isinstance(node, dict):
            return []
        own = [node["default"]] if "default" in node else []
        return own + [default for child in node.values() for default in defaults(child)]

    status = crd.open_api(kind)["properties"]["status"]
    assert status.pop("default") == {"observedGeneration": -1}
    assert defaults(status) == []


def test_writing_twice_gives_the_same_bytes() -> None:
    assert crd.render() == crd.render()


def test_the_committed_crds_are_what_the_models_say() -> None:
    assert crd.drift(ROOT / "crds") == []


def test_the_yaml_has_no_anchors_and_reads_back(tmp_path: Path) -> None:
    assert crd.main([str(tmp_path)]) == 0
    for kind in KINDS.values():
        text = (tmp_path / f"{kind.PLURAL}.yaml").read_text()
        assert "&id" not in text
        assert yaml.safe_load(text) == crd.crd(kind)


def test_check_names_what_drifted_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crd.main([str(tmp_path)])
    assert crd.main(["--check", str(tmp_path)]) == 0
    (tmp_path / "hosts.yaml").write_text("kind: Nonsense\n")
    (tmp_path / "images.yaml").unlink()
    (tmp_path / "toasters.yaml").write_text("")
    assert crd.main(["--check", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}/hosts.yaml: differs from the models",
        f"{tmp_path}/images.yaml: missing",
        f"{tmp_path}/toasters.yaml: no kind has this plural",
    ]
    assert (tmp_path / "hosts.yaml").read_text() == "kind: Nonsense\n"
