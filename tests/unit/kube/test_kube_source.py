"""What a watch event becomes."""

import logging
from typing import Any

import kopf
import pytest

from drover.api.kinds import WATCHED
from drover.api.meta import Key
from drover.control.ports import Gone, Input, Observed
from drover.kube.parsing import Parser
from drover.kube.source import Source
from drover.observe.metrics import Metrics

KEY = Key("VirtualMachine", "team-a", "web")


def vm(version: int = 7, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "VirtualMachine",
        "metadata": {"name": "web", "namespace": "team-a", "uid": "u1", "resourceVersion": str(version)},
        "spec": {"flavorRef": {"name": "small"}, "imageRef": {"name": "debian"}, **spec},
    }


class Received:
    """A source and what came out of it."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []
        self.relisted: list[str] = []
        self.metrics = Metrics()
        self.source = Source(self.inputs.append, self.relisted.append, Parser(), self.metrics)


@pytest.mark.parametrize("event", ["ADDED", "MODIFIED"])
def test_a_change_becomes_an_observation_of_the_typed_object(event: str) -> None:
    received = Received()
    received.source.take("VirtualMachine", event, vm())
    (observed,) = received.inputs
    assert isinstance(observed, Observed)
    assert observed.resource.key == KEY
    assert observed.resource.metadata.resource_version == "7"
    assert received.relisted == []


def test_an_object_of_a_list_also_tells_that_kopf_lists_again() -> None:
    received = Received()
    received.source.take("VirtualMachine", None, vm())
    assert len(received.inputs) == 1
    assert received.relisted == ["VirtualMachine"]


def test_a_deletion_is_told_even_of_an_object_that_never_parsed() -> None:
    received = Received()
    received.source.take("VirtualMachine", "DELETED", vm(runStrategy=["nonsense"]))
    assert received.inputs == [Gone(KEY, "u1")]


def test_a_kind_of_kubernetes_own_is_observed_like_any_other() -> None:
    raw = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "urgent", "uid": "u2", "resourceVersion": "9"},
        "value": 1000,
    }
    received = Received()
    received.source.take("PriorityClass", "ADDED", raw)
    received.source.take("PriorityClass", "DELETED", raw)
    observed, gone = received.inputs
    assert isinstance(observed, Observed)
    assert (observed.resource.key, observed.resource.spec.value) == (Key("PriorityClass", "", "urgent"), 1000)
    assert gone == Gone(Key("PriorityClass", "", "urgent"), "u2")


def test_an_object_that_does_not_parse_is_told_of_once_a_version_with_its_field(
    caplog: pytest.LogCaptureFixture,
) -> None:
    received = Received()
    with caplog.at_level(logging.ERROR):
        for version in (7, 7, 8):
            received.source.take("VirtualMachine", "MODIFIED", vm(version, runStrategy=["nonsense"]))
    assert received.inputs == []
    assert [getattr(record, "field", None) for record in caplog.records] == ["spec.runStrategy"] * 2
    received.source.take("VirtualMachine", "MODIFIED", vm(9))
    assert len(received.inputs) == 1


def test_kopf_watches_every_kind_and_does_nothing_else() -> None:
    registry = kopf.OperatorRegistry()
    Received().source.register(registry)
    handlers = list(registry._watching.get_all_handlers())
    served = {(s.group, s.version, s.any_name or s.plural) for s in (handler.selector for handler in handlers) if s}
    assert served == {(kind.GROUP, kind.VERSION, kind.PLURAL) for kind in WATCHED.values()}
    assert len(handlers) == len(WATCHED)
    assert not list(registry._changing.get_all_handlers())
    assert not list(registry._spawning.get_all_handlers())
    assert not list(registry._indexing.get_all_handlers())


def test_watch_events_are_counted_by_resource_and_type() -> None:
    received = Received()
    for event in ("ADDED", "ADDED", None):
        received.source.take("VirtualMachine", event, vm())
    page = received.metrics.page().decode()
    assert 'drover_watch_events_total{resource="virtualmachines",type="ADDED"} 2.0' in page
    assert 'drover_watch_events_total{resource="virtualmachines",type="LISTED"} 1.0' in page
