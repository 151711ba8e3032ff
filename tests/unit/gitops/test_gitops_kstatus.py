"""How Flux and every other user of kstatus judges each kind in each phase, over objects that the controllers made."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from kstatus import kstatus

from drover.api.kinds import KINDS

VERDICTS: dict[str, dict[str, str]] = {
    "NodePool": {"Pending": "InProgress", "Ready": "Current InProgress", "Degraded": "InProgress"},
    "Host": {
        "Ready": "Current",
        "NotReady": "InProgress",
        "Draining": "InProgress",
        "Maintenance": "Current",
        "Off": "InProgress",
        "Failed": "Failed",
    },
    "Flavor": {"Active": "Current", "Deprecated": "Current", "Obsolete": "Current"},
    "Image": {
        "Pending": "InProgress",
        "Importing": "InProgress",
        "Ready": "Current",
        "Failed": "Failed",
        "Deactivated": "InProgress",
    },
    "Volume": {
        "Pending": "InProgress",
        "WaitForFirstConsumer": "InProgress",
        "Provisioning": "InProgress",
        "Available": "Current",
        "InUse": "Current",
        "Resizing": "InProgress",
        "Failed": "Failed",
    },
    "Network": {"Active": "Current", "Down": "InProgress", "Failed": "Failed"},
    "PlacementGroup": {"Satisfied": "Current", "Violated": "Current"},
    "MigrationPolicy": {"Ready": "Current"},
    "VirtualMachine": {
        "Pending": "Failed InProgress",
        "Provisioning": "InProgress",
        "Unschedulable": "InProgress",
        "Starting": "InProgress",
        "Running": "Current",
        "Paused": "InProgress",
        "Migrating": "Current",
        "Stopping": "InProgress",
        "Stopped": "Current",
        "Unknown": "InProgress",
        "Failed": "Failed",
    },
    "VirtualMachineMigration": {
        "Pending": "InProgress",
        "PreparingTarget": "InProgress",
        "PreCopy": "InProgress",
        "StopAndCopy": "InProgress",
        "PostCopy": "InProgress",
        "Commitment": "InProgress",
        "Activation": "InProgress",
        "Succeeded": "Current",
        "Failed": "Failed",
        "Cancelled": "Failed",
    },
    "MigrationPlan": {
        "Planned": "Current",
        "AwaitingApproval": "InProgress",
        "Queued": "InProgress",
        "Migrating": "InProgress",
        "PreCopy": "InProgress",
        "StopAndCopy": "InProgress",
        "PostCopy": "InProgress",
        "Cancelling": "InProgress",
        "Succeeded": "Current",
        "PartiallySucceeded": "Failed",
        "Failed": "Failed",
        "Cancelled": "Failed",
        "Superseded": "Failed",
        "Expired": "Failed",
    },
    "UsageRecord": {"Open": "Current"},
}
"""What objects that are not being deleted are in each phase; several where the phase alone does not say."""

UNSEEN: dict[str, set[str]] = {
    "Volume": {"Attaching", "Detaching"},
    "Network": {"Pending"},
    "VirtualMachine": {"Scheduling", "CrashLoopBackOff"},
    "VirtualMachineMigration": {"Scheduling", "Scheduled", "TargetReady"},
    "MigrationPlan": {"Pending", "Commitment", "Activation"},
    "UsageRecord": {"Terminating"},
}
"""Phases that nothing stops at today, or for so short a time that a plan, which looks now and then, misses it."""


def _phases(kind: str) -> set[str]:
    """All that the schema knows."""
    return set(_words(KINDS[kind].model_fields["status"].annotation.model_fields["phase"].annotation))


def _words(annotation: Any) -> Iterator[str]:
    if isinstance(annotation, str):
        yield annotation
    for argument in get_args(annotation):
        yield from _words(argument)


@pytest.mark.parametrize("kind", KINDS)
def test_every_phase_has_the_verdict_of_the_table(kind: str, objects: list[dict[str, Any]]) -> None:
    seen = defaultdict(set)
    for raw in objects:
        if raw["kind"] == kind and not raw["metadata"].get("deletionTimestamp"):
            seen[raw["status"].get("phase")].add(kstatus(raw))
    assert seen.pop(None) == {"InProgress"}, "an object nobody has looked at yet is never Current"
    assert {phase: " ".join(sorted(verdicts)) for phase, verdicts in seen.items()} == VERDICTS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_has_every_phase_of_the_schema(kind: str) -> None:
    told = VERDICTS[kind].keys() | UNSEEN.get(kind, set())
    assert told | {"Terminating"} == _phases(kind) | {"Terminating"}


def test_what_is_being_deleted_is_terminating_whatever_its_phase(objects: list[dict[str, Any]]) -> None:
    going = [raw for raw in objects if raw["metadata"].get("deletionTimestamp")]
    assert {raw["kind"] for raw in going} >= {"NodePool", "Host", "Flavor", "Image", "Volume", "Network"}
    assert {kstatus(raw) for raw in going} == {"Terminating"}


def test_a_change_that_nobody_has_looked_at_is_in_progress(objects: list[dict[str, Any]]) -> None:
    for raw in objects:
        edited = raw | {"metadata": raw["metadata"] | {"generation": raw["metadata"]["generation"] + 1}}
        assert kstatus(edited) in ("InProgress", "Terminating"), raw["kind"]


def test_every_condition_carries_the_generation_it_was_decided_on(objects: list[dict[str, Any]]) -> None:
    for raw in objects:
        for condition in raw["status"].get("conditions", []):
            assert condition["observedGeneration"] == raw["status"]["observedGeneration"], raw


def test_nothing_is_stalled_and_reconciling_at_once(objects: list[dict[str, Any]]) -> None:
    for raw in objects:
        true = {one["type"] for one in raw["status"].get("conditions", []) if one["status"] == "True"}
        assert not {"Stalled", "Reconciling"} <= true, raw
        assert not {"Ready", "Stalled"} <= true, raw
