"""`drover status` tells what is wrong, counts why, and leaves alone what somebody asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from cliobjects import NOW, host, plan, pool, said, vm

from drover.api.kinds import parse
from drover.api.usage import MAX_PENDING
from drover.api.usagerecord import UsageRecord
from drover.cli.wellbeing import Seen, examine, hosts, ledger, operator, plans, pools, trouble_of, vms


def lease(holder: str = "op_1", ago: float = 2.0, seconds: int = 15) -> dict[str, Any]:
    renewed = (NOW - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"spec": {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": renewed}}


@pytest.mark.parametrize(
    ("found", "state", "message"),
    [
        (lease(), "well", "op_1 leads, Lease renewed 2 s ago"),
        (lease(ago=15), "well", "op_1 leads, Lease renewed 15 s ago"),
        (lease(ago=-3), "well", "op_1 leads, Lease renewed 0 s ago"),
        (lease(ago=16), "wrong", "op_1 led, and is silent for 16 s of a Lease of 15 s"),
        (lease(""), "wrong", "nobody leads, the last leader gave the Lease up: start one with `drover run`"),
        (None, "wrong", "no operator has led here: start one with `drover run`"),
    ],
)
def test_the_lease_tells_whether_somebody_leads(found: dict[str, Any] | None, state: str, message: str) -> None:
    check = operator(found, NOW)
    assert check.state == state
    assert check.message.startswith(message)


def test_hosts_that_nobody_switched_off_are_wrong_and_those_in_maintenance_are_not() -> None:
    check = hosts(
        [
            host("h-0", {"phase": "Ready"}),
            host("h-1", {"phase": "Failed", "conditions": [said("Ready", "False", "HostFailed", "it crashed")]}),
            host("h-2", {"phase": "Maintenance"}),
            host("h-3", {"phase": "Off"}),
            host("h-4", {"phase": "Draining", "conditions": [said("Drained", "False", "Blocked", "1 VM stays")]}),
            host("h-5", {"phase": "Draining", "conditions": [said("Drained", "False", "InProgress", "2 left")]}),
            host("h-6"),
            host(
                "h-7",
                {
                    "phase": "Draining",
                    "conditions": [said("Drained", "False", "InProgress", "a stays")],
                    "drain": {"blockedBy": ["a: NoTarget"]},
                },
            ),
        ]
    )
    assert check.state == "wrong"
    assert check.details == ("h-1 Failed: it crashed", "h-4 drain blocked: 1 VM stays", "h-7 drain blocked: a stays")
    assert check.message.startswith(
        "8: 3 Draining, 1 Failed, 1 Maintenance, 1 Off, 1 Ready, 1 not seen by the operator"
    )


def test_a_pool_that_could_not_lose_a_host_is_wrong_if_it_is_meant_to() -> None:
    tight = {"phase": "Ready", "conditions": [said("FailoverCapacityAvailable", "False", "Insufficient", "0 of 1")]}
    safe = {"phase": "Ready", "conditions": [said("FailoverCapacityAvailable", "True", "Tolerates", "1 of 1")]}
    kept = {"policy": "HostFailures"}
    check = pools([pool("p1", tight, admissionControl=kept), pool("p2", safe, admissionControl=kept), pool("p3")])
    assert (check.state, check.details) == ("wrong", ("p1: 0 of 1",))
    assert "1 without failover capacity" in check.message
    assert pools([pool("p3")]).state == "well"


@pytest.mark.parametrize(
    ("phase", "conditions", "reason"),
    [
        ("Running", [said("Ready", "True", "Running")], None),
        ("Stopped", [said("Ready", "True", "Stopped")], None),
        ("Starting", [said("Ready", "False", "Starting")], None),
        ("Paused", [said("Ready", "False", "Paused")], None),
        (None, [], None),
        ("Pending", [said("Ready", "False", "ImageNotReady"), said("PrerequisitesReady", "False", "ImageNotFound")],
         "ImageNotFound"),
        ("Unschedulable", [said("Ready", "False", "Unschedulable"), said("Scheduled", "False", "NoCapacity")],
         "NoCapacity"),
        ("Failed", [said("Ready", "False", "Failed"), said("Scheduled", "True", "Placed")], "Failed"),
        ("Unknown", [said("Ready", "Unknown", "HostUnreachable")], "HostUnreachable"),
        ("CrashLoopBackOff", [], "CrashLoopBackOff"),
        ("Terminating", [said("Ready", "False", "X"), said("Stalled", "True", "X")], "X"),
    ],
)  # fmt: skip
def test_a_vm_is_in_trouble_where_it_waits_or_has_failed(
    phase: str | None, conditions: list[dict[str, Any]], reason: str | None
) -> None:
    status = {"conditions": conditions, **({"phase": phase} if phase else {})}
    assert trouble_of(vm(status=status)) == reason


def test_vms_in_trouble_are_counted_by_reason_the_most_first_with_one_to_look_at() -> None:
    full = {"phase": "Unschedulable", "conditions": [said("Scheduled", "False", "NoCapacity", "0/3 hosts available")]}
    lost = {"phase": "Failed", "conditions": [said("Ready", "False", "Failed", "it ran once")]}
    well = {"phase": "Running", "conditions": [said("Ready", "True", "Running")]}
    check = vms([vm("a", lost), vm("b", full), vm("c", full), vm("d", well)])
    assert check.message == "4: 2 Unschedulable, 1 Failed, 1 Running"
    assert check.details == ("2 NoCapacity, as shop/b: 0/3 hosts available", "1 Failed, as shop/a: it ran once")


def test_plans_that_cannot_go_on_are_wrong_and_those_that_wait_for_a_user_are_not() -> None:
    spent = [said("WithinBudget", "False", "Spent", "30 s of pause are spent"), said("Feasible", "False", "Blocked")]
    check = plans(
        [
            plan("a", {"phase": "Migrating"}),
            plan("b", {"phase": "AwaitingApproval", "conditions": [said("Approved", "False", "AwaitingApproval")]}),
            plan("c", {"phase": "Queued", "conditions": spent}),
            plan("d", {"phase": "Failed", "endTimestamp": NOW.isoformat(), "conditions": spent}),
            plan("e", {"phase": "Planned", "conditions": spent}, mode="DryRun"),
        ]
    )
    assert check.message == "1 at work, 1 awaiting approval, 1 queued"
    assert (check.state, check.details) == ("wrong", ("shop/c blocked: 30 s of pause are spent",))


def record(total: int, *days: int) -> UsageRecord:
    row = {"meter": "vcpu", "sku": "small", "state": "Running", "total": str(total), "days": [str(day) for day in days]}
    metadata = {"name": "usage-2026-11", "namespace": "shop"}
    raw = {"metadata": metadata, "spec": {"month": "2026-11"}, "status": {"sums": [row]}}
    return cast(UsageRecord, parse({"kind": "UsageRecord", **raw}))


def metered(seq: int, through: int, pending: int = 0) -> dict[str, Any]:
    at = NOW.isoformat()
    opened = {"seq": seq, "since": at, "phase": "Running", "flavor": "small"}
    waiting = [{"seq": n + 1, "since": at, "until": at, "state": "Running"} for n in range(pending)]
    return {"phase": "Running", "usage": {"open": opened, "closed": {"throughSeq": through}, "pending": waiting}}


def test_sums_that_are_not_those_of_their_days_are_told_with_both() -> None:
    assert ledger([record(7, 3, 4)], []).state == "well"
    check = ledger([record(8, 3, 4)], [])
    assert check.details == ("shop/usage-2026-11: vcpu small Running is 8, its days are 7 in all",)


def test_a_hole_between_intervals_and_usage_that_nobody_records_are_told() -> None:
    assert ledger([], [vm("a", metered(4, 3)), vm("b")]).state == "well"
    check = ledger([], [vm("a", metered(5, 3)), vm("b", metered(MAX_PENDING + 1, MAX_PENDING, MAX_PENDING))])
    assert check.details[0] == "shop/a: interval 5 is open, and 3 was the last to end"
    assert check.details[1].startswith(f"shop/b: {MAX_PENDING} intervals wait for a UsageRecord")


def test_what_may_not_be_seen_is_neither_well_nor_wrong() -> None:
    checks = {check.about: check for check in examine(Seen(lease(), unseen={"hosts": "hosts is forbidden"}), NOW)}
    assert (checks["hosts"].state, checks["hosts"].message) == ("unseen", "hosts is forbidden")
    assert {check.state for about, check in checks.items() if about != "hosts"} == {"well"}
