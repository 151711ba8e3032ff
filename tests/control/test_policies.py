"""Which policy a VM is migrated by, what plan and policy say together, and that as rules of the model."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import namespace, policy, vm, world_of

from drover.api.migrationpolicy import MigrationPolicy
from drover.api.migrationsettings import MigrationSettings
from drover.control.policies import (
    Chosen,
    Policies,
    PolicyNotFound,
    bandwidth_cap,
    merged,
    policy_of,
    stop_policy,
)
from drover.model.migration import PRESETS, Aids, AutoConverge, DowntimeTuning, Stall

WEB = vm("web-1", labels={"app": "web", "tier": "gold"})
NAMED = {"kubernetes.io/metadata.name": "default"}


def settings(**fields: Any) -> MigrationSettings:
    """From wire names."""
    return MigrationSettings.model_validate(fields)


# Matching


@pytest.mark.parametrize(
    ("policies", "order"),
    [
        ([policy("all")], ["all"]),
        ([policy("a", {"app": "db"}), policy("b", {"app": "web", "zone": "1"})], []),
        ([policy("all"), policy("web", {"app": "web"})], ["web", "all"]),
        ([policy("one", {"app": "web"}), policy("two", {"app": "web", "tier": "gold"})], ["two", "one"]),
        ([policy("one", {"app": "web"}, weight=1000), policy("two", {"app": "web"}, NAMED)], ["two", "one"]),
        ([policy("a", {"app": "web"}), policy("b", {"tier": "gold"}, weight=1)], ["b", "a"]),
        ([policy("b", {"app": "web"}), policy("a", {"tier": "gold"})], ["a", "b"]),
        ([policy("a", namespaces={"team": "shop"}), policy("b", namespaces={"team": "data"})], ["a"]),
        ([policy("old", {"app": "web"}, deleting=True), policy("all")], ["all"]),
    ],
    ids=lambda value: None if value and isinstance(value[0], MigrationPolicy) else " before ".join(value) or "none",
)
def test_the_most_specific_policy_comes_first(policies: list[MigrationPolicy], order: list[str]) -> None:
    for known in (policies, policies[::-1]):
        world = world_of(WEB, namespace(team="shop", **NAMED), *known)
        assert [found.name for found in Policies(world).matching(WEB)] == order


def test_a_namespace_of_which_nothing_is_known_has_its_name() -> None:
    world = world_of(WEB, policy("here", namespaces=NAMED), policy("team", namespaces={"team": "shop"}))
    assert [found.name for found in Policies(world).matching(WEB)] == ["here"]


def test_what_no_policy_matches_has_the_defaults() -> None:
    assert policy_of(WEB, world_of(WEB)) == Chosen(None, MigrationSettings())


def test_a_vm_is_migrated_as_its_policy_says() -> None:
    world = world_of(WEB, policy("web", {"app": "web"}, maxDowntimeMs=300, weight=5))
    assert policy_of(WEB, world) == Chosen("web", settings(maxDowntimeMs=300))


def test_a_policy_that_is_named_holds_whatever_matches() -> None:
    world = world_of(WEB, policy("web", {"app": "web"}, maxDowntimeMs=300), policy("db", {"app": "db"}))
    assert policy_of(WEB, world, "db") == Chosen("db", MigrationSettings())


@pytest.mark.parametrize("there", [(), (policy("gone", deleting=True),)])
def test_a_policy_that_is_named_and_not_there_is_told_with_the_mend(there: tuple[MigrationPolicy, ...]) -> None:
    found = policy_of(WEB, world_of(WEB, policy("all"), *there), "gone")
    assert found == PolicyNotFound("gone")
    assert found.message == "MigrationPolicy gone does not exist: create it or remove spec.policyName"


def test_the_overrides_of_a_plan_go_before_the_fields_of_the_policy() -> None:
    world = world_of(WEB, policy("all", maxDowntimeMs=300, allowAutoConverge=True))
    chosen = policy_of(WEB, world, overrides=settings(maxDowntimeMs=1000))
    assert chosen == Chosen("all", settings(maxDowntimeMs=1000, allowAutoConverge=True))


# Merging

RAMPS = st.builds(lambda ms: {"initialMs": ms}, st.integers(1, 2000))
BLOCKS = st.fixed_dictionaries(
    {},
    optional={
        "bandwidthPerMigration": st.sampled_from(["0", "64Mi", "1Gi"]),
        "progressTimeout": st.integers(1, 300),
        "maxDowntimeMs": st.integers(1, 2000),
        "allowAutoConverge": st.booleans(),
        "allowPostCopy": st.booleans(),
        "allowWorkloadDisruption": st.booleans(),
        "compression": st.sampled_from(["none", "zstd"]),
        "downtimeTuning": RAMPS,
    },
)


def keeps_the_rules(block: MigrationSettings) -> bool:
    """What the CEL rules of the schema say."""
    packed = block.allow_post_copy is True and block.compression == "zstd"
    ramp, most = block.downtime_tuning, block.max_downtime_ms
    return not packed and (ramp is None or most is None or ramp.initial_ms <= most)


VALID = BLOCKS.map(lambda fields: settings(**fields)).filter(keeps_the_rules)


@given(VALID, VALID)
def test_settings_and_overrides_that_keep_the_rules_keep_them_together(
    base: MigrationSettings, over: MigrationSettings
) -> None:
    both = merged(base, over)
    assert keeps_the_rules(both)
    for name in MigrationSettings.model_fields.keys() - {"downtime_tuning"}:
        told = getattr(over, name)
        if told is not None:
            assert getattr(both, name) == told


@given(VALID)
def test_nothing_to_override_and_nothing_to_be_overridden_change_nothing(block: MigrationSettings) -> None:
    assert merged(block, None) == merged(block, MigrationSettings()) == merged(MigrationSettings(), block) == block


@pytest.mark.parametrize(
    ("base", "over", "both"),
    [
        ({"compression": "zstd"}, {"allowPostCopy": True}, {"compression": "none", "allowPostCopy": True}),
        ({"allowPostCopy": True}, {"compression": "zstd"}, {"compression": "zstd", "allowPostCopy": False}),
        (
            {"downtimeTuning": {"initialMs": 300, "steps": 3}},
            {"maxDowntimeMs": 200},
            {"maxDowntimeMs": 200, "downtimeTuning": {"initialMs": 200, "steps": 3}},
        ),
        (
            {"downtimeTuning": {"steps": 3, "cooldownSeconds": 5}},
            {"downtimeTuning": {"steps": 4}},
            {"downtimeTuning": {"steps": 4}},
        ),
    ],
)
def test_what_overrides_contradict_gives_way(base: dict[str, Any], over: dict[str, Any], both: dict[str, Any]) -> None:
    assert merged(settings(**base), settings(**over)) == settings(**both)


# For the model


@pytest.mark.parametrize(
    ("given_", "cap"),
    [({}, math.inf), ({"bandwidthPerMigration": "0"}, math.inf), ({"bandwidthPerMigration": "64Mi"}, 64 << 20)],
)
def test_the_bandwidth_of_a_copy_is_capped_where_the_policy_says_so(given_: dict[str, Any], cap: float) -> None:
    assert bandwidth_cap(settings(**given_)) == cap


def test_settings_that_say_nothing_are_kubevirts_defaults() -> None:
    assert stop_policy(MigrationSettings()) == PRESETS["kubevirt"]


def test_defaults_written_out_are_the_defaults() -> None:
    told = settings(
        bandwidthPerMigration="0",
        completionTimeoutPerGiB=150,
        progressTimeout=150,
        maxDowntimeMs=900,
        allowAutoConverge=False,
        allowPostCopy=False,
        allowWorkloadDisruption=False,
        compression="none",
        downtimeTuning={},
        stallDetector={},
    )
    assert {name for name in MigrationSettings.model_fields if getattr(told, name) is None} == set()
    assert stop_policy(told) == PRESETS["kubevirt"]


DETECTOR = {
    "stallMargin": 10,
    "stallProgressTimeout": 20,
    "switchoverTimeout": 30,
    "ewmaAlpha": "0.5",
    "precopyPossibleFactor": "2",
    "patienceWindowDecayFactor": "0.25",
    "searchLocalMinima": False,
}


@pytest.mark.parametrize(
    ("told", "changed"),
    [
        ({"maxDowntimeMs": 250}, {"max_downtime": 0.25}),
        ({"completionTimeoutPerGiB": 20}, {"completion_timeout_per_gib": 20}),
        ({"progressTimeout": 30}, {"progress_timeout": 30}),
        ({"allowAutoConverge": True}, {"aids": Aids(auto_converge=AutoConverge())}),
        ({"compression": "zstd"}, {"aids": Aids(compression=0.4)}),
        ({"allowPostCopy": True}, {"on_exhausted": ("postCopy", "abort")}),
        ({"allowWorkloadDisruption": True}, {"on_exhausted": ("stopAndCopy", "abort")}),
        (
            {"allowPostCopy": True, "allowWorkloadDisruption": True},
            {"on_exhausted": ("postCopy", "stopAndCopy", "abort")},
        ),
        (
            {"downtimeTuning": {"initialMs": 50, "steps": 2, "startAfterIteration": 5, "cooldownSeconds": 4}},
            {"downtime_tuning": DowntimeTuning(initial=0.05, steps=2, start_after_pass=5, cooldown=4)},
        ),
        ({"stallDetector": DETECTOR}, {"stall": Stall(20, 0.1, 30, 0.5, 2, 0.25, False)}),
    ],
    ids=lambda value: "+".join(value),
)
def test_each_setting_changes_its_rule_and_no_other(told: dict[str, Any], changed: dict[str, Any]) -> None:
    assert stop_policy(settings(**told)) == replace(PRESETS["kubevirt"], **changed)
