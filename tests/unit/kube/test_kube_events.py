"""Events as the API server wants them."""

from datetime import UTC, datetime

import pytest

from drover.api.kinds import parse
from drover.control.ports import EventRecord
from drover.kube.events import manifest

FIRST = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def record(namespace: str, message: str = "placed on host-1") -> EventRecord:
    raw = {
        "kind": "Image" if namespace else "Host",
        "metadata": {"name": "x", "namespace": namespace, "uid": "u1", "resourceVersion": "7"},
        "spec": {"source": {"type": "Blank", "blank": {}}, "virtualSize": "1Gi"}
        if namespace
        else {"poolRef": {"name": "p"}, "hardware": {"cpu": {"coresPerSocket": 1}, "memory": "1Gi"}},
    }
    where = namespace or "default"
    return EventRecord("x.1", where, parse(raw), "Scheduled", message, "Normal", 1, FIRST, FIRST)


def test_an_event_names_its_object_and_its_writer() -> None:
    event = manifest(record("team-a"), "drover-0")
    assert event["metadata"] == {"name": "x.1", "namespace": "team-a"}
    assert event["involvedObject"]["namespace"] == "team-a"
    assert event["involvedObject"]["uid"] == "u1"
    assert event["reportingInstance"] == "drover-0"
    assert event["firstTimestamp"] == "2026-11-21T08:00:00Z"


def test_an_event_of_a_cluster_scoped_object_names_no_namespace_of_it() -> None:
    assert "namespace" not in manifest(record(""), "drover-0")["involvedObject"]


@pytest.mark.parametrize("length", [10, 1024, 5000])
def test_a_message_is_never_longer_than_the_api_server_takes(length: int) -> None:
    assert len(manifest(record("team-a", "x" * length), "drover-0")["message"]) == min(length, 1024)
