"""From the models to CustomResourceDefinitions: ``python -m drover.api.crd [--check] DIR``.

Pydantic's JSON schema is not what Kubernetes calls structural: references are inlined, ``anyOf`` with null
becomes an absent field, constants become enums, every list says how it merges, and every string and list is
bounded, or the API server refuses the CEL rules above it for their cost. What cannot be said structurally is
a `SchemaError` here rather than a refusal there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from drover.api.kinds import KINDS
from drover.api.meta import GROUP, VERSION, AnyResource, dump
from drover.api.schema import LIST_MAP_KEYS, LIST_TYPE, VALIDATIONS, Column

Schema = dict[str, Any]

_REF = "#/$defs/"
_COPIED = ("enum", "pattern", "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "default")
_KNOWN = {
    *_COPIED,
    *("type", "format", "description", "title", "const", "items", "properties", "required"),
    *("additionalProperties", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *(VALIDATIONS, LIST_TYPE, LIST_MAP_KEYS),
}
_AGE = Column("Age", ".metadata.creationTimestamp", "date")


class SchemaError(ValueError):
    """A model says what a structural schema cannot, or leaves out a bound; the message names the field."""


class _JsonSchema(GenerateJsonSchema):
    """Defaults as they look on the wire, because the API server checks them against the schema."""

    def encode_default(self, dft: Any) -> Any:
        return _without_empties(dump(dft)) if isinstance(dft, BaseModel) else super().encode_default(dft)


def crd(kind: type[AnyResource]) -> Schema:
    """The CustomResourceDefinition of a kind, as a JSON value."""
    names = {
        "kind": kind.KIND,
        "listKind": f"{kind.KIND}List",
        "plural": kind.PLURAL,
        "singular": kind.SINGULAR,
        "shortNames": list(kind.SHORT_NAMES),
        "categories": list(kind.CATEGORIES),
    }
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": open_api(kind)},
        "subresources": _subresources(kind),
        "additionalPrinterColumns": [_column(column) for column in (*kind.COLUMNS, _AGE)],
    }
    if kind.SELECTABLE:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.SELECTABLE]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if kind.NAMESPACED else "Cluster",
            "names": names,
            "versions": [version],
        },
    }


def open_api(kind: type[AnyResource]) -> Schema:
    """The structural schema of a kind. Only ``spec`` has defaults below it; a status starts unobserved."""
    raw = kind.model_json_schema(schema_generator=_JsonSchema)
    defs: Schema = raw.get("$defs", {})
    status = _without_defaults(structural(raw["properties"]["status"], defs, f"{kind.KIND}.status"))
    root: Schema = {
        "description": _prose(raw["description"]),
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(raw["properties"]["spec"], defs, f"{kind.KIND}.spec"),
            "status": {**status, "default": {"observedGeneration": -1}},
        },
        "required": ["spec"],
    }
    if VALIDATIONS in raw:
        root[VALIDATIONS] = raw[VALIDATIONS]
    return root


def structural(node: Schema, defs: Schema, at: str) -> Schema:
    """One node of pydantic's JSON schema and all below it, made structural. ``at`` names it in errors."""
    node = _inlined(node, defs, at)
    if unknown := node.keys() - _KNOWN:
        raise SchemaError(f"{at}: a structural schema has no {', '.join(sorted(unknown))}")
    out: Schema = {}
    if "description" in node:
        out["description"] = _prose(node["description"])
    kind = node.get("type", "string" if "const" in node else None)
    if kind is None:
        raise SchemaError(f"{at}: has no type")
    out["type"] = kind
    if kind == "integer":
        out["format"] = "int64"
    elif "format" in node:
        out["format"] = node["format"]
    if "const" in node:
        out["enum"] = [node["const"]]
    out |= {key: node[key] for key in _COPIED if node.get(key) is not None and not _empty_default(key, node[key])}
    out |= _range(node)
    if kind == "array":
        out |= _list(node, defs, at)
    elif kind == "object":
        out |= _object(node, defs, at)
    elif kind == "string" and not ({"enum", "maxLength", "format"} & out.keys()):
        raise SchemaError(f"{at}: a string needs max_length")
    if VALIDATIONS in node:
        out[VALIDATIONS] = node[VALIDATIONS]
    return out


def _inlined(node: Schema, defs: Schema, at: str) -> Schema:
    """``node`` with its reference or optional alternative folded in; what stands on the field wins."""
    if "$ref" in node:
        target = defs[node["$ref"].removeprefix(_REF)]
        return _inlined(_fold(target, {key: value for key, value in node.items() if key != "$ref"}), defs, at)
    if "anyOf" in node:
        choices = [choice for choice in node["anyOf"] if choice.get("type") != "null"]
        if len(choices) != 1:
            raise SchemaError(f"{at}: an untagged union is not structural")
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        return _inlined(_fold(choices[0], rest), defs, at)
    return node


def _fold(inner: Schema, outer: Schema) -> Schema:
    rules = [*inner.get(VALIDATIONS, []), *outer.get(VALIDATIONS, [])]
    return {**inner, **outer, **({VALIDATIONS: rules} if rules else {})}


def _list(node: Schema, defs: Schema, at: str) -> Schema:
    if "maxItems" not in node:
        raise SchemaError(f"{at}: a list needs max_length")
    out: Schema = {
        "items": structural(node["items"], defs, f"{at}[]"),
        LIST_TYPE: node.get(LIST_TYPE, "atomic"),
    }
    if LIST_MAP_KEYS in node:
        out[LIST_MAP_KEYS] = node[LIST_MAP_KEYS]
    return out


def _object(node: Schema, defs: Schema, at: str) -> Schema:
    if "properties" not in node and isinstance(node.get("additionalProperties"), dict):
        if "maxProperties" not in node:
            raise SchemaError(f"{at}: a map needs max_length")
        return {"additionalProperties": structural(node["additionalProperties"], defs, f"{at}{{}}")}
    if "properties" not in node and node.get("additionalProperties"):
        raise SchemaError(f"{at}: a map needs a type of value")
    properties = node.get("properties", {})
    out: Schema = {"properties": {name: structural(child, defs, f"{at}.{name}") for name, child in properties.items()}}
    if node.get("required"):
        out["required"] = node["required"]
    return out


def _range(node: Schema) -> Schema:
    """OpenAPI v3.0 says exclusive bounds with a flag, JSON schema with a number."""
    out: Schema = {}
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if bound in node:
            out[bound] = node[bound]
        if exclusive in node:
            out |= {bound: node[exclusive], exclusive: True}
    return out


def _empty_default(key: str, value: Any) -> bool:
    """An empty list, map or string means the same as none, and would only be noise on every object."""
    return key == "default" and value in ([], {}, "")


def _without_empties(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {key: _without_empties(child) for key, child in value.items()}
    return {key: child for key, child in kept.items() if child not in ([], {}, "")}


def _without_defaults(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_defaults(value) for key, value in node.items() if key != "default"}
    return node


def _prose(text: str) -> str:
    return " ".join(text.split())


def _subresources(kind: type[AnyResource]) -> Schema:
    if kind.SCALE is None:
        return {"status": {}}
    return {
        "status": {},
        "scale": {
            "specReplicasPath": kind.SCALE.spec_replicas,
            "statusReplicasPath": kind.SCALE.status_replicas,
            "labelSelectorPath": kind.SCALE.label_selector,
        },
    }


def _column(column: Column) -> Schema:
    priority = {"priority": column.priority} if column.priority else {}
    return {"name": column.name, "type": column.type, "jsonPath": column.path, **priority}


class _Dumper(yaml.SafeDumper):
    """YAML without anchors: what two models share is written twice, as people would."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def render() -> dict[str, str]:
    """File name to content, for every kind."""
    return {
        f"{kind.PLURAL}.yaml": f"# Generated from {kind.__module__} by `make crds`; do not edit.\n"
        + yaml.dump(crd(kind), Dumper=_Dumper, sort_keys=False, width=110)
        for kind in KINDS.values()
    }


def drift(directory: Path) -> list[str]:
    """The files of ``directory`` that are not what the models say, each with what is wrong."""
    wanted = render()
    present = {path.name: path.read_text() for path in directory.glob("*.yaml")}
    return sorted(
        f"{directory / name}: {'missing' if name not in present else 'differs from the models'}"
        for name, text in wanted.items()
        if present.get(name) != text
    ) + sorted(f"{directory / name}: no kind has this plural" for name in present.keys() - wanted.keys())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m drover.api.crd", description="Write the CRDs of every kind.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is out of date")
    options = parser.parse_args(arguments)
    if options.check:
        problems = drift(options.directory)
        for problem in problems:
            print(problem, file=sys.stderr)
        return 1 if problems else 0
    options.directory.mkdir(parents=True, exist_ok=True)
    for name, text in render().items():
        (options.directory / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
