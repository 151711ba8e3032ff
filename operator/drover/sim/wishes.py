"""What a tenant may ask of placement, drawn at random: everything that ``spec.placement`` and labels can say."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from drover.sim import cloud

APPS = ("web", "db", "cache")
TIERS = ("x", "y")
TOPOLOGIES = ("Host", "Rack", "FailureDomain")
TAINTS: tuple[dict[str, Any], ...] = (
    {"key": "quiet", "effect": "NoSchedule"},
    {"key": "gpu", "value": "only", "effect": "NoSchedule"},
    {"key": "quiet", "effect": "PreferNoSchedule"},
)
"""What administrators taint hosts with."""


def flavor(random: Random) -> str:
    """Mostly plain ones; one of 50 is too large for any host."""
    plain = {"small": 3.0, "medium": 4.0, "large": 3.0, "giant": 0.3}
    weights: Mapping[str, float] = plain | dict.fromkeys(cloud.SPECIAL_FLAVORS, 0.9)
    return random.choices(tuple(weights), tuple(weights.values()))[0]


def labels(random: Random) -> dict[str, str]:
    return {"tier": random.choice(TIERS), "app": random.choice(APPS)}


def placement(random: Random) -> dict[str, Any]:
    """Nothing at all for one VM in four; few ask for much, or hardly any would find a host."""
    spec: dict[str, Any] = {}
    if random.random() < 0.25:
        return spec
    if random.random() < 0.12:
        spec["nodePoolName"] = random.choice(tuple(cloud.POOLS))
    if random.random() < 0.12:
        spec["nodeSelector"] = {"disk": random.choice(("ssd", "hdd"))}
    if random.random() < 0.4:
        spec["tolerations"] = [_toleration(random) for _ in range(random.randint(1, 2))]
    if random.random() < 0.3:
        spec["placementGroupName"] = random.choice(tuple(cloud.GROUPS))
    if random.random() < 0.45:
        spec["affinity"] = [_term(random) for _ in range(random.choice((1, 1, 2)))]
    if random.random() < 0.3:
        spec["topologySpread"] = [_spread(random)]
    return spec


def _toleration(random: Random) -> dict[str, Any]:
    return random.choice(
        (
            {"key": "quiet", "operator": "Exists"},
            {"key": "gpu", "operator": "Equal", "value": "only", "effect": "NoSchedule"},
            {"key": "gpu", "operator": "Equal", "value": "never"},
            {"operator": "Exists"},
        )
    )


def _selector(random: Random) -> dict[str, Any]:
    app, tier = random.choice(APPS), random.choice(TIERS)
    return random.choice(
        (
            {"matchLabels": {"app": app}},
            {"matchLabels": {"app": app, "tier": tier}},
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": [app]}]},
            {"matchExpressions": [{"key": "app", "operator": "In", "values": [app, "other"]}]},
            {"matchExpressions": [{"key": "edited", "operator": "Exists"}]},
        )
    )


def _term(random: Random) -> dict[str, Any]:
    return {
        "type": random.choice(("Affinity", "AntiAffinity", "AntiAffinity")),
        "enforcement": random.choice(("Required", "Required", "Preferred")),
        "labelSelector": _selector(random),
        "topologyKey": random.choice(TOPOLOGIES),
    }


def _spread(random: Random) -> dict[str, Any]:
    hard = random.random() < 0.7
    return {
        "topologyKey": random.choice(TOPOLOGIES),
        "maxSkew": random.choice((1, 1, 2)),
        "whenUnsatisfiable": "DoNotSchedule" if hard else "ScheduleAnyway",
        **({"minDomains": 2} if hard and random.random() < 0.3 else {}),
        "labelSelector": _selector(random),
    }
