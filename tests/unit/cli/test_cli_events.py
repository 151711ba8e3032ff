"""`drover events` tells events oldest first, whoever wrote them."""

from __future__ import annotations

from typing import Any

import pytest
from cliobjects import NOW

from drover.cli.events import age, in_order

ABOUT = {"involvedObject": {"kind": "VirtualMachine", "name": "web"}}


def event(reason: str, version: int, first: str, last: str = "", **fields: Any) -> dict[str, Any]:
    times = {"firstTimestamp": f"2026-11-02T{first}Z", "lastTimestamp": f"2026-11-02T{last or first}Z"}
    return {"metadata": {"resourceVersion": str(version)}, "reason": reason, **ABOUT, **times, **fields}


def test_the_oldest_comes_first_and_within_a_second_as_they_were_told() -> None:
    raws = [
        event("Started", 30, "08:00:02"),
        event("BackOff", 99, "08:00:00", "08:05:00", count=7, type="Warning"),
        event("Starting", 20, "08:00:02"),
        event("Scheduled", 100, "08:00:01", involvedObject={"kind": "VirtualMachineMigration", "name": "web-1"}),
    ]
    told = in_order(raws)
    assert [each.reason for each in told] == ["Scheduled", "Starting", "Started", "BackOff"]
    assert [each.about for each in told[:2]] == ["VirtualMachineMigration/web-1", "VirtualMachine/web"]
    assert (told[-1].count, told[-1].type, told[0].count, told[0].type) == (7, "Warning", 1, "Normal")


def test_an_event_of_the_newer_kind_has_its_event_time() -> None:
    raw = {"metadata": {}, **ABOUT, "reason": "X", "eventTime": "2026-11-02T08:00:00.123456Z", "firstTimestamp": None}
    (told,) = in_order([raw])
    assert told.first == told.last == "2026-11-02T08:00:00.123456Z"


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2026-11-02T09:00:00Z", "0s"),
        ("2026-11-02T08:58:01Z", "119s"),
        ("2026-11-02T08:58:00Z", "2m"),
        ("2026-11-02T07:00:01.5Z", "119m"),
        ("2026-11-01T09:00:01Z", "23h"),
        ("2026-10-30T09:00:00Z", "3d"),
        ("2026-11-02T09:00:05Z", "0s"),
        ("", "-"),
    ],
)
def test_ages_are_told_as_kubectl_does(at: str, told: str) -> None:
    assert age(at, NOW) == told
