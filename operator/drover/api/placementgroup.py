"""PlacementGroup: virtual machines to be kept together or apart, as one group."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.meta import Model, Resource, Status
from drover.api.scheduling import TopologyKey
from drover.api.schema import Column, Count, Rule, Text, immutable

GroupPolicy = Literal["Affinity", "AntiAffinity", "SoftAffinity", "SoftAntiAffinity"]
PlacementGroupPhase = Literal["Satisfied", "Violated", "Terminating"]

_NEW_GROUP = "create a new placement group and point spec.placement.placementGroupName of the VMs at it"


class PlacementGroupSpec(Model):
    """How the group's VMs stand to one another; Nova's four policies of a server group."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.maxPerDomain == 1 || self.policy in ['AntiAffinity', 'SoftAntiAffinity']",
            "maxPerDomain is for policy AntiAffinity and SoftAntiAffinity only: remove it or create the group with one"
            " of them",
        ),
    )

    policy: Annotated[GroupPolicy, immutable("policy", _NEW_GROUP)]
    """Affinity: all in one domain. AntiAffinity: at most maxPerDomain in each. Soft: as far as possible, else
    elsewhere. Immutable."""
    topology_key: Annotated[TopologyKey, immutable("topologyKey", _NEW_GROUP)] = "Host"
    """What a domain is: a Host, a Rack or a FailureDomain. Immutable."""
    max_per_domain: Annotated[int, Field(ge=1, le=1000)] = 1
    """Members one domain may hold, for AntiAffinity and SoftAntiAffinity."""


class PlacementGroupStatus(Status):
    """What the operator knows of a placement group."""

    phase: PlacementGroupPhase | None = None
    """Violated: members stand where the policy would not have put them."""
    members: Count = 0
    """VMs that name the group."""
    violations: Annotated[tuple[Text, ...], Field(max_length=32)] = ()
    """Members that break the policy, and where they are."""


class PlacementGroup(Resource[PlacementGroupSpec, PlacementGroupStatus]):
    """Virtual machines of one namespace to be kept on one host, rack or zone, or on different ones."""

    KIND: ClassVar[str] = "PlacementGroup"
    PLURAL: ClassVar[str] = "placementgroups"
    SINGULAR: ClassVar[str] = "placementgroup"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("pg",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Policy", ".spec.policy"),
        Column("Topology", ".spec.topologyKey", priority=1),
        Column("Members", ".status.members", "integer"),
        Column("State", ".status.phase"),
    )

    spec: PlacementGroupSpec
    status: PlacementGroupStatus = PlacementGroupStatus()
