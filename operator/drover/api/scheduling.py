"""What placement is asked to respect: traits, taints and tolerations, label selectors, affinity, spread."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.meta import Model
from drover.api.schema import LabelName, Labels, LabelValue, ListMap, ListSet, Rule

TaintEffect = Literal["NoSchedule", "PreferNoSchedule"]
TolerationOperator = Literal["Equal", "Exists"]
SelectorOperator = Literal["In", "NotIn", "Exists", "DoesNotExist"]
TopologyKey = Literal["Host", "Rack", "FailureDomain"]
AffinityType = Literal["Affinity", "AntiAffinity"]
AffinityEnforcement = Literal["Required", "Preferred"]
WhenUnsatisfiable = Literal["DoNotSchedule", "ScheduleAnyway"]

Trait = Annotated[str, Field(min_length=1, max_length=63)]
"""A quality of a host that is there or not, as OpenStack names them: ``HW_CPU_X86_AVX512F``, ``CUSTOM_SSD``."""

TraitSet = Annotated[tuple[Trait, ...], ListSet(), Field(max_length=32)]
"""Traits asked for."""


class Traits(Model):
    """Traits a host must and must not have."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.required) || !has(self.forbidden) || !self.required.exists(trait, trait in self.forbidden)",
            "the same trait must not be in traits.required and in traits.forbidden: remove it from one of them",
        ),
    )

    required: TraitSet = ()
    """The host must have all of these."""
    forbidden: TraitSet = ()
    """The host must have none of these."""


class Taint(Model):
    """What keeps VMs off a host unless they tolerate it. A VM that runs there already runs on."""

    key: LabelName
    """Name of the taint."""
    value: LabelValue = ""
    """Its value; none is the empty one."""
    effect: TaintEffect
    """NoSchedule: no VM that does not tolerate it is placed here. PreferNoSchedule: each such taint
    takes 0.5 off the host's score. There is no NoExecute: a drain moves VMs."""


Taints = Annotated[tuple[Taint, ...], ListMap(("key", "effect")), Field(max_length=32)]


class Toleration(Model):
    """A taint that does not keep the VM off a host."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.operator == 'Exists' || (has(self.key) && self.key != '')",
            "tolerations[].key is empty, which needs operator Exists (every taint is tolerated): set key, the"
            " taint's, or operator Exists",
        ),
        Rule(
            "self.operator != 'Exists' || !has(self.value) || self.value == ''",
            "tolerations[].value must be empty with operator Exists: remove value or set operator Equal",
        ),
    )

    key: Annotated[str, Field(max_length=317)] = ""
    """Name of the taint; empty, with operator Exists, for every taint."""
    operator: TolerationOperator = "Equal"
    """Equal: the taint has this value. Exists: any value."""
    value: LabelValue = ""
    """Value of the taint, for Equal."""
    effect: TaintEffect | None = None
    """Effect of the taint; every effect when absent."""


Tolerations = Annotated[tuple[Toleration, ...], Field(max_length=32)]


class SelectorRequirement(Model):
    """One expression of a label selector."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.operator in ['In', 'NotIn'] ? (has(self.values) && self.values.size() > 0)"
            " : (!has(self.values) || self.values.size() == 0)",
            "matchExpressions needs values for In and NotIn, and none for Exists and DoesNotExist",
        ),
    )

    key: LabelName
    """Label name."""
    operator: SelectorOperator
    """How values are compared."""
    values: Annotated[tuple[LabelValue, ...], Field(max_length=64)] = ()
    """Label values, for In and NotIn."""


class LabelSelector(Model):
    """A Kubernetes label selector; all of it must match, and an empty one matches everything."""

    match_labels: Labels = Field(default_factory=dict)
    """Labels and their values."""
    match_expressions: Annotated[tuple[SelectorRequirement, ...], Field(max_length=16)] = ()
    """Expressions over labels."""


class AffinityTerm(Model):
    """A wish to be near other VMs, or away from them."""

    type: AffinityType
    """Affinity: in a domain where a selected VM is. AntiAffinity: in one where none is."""
    enforcement: AffinityEnforcement = "Preferred"
    """Required: no other host will do. Preferred: the host scores better by weight."""
    label_selector: LabelSelector
    """The VMs meant, of this namespace only; an empty selector selects all of them."""
    topology_key: TopologyKey = "Host"
    """What near means: on the same Host, in the same Rack, in the same FailureDomain."""
    weight: Annotated[int, Field(ge=1, le=100)] = 50
    """How much the wish counts in a host's score; for Preferred."""


class TopologySpread(Model):
    """How evenly VMs are spread over domains."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.minDomains) || self.whenUnsatisfiable == 'DoNotSchedule'",
            "topologySpread[].minDomains needs whenUnsatisfiable DoNotSchedule: set it or remove minDomains",
        ),
    )

    topology_key: TopologyKey
    """The domains: each Host, each Rack, each FailureDomain."""
    max_skew: Annotated[int, Field(ge=1, le=100)] = 1
    """How many more of the VMs one domain may have than the domain that has fewest."""
    min_domains: Annotated[int, Field(ge=1, le=100)] | None = None
    """With fewer domains than this, the fewest counts as 0; for DoNotSchedule."""
    when_unsatisfiable: WhenUnsatisfiable = "ScheduleAnyway"
    """DoNotSchedule: a host that would raise the skew above maxSkew is refused. ScheduleAnyway: it scores lower."""
    label_selector: LabelSelector
    """The VMs counted, of this namespace only; an empty selector selects all of them."""
