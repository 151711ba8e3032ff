"""Kubernetes' own PriorityClass as one of the kinds: read from its flat wire form, and never ours to serve."""

from typing import Any

import pytest
from pydantic import ValidationError

from drover.api import crd
from drover.api.kinds import BY_PLURAL, KINDS, WATCHED, manifest, parse
from drover.api.priorityclass import PriorityClass


def wire(**fields: Any) -> dict[str, Any]:
    named = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "urgent"}}
    return named | {"value": 1000} | fields


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, (1000, False, "PreemptLowerPriority")),
        ({"value": -5, "globalDefault": True}, (-5, True, "PreemptLowerPriority")),
        ({"value": 2_000_001_000, "preemptionPolicy": "Never"}, (2_000_001_000, False, "Never")),
    ],
)
def test_what_stands_beside_the_metadata_is_its_spec(fields: dict[str, Any], said: tuple[int, bool, str]) -> None:
    spec = parse(wire(**fields)).spec
    assert (spec.value, spec.global_default, spec.preemption_policy) == said


def test_it_is_written_as_it_was_read() -> None:
    raw = wire(globalDefault=True, preemptionPolicy="Never", description="for what cannot wait")
    written = manifest(parse(raw))
    assert {name: written[name] for name in raw.keys() - {"metadata"}} == {
        name: raw[name] for name in raw.keys() - {"metadata"}
    }
    assert written.keys() == raw.keys(), "neither spec nor status"
    assert parse(written) == parse(raw)


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"value": 2**31}, "value"), ({"value": "high"}, "value"), ({"preemptionPolicy": "Always"}, "preemptionPolicy")],
)
def test_a_value_the_api_server_would_refuse_does_not_parse(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        parse(wire(**fields))
    assert [error["loc"] for error in refusal.value.errors()] == [("spec", field)]


def test_it_is_watched_and_not_among_drovers_own_kinds() -> None:
    assert WATCHED.keys() - KINDS.keys() == {"PriorityClass", "Namespace"}
    assert PriorityClass.PLURAL not in BY_PLURAL
    assert "priorityclasses.yaml" not in crd.render()


def test_every_kind_of_drovers_own_is_served_by_its_group() -> None:
    assert {kind.api_version() for kind in KINDS.values()} == {"drover.dev/v1alpha1"}
    assert PriorityClass.api_version() == "scheduling.k8s.io/v1"
