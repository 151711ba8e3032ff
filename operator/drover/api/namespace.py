"""Namespace of core Kubernetes: its labels choose the migration policies of the VMs in it. Only read."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from drover.api.meta import Model, Resource, Status
from drover.api.schema import Column


class NamespaceSpec(Model):
    """Nothing of it is looked at."""


class Namespace(Resource[NamespaceSpec, Status]):
    """A namespace's metadata. The kind is Kubernetes' own: it has no CRD here, and its spec and status are not read."""

    GROUP: ClassVar[str] = ""
    VERSION: ClassVar[str] = "v1"
    KIND: ClassVar[str] = "Namespace"
    PLURAL: ClassVar[str] = "namespaces"
    SINGULAR: ClassVar[str] = "namespace"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("ns",)
    CATEGORIES: ClassVar[tuple[str, ...]] = ()
    NAMESPACED: ClassVar[bool] = False
    COLUMNS: ClassVar[tuple[Column, ...]] = ()

    spec: NamespaceSpec = NamespaceSpec()
    status: Status = Status()

    @model_validator(mode="before")
    @classmethod
    def _only_metadata(cls, raw: Any) -> Any:
        return {"metadata": raw.get("metadata")} if isinstance(raw, dict) else raw

    @model_serializer(mode="wrap")
    def _without_the_rest(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"metadata": handler(self)["metadata"]}
