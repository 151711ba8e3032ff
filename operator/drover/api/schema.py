"""How a model says what only the API server can enforce or show: CEL rules, map lists, columns, bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

VALIDATIONS = "x-kubernetes-validations"
LIST_TYPE = "x-kubernetes-list-type"
LIST_MAP_KEYS = "x-kubernetes-list-map-keys"


@dataclass(frozen=True)
class Rule:
    """A CEL rule over the value it stands on, and what the user is told when it fails.

    On a field through ``Annotated``; on a whole object through ``Model.RULES``. A rule that names ``oldSelf``
    runs on updates only, and only where the field is present before and after.
    """

    rule: str
    message: str

    def as_validation(self) -> dict[str, str]:
        return {"rule": self.rule, "message": self.message}

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        return {**schema, VALIDATIONS: [*schema.get(VALIDATIONS, []), self.as_validation()]}


def immutable(field: str, mend: str) -> Rule:
    """The value may not change once set. ``mend`` tells the user what to do instead."""
    return Rule("self == oldSelf", f"{field} is immutable: {mend}")


def fixed_presence(field: str, mend: str) -> Rule:
    """An optional ``field`` of this object may neither appear nor vanish; the partner of `immutable`."""
    return Rule(f"has(self.{field}) == has(oldSelf.{field})", f"{field} cannot be added or removed: {mend}")


def quantity_rule(condition: str, message: str) -> Rule:
    """A rule over a quantity, silent about what is none: the pattern says it better than a failed evaluation."""
    return Rule(f"!isQuantity(self) || {condition}", message)


def above_zero(field: str) -> Rule:
    """The quantity must be positive."""
    return quantity_rule("quantity(self).isGreaterThan(quantity('0'))", f"{field} must be above 0")


def ratio_rule(condition: str, message: str) -> Rule:
    """A rule over a ratio, silent about what is none."""
    return Rule(f"!self.matches('^[0-9]+([.][0-9]+)?$') || ({condition})", message)


def duration_rule(condition: str, message: str) -> Rule:
    """A rule over a duration, silent about what is none."""
    return Rule(f"!self.matches('^([0-9.]+(ms|s|m|h))+$') || {condition}", message)


def name_at_most(length: int, why: str) -> Rule:
    """A kind whose names become parts of something shorter than an object name."""
    return Rule(f"size(self.metadata.name) <= {length}", f"metadata.name must be at most {length} characters: {why}")


@dataclass(frozen=True)
class ListMap:
    """A list that the API server merges and keeps unique by these item fields."""

    keys: tuple[str, ...]

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core_schema), LIST_TYPE: "map", LIST_MAP_KEYS: list(self.keys)}


@dataclass(frozen=True)
class ListSet:
    """A list of scalars that the API server merges and keeps unique."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core_schema), LIST_TYPE: "set"}


@dataclass(frozen=True)
class Column:
    """One column of ``kubectl get``; priority 1 shows with ``-o wide`` only."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True)
class Scale:
    """The JSON paths behind ``kubectl scale`` and the HorizontalPodAutoscaler."""

    spec_replicas: str
    status_replicas: str
    label_selector: str


ObjectName = Annotated[str, Field(min_length=1, max_length=253)]
"""The name of a Kubernetes object."""

NamespaceName = Annotated[str, Field(min_length=1, max_length=63)]
"""The name of a namespace."""

ShortName = Annotated[str, Field(min_length=1, max_length=63)]
"""A name inside one object: a subnet, a disk, a NIC, a zone."""

NamespacedName = Annotated[str, Field(max_length=317)]
"""``namespace/name``."""

Text = Annotated[str, Field(max_length=256)]
"""A short text for people."""

Message = Annotated[str, Field(max_length=1024)]
"""A sentence for people, with numbers."""

LabelName = Annotated[str, Field(min_length=1, max_length=317)]
"""The name of a label or a taint: a DNS prefix and ``/``, if any, and a name."""

LabelValue = Annotated[str, Field(max_length=63)]
"""The value of a label or a taint."""

Labels = Annotated[dict[str, LabelValue], Field(max_length=32)]
"""Label names to values."""

NodeSelector = Annotated[dict[str, LabelValue], Field(max_length=16)]
"""Labels a Host must carry, all of them."""

Count = Annotated[int, Field(ge=0)]
Percent = Annotated[int, Field(ge=0, le=100)]
Bytes = Annotated[int, Field(ge=0)]
