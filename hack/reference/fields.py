"""The fields of a structural schema as rows, and the rules that stand on them, by their paths."""

from collections.abc import Iterator
from dataclasses import dataclass

from drover.api.crd import Schema
from drover.api.quantity import Duration, Quantity, Ratio
from drover.api.schema import LIST_MAP_KEYS, LIST_TYPE, VALIDATIONS

PATTERNS = {
    Quantity.PATTERN: "quantity",
    Ratio.PATTERN: "ratio",
    Duration.PATTERN: "duration",
    "^[0-9]+$": "digits",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}$": "day",
    "^[0-9]{4}-(0[1-9]|1[0-2])$": "month",
    "^[A-Z][A-Za-z0-9]*$": "word",
    "^[A-Z][A-Za-z0-9_]*$": "word",
}
"""What a text of a pattern is called; the page's introduction says how each is written."""


@dataclass(frozen=True)
class Field:
    """One field. ``default`` is as in YAML; empty where there is none, and for an object: its fields have theirs."""

    path: str
    type: str
    required: bool
    default: str
    description: str


@dataclass(frozen=True)
class Rule:
    """A CEL rule on what is at ``path``, and what a user is told where it fails."""

    path: str
    cel: str
    message: str


def fields(schema: Schema, at: str = "") -> Iterator[Field]:
    """Every field below ``schema``, outer ones first. ``at``: its own path."""
    required = schema.get("required", ())
    for path, name, child in _children(schema, at):
        if name:
            told = child.get("description", "")
            yield Field(path, type_of(child), name in required, _default(child), told)
        yield from fields(child, path)


def rules(schema: Schema, at: str = "") -> Iterator[Rule]:
    """Every rule on ``schema`` and below."""
    for rule in schema.get(VALIDATIONS, ()):
        yield Rule(at, rule["rule"], rule["message"])
    for path, _, child in _children(schema, at):
        yield from rules(child, path)


def _children(schema: Schema, at: str) -> Iterator[tuple[str, str, Schema]]:
    """(path, name, schema) of what is right below; items of a list and values of a map have no name."""
    if "items" in schema:
        yield f"{at}[]", "", schema["items"]
    elif "additionalProperties" in schema:
        yield f"{at}.*", "", schema["additionalProperties"]
    for name, child in schema.get("properties", {}).items():
        yield f"{at}.{name}".removeprefix("."), name, child


def type_of(schema: Schema) -> str:
    """A field's type and bounds in words: ``list (≤ 8) of object, by name``."""
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if "items" in schema:
        return f"list{_at_most(schema, 'maxItems')} of {type_of(schema['items'])}{_unique(schema)}"
    if "additionalProperties" in schema:
        return f"map{_at_most(schema, 'maxProperties')} to {type_of(schema['additionalProperties'])}"
    if schema["type"] == "string":
        return _text(schema)
    return f"{schema['type']}{_range(schema)}"


def _unique(schema: Schema) -> str:
    keys = schema.get(LIST_MAP_KEYS)
    return ", each once" if schema[LIST_TYPE] == "set" else f", by {' and '.join(keys)}" if keys else ""


def _text(schema: Schema) -> str:
    if "format" in schema:
        return "time"
    pattern = schema.get("pattern")
    if pattern in PATTERNS:
        return PATTERNS[pattern]
    return f"string{f' like `{pattern}`' if pattern else ''}{_at_most(schema, 'maxLength')}"


def _at_most(schema: Schema, bound: str) -> str:
    return f" (≤ {schema[bound]})" if bound in schema else ""


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" ({least} to {most})"
    if least is not None:
        return f" ({'>' if schema.get('exclusiveMinimum') else '≥'} {least})"
    return f" (≤ {most})" if most is not None else ""


def _default(schema: Schema) -> str:
    value = schema.get("default", "")
    return str(value).lower() if isinstance(value, bool) else "" if isinstance(value, dict) else str(value)
