"""MigrationPolicy: how the live migrations of the VMs it selects are done."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.meta import Model, Resource, Status
from drover.api.migrationsettings import MigrationSettings
from drover.api.schema import Column, Count, LabelValue

MigrationPolicyPhase = Literal["Ready"]

MatchLabels = Annotated[dict[str, LabelValue], Field(max_length=16)]
"""Labels an object must carry, all of them; none matches every object."""


class PolicySelectors(Model):
    """Which VMs are meant: both selectors must match, and an empty one matches all."""

    namespace_selector: MatchLabels = Field(default_factory=dict)
    """Labels of the VM's namespace."""
    virtual_machine_selector: MatchLabels = Field(default_factory=dict)
    """Labels of the VM."""


class MigrationPolicySpec(MigrationSettings):
    """Which VMs, and how they are migrated.

    Of several policies that match a VM the most specific holds: more labels in its selectors, then the higher weight,
    then the name that sorts first.
    """

    selectors: PolicySelectors
    """Which VMs are meant; {} is every VM."""
    weight: Annotated[int, Field(ge=0, le=1000)] = 0
    """Of policies with equally many labels the one of the highest weight holds."""


class MigrationPolicyStatus(Status):
    """What the operator knows of a policy."""

    phase: MigrationPolicyPhase | None = None
    """Ready: migrations are done by it."""
    matched_virtual_machines: Count = 0
    """VMs that would be migrated by it."""


class MigrationPolicy(Resource[MigrationPolicySpec, MigrationPolicyStatus]):
    """How live migrations are done: pause allowed, bandwidth, timeouts, and what helps a copy converge."""

    KIND: ClassVar[str] = "MigrationPolicy"
    PLURAL: ClassVar[str] = "migrationpolicies"
    SINGULAR: ClassVar[str] = "migrationpolicy"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("mpol",)
    NAMESPACED: ClassVar[bool] = False
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Downtime-ms", ".spec.maxDowntimeMs", "integer"),
        Column("Post-copy", ".spec.allowPostCopy", "boolean"),
        Column("Auto-converge", ".spec.allowAutoConverge", "boolean"),
        Column("Bandwidth", ".spec.bandwidthPerMigration"),
        Column("VMs", ".status.matchedVirtualMachines", "integer"),
    )

    spec: MigrationPolicySpec
    status: MigrationPolicyStatus = MigrationPolicyStatus()
