"""The registry of kinds: by name, by plural, and from a raw object to its model."""

from __future__ import annotations

from typing import Any

from drover.api.flavor import Flavor
from drover.api.host import Host
from drover.api.image import Image
from drover.api.meta import AnyResource, dump
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationpolicy import MigrationPolicy
from drover.api.namespace import Namespace
from drover.api.network import Network
from drover.api.nodepool import NodePool
from drover.api.placementgroup import PlacementGroup
from drover.api.priorityclass import PriorityClass
from drover.api.usagerecord import UsageRecord
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.api.volume import Volume

KINDS: dict[str, type[AnyResource]] = {
    kind.KIND: kind
    for kind in (
        NodePool,
        Host,
        Flavor,
        Image,
        Volume,
        Network,
        PlacementGroup,
        MigrationPolicy,
        VirtualMachine,
        VirtualMachineMigration,
        MigrationPlan,
        UsageRecord,
    )
}
"""Every kind of Drover's own by its name, referred-to kinds before those that refer to them."""

WATCHED: dict[str, type[AnyResource]] = {
    PriorityClass.KIND: PriorityClass,
    Namespace.KIND: Namespace,
    **KINDS,
}
"""Every kind the operator reads: Kubernetes' own that it only watches, and Drover's, in the same order."""

CURRENT = tuple(kind for kind in WATCHED if kind != UsageRecord.KIND)
"""The names of those that tell how things are, and not how they were."""

BY_PLURAL: dict[str, type[AnyResource]] = {kind.PLURAL: kind for kind in KINDS.values()}
"""Every kind of Drover's own by its plural, the word in its URL."""


def parse(raw: dict[str, Any]) -> AnyResource:
    """The typed object of a raw one, with the schema's defaults filled in.

    Raises KeyError for a kind that is not watched, pydantic.ValidationError for a value its schema refuses.
    """
    return WATCHED[raw["kind"]].model_validate(raw)


def manifest(resource: AnyResource) -> dict[str, Any]:
    """The wire form of an object with its apiVersion and kind: the inverse of `parse`."""
    return {"apiVersion": resource.api_version(), "kind": resource.KIND, **dump(resource)}
