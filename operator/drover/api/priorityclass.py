"""PriorityClass of scheduling.k8s.io/v1: how urgent a pod, and here a virtual machine, is to place. Only read."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from drover.api.meta import Model, Resource, Status
from drover.api.schema import Column

PreemptionPolicy = Literal["PreemptLowerPriority", "Never"]


class PriorityClassSpec(Model):
    """What the class says; on the wire these fields stand beside the metadata."""

    value: Annotated[int, Field(ge=-(2**31), lt=2**31)]
    """The priority: higher comes first."""
    global_default: bool = False
    """True: the priority of all that names no class."""
    preemption_policy: PreemptionPolicy = "PreemptLowerPriority"
    """Whether what has this priority may stop what has a lower one to take its place."""
    description: str = ""
    """When to use the class, for people."""


class PriorityClass(Resource[PriorityClassSpec, Status]):
    """A named priority. The kind is Kubernetes' own: it has no CRD here, no status and no controller."""

    GROUP: ClassVar[str] = "scheduling.k8s.io"
    VERSION: ClassVar[str] = "v1"
    KIND: ClassVar[str] = "PriorityClass"
    PLURAL: ClassVar[str] = "priorityclasses"
    SINGULAR: ClassVar[str] = "priorityclass"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("pc",)
    CATEGORIES: ClassVar[tuple[str, ...]] = ()
    NAMESPACED: ClassVar[bool] = False
    COLUMNS: ClassVar[tuple[Column, ...]] = ()

    spec: PriorityClassSpec
    status: Status = Status()

    @model_validator(mode="before")
    @classmethod
    def _lift_spec(cls, raw: Any) -> Any:
        return {**raw, "spec": raw} if isinstance(raw, dict) and "spec" not in raw else raw

    @model_serializer(mode="wrap")
    def _lower_spec(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = handler(self)
        return {"metadata": fields["metadata"], **fields["spec"]}
