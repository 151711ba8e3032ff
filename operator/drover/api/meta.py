"""What every kind shares: object metadata, conditions, the status base and the registry of kinds.

Field names are snake_case in Python and camelCase on the wire. Models are immutable values: a controller
derives a new status with ``model_copy(update=...)`` and never changes one in place.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, PlainSerializer
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from drover.api.docstrings import attribute_docstrings
from drover.api.schema import VALIDATIONS, Column, ListMap, NamespaceName, ObjectName, Rule, Scale

GROUP = "drover.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
FINALIZER = f"{GROUP}/protect"
OPERATOR_NAMESPACE = "drover-system"
"""Of the operator's Lease and of the plans that drain hosts, unless it is told another."""
MAX_PHASE_TRANSITIONS = 32


def _rfc3339_micro(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Time = Annotated[datetime, PlainSerializer(_rfc3339_micro, return_type=str, when_used="json")]
"""An instant, written as RFC 3339 with microseconds in UTC (Kubernetes' MicroTime)."""


class Model(BaseModel):
    """An immutable value; unknown wire fields are ignored, as an older client must."""

    RULES: ClassVar[tuple[Rule, ...]] = ()

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> dict[str, Any]:
        schema = handler(core_schema)
        resolved = handler.resolve_ref_schema(schema)
        for name, text in _descriptions(cls).items():
            resolved["properties"][name].setdefault("description", text)
        if cls.RULES:
            resolved[VALIDATIONS] = [rule.as_validation() for rule in cls.RULES]
        return schema


def _descriptions(cls: type[Model]) -> dict[str, str]:
    """Of each field that has a docstring, by its name on the wire."""
    told = attribute_docstrings(cls)
    return {field.alias or name: told[name] for name, field in cls.model_fields.items() if name in told}


class Key(NamedTuple):
    """What names one object: its kind, namespace ("" for cluster-scoped kinds) and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}" if self.namespace else f"{self.kind}/{self.name}"


class OwnerReference(Model):
    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None


class ObjectMeta(Model):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None


class Ref(Model):
    """The name of an object in the same namespace, or of a cluster-scoped one."""

    name: ObjectName
    """Name of the object."""


class NamespacedRef(Ref):
    """The name of an object, which may be in another namespace."""

    namespace: NamespaceName | None = None
    """Namespace of the object; this object's own when absent."""


class Condition(Model):
    """A ``metav1.Condition``."""

    type: str = Field(max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$")
    """What the condition is about, in PascalCase."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    observed_generation: int | None = Field(default=None, ge=0)
    """The metadata.generation this was decided on."""
    last_transition_time: Time
    """When status last changed."""
    reason: str = Field(max_length=128, pattern=r"^[A-Z][A-Za-z0-9_]*$")
    """Why, as one word of a closed set."""
    message: str = Field(max_length=4096)
    """Why, for people, with numbers."""


class PhaseTransition(Model):
    """The moment a phase was entered."""

    phase: str = Field(max_length=32)
    """The phase entered."""
    at: Time
    """When it was entered."""


class Status(Model):
    """The fields every status has. Each kind narrows ``phase`` to its own set."""

    observed_generation: int = Field(default=-1, ge=-1)
    """The metadata.generation this status describes; -1 until a controller has looked at the object."""
    phase: str | None = Field(default=None, max_length=32)
    """Where the object is in its life, for people; programs read conditions."""
    conditions: Annotated[tuple[Condition, ...], ListMap(("type",)), Field(max_length=32)] = ()
    """What is known of the object; Ready is always among them."""
    phase_transitions: Annotated[tuple[PhaseTransition, ...], Field(max_length=MAX_PHASE_TRANSITIONS)] = ()
    """When each phase was entered, newest last, at most 32."""

    def condition(self, type_: str) -> Condition | None:
        return next((c for c in self.conditions if c.type == type_), None)

    def is_true(self, type_: str) -> bool:
        condition = self.condition(type_)
        return condition is not None and condition.status == "True"


SpecT = TypeVar("SpecT", bound=Model)
StatusT = TypeVar("StatusT", bound=Status)


class Resource(Model, Generic[SpecT, StatusT]):
    """One object of a kind. Subclasses fix the spec and status models and say how the kind is served."""

    GROUP: ClassVar[str] = GROUP
    VERSION: ClassVar[str] = VERSION
    KIND: ClassVar[str]
    PLURAL: ClassVar[str]
    SINGULAR: ClassVar[str]
    SHORT_NAMES: ClassVar[tuple[str, ...]]
    CATEGORIES: ClassVar[tuple[str, ...]] = ("drover",)
    NAMESPACED: ClassVar[bool] = True
    COLUMNS: ClassVar[tuple[Column, ...]]
    SELECTABLE: ClassVar[tuple[str, ...]] = ()
    SCALE: ClassVar[Scale | None] = None

    metadata: ObjectMeta
    spec: SpecT
    status: StatusT

    @classmethod
    def api_version(cls) -> str:
        return f"{cls.GROUP}/{cls.VERSION}" if cls.GROUP else cls.VERSION  # core Kubernetes has no group

    @property
    def key(self) -> Key:
        return Key(self.KIND, self.metadata.namespace, self.metadata.name)

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def deleting(self) -> bool:
        return self.metadata.deletion_timestamp is not None

    def as_owner(self) -> OwnerReference:
        """The reference that makes a child go when this object goes.

        Without blockOwnerDeletion: our finalizer waits for whatever an owner has to wait for, and API servers that
        check who may block (OpenShift's) refuse such children for half a minute after a CRD is new.
        """
        return OwnerReference(
            api_version=self.api_version(),
            kind=self.KIND,
            name=self.name,
            uid=self.uid,
            controller=True,
        )


AnyResource = Resource[Any, Any]


def dump(model: BaseModel, *, unset: bool = True) -> dict[str, Any]:
    """The wire form: camelCase JSON values, absent fields left out; with ``unset=False`` untold defaults too."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=not unset)
