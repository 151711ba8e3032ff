"""`drover plan` asks of a plan only what it can still do, and tells where it stands."""

from __future__ import annotations

from typing import Any

import pytest
from cliobjects import NOW, plan, said

from drover.api.migrationplan import MigrationPlan
from drover.cli.plan import Verb, steered, summary
from drover.cli.server import CommandError

ENDED = {"phase": "Succeeded", "endTimestamp": NOW.isoformat()}


@pytest.mark.parametrize(
    ("found", "verb", "spec"),
    [
        (plan(approval="Manual"), "approve", {"approved": True}),
        (plan(approval="Manual", approved=True), "approve", {}),
        (plan(), "pause", {"paused": True}),
        (plan(paused=True), "pause", {}),
        (plan(paused=True), "resume", {"paused": False}),
        (plan(), "resume", {}),
        (plan(), "cancel", {"cancel": True}),
        (plan(cancel=True), "cancel", {}),
        (plan(mode="DryRun"), "cancel", {"cancel": True}),
    ],
)
def test_a_verb_sets_its_field_once(found: MigrationPlan, verb: Verb, spec: dict[str, Any]) -> None:
    assert steered(found, verb) == spec


@pytest.mark.parametrize(
    ("found", "verb", "message"),
    [
        (plan(), "approve", "plan shop/moves needs no approval (spec.approval Automatic): it begins by itself"),
        (plan(status=ENDED), "cancel", "plan shop/moves has ended, Succeeded: create a new plan for what is left"),
        (plan(mode="DryRun"), "pause", "plan shop/moves moves nothing (spec.mode DryRun): create one with mode Exec"),
        (plan(cancel=True), "resume", "plan shop/moves is being cancelled, which cannot be withdrawn"),
    ],
)
def test_what_comes_too_late_or_is_not_meant_is_refused(found: MigrationPlan, verb: Verb, message: str) -> None:
    with pytest.raises(CommandError) as refused:
        steered(found, verb)
    assert str(refused.value).startswith(message)


def test_the_summary_has_the_prediction_beside_what_it_took() -> None:
    status = {
        "phase": "Succeeded",
        "percent": 100,
        "conditions": [said("Ready", "True", "Succeeded", "2 of 2 VMs moved")],
        "estimate": {
            "verdict": "Converges",
            "durationSeconds": {"p50": 119.24, "p90": 130.0},
            "downtimeMilliseconds": {"p50": 172, "p90": 180},
            "transferBytes": 2 * 2**30,
            "waves": 1,
            "warnings": ["its link is shared"],
        },
        "result": {
            "durationSeconds": 120.0,
            "durationErrorPercent": 0.6,
            "totalDowntimeMilliseconds": 340.0,
            "transferredBytes": 2 * 2**30,
        },
    }
    assert summary(plan(status=status)) == [
        "shop/moves: Succeeded, 100 %",
        "2 of 2 VMs moved",
        "predicted: Converges, 119.2 s (nine in ten: 130.0 s), longest pause 172 ms, 2Gi sent, 1 wave",
        "warning: its link is shared",
        "took 120.0 s (+0.6 %), pauses of 340 ms in all, 2Gi sent",
    ]


def test_a_plan_nobody_has_looked_at_is_told_as_such() -> None:
    assert summary(plan()) == ["shop/moves: not seen by the operator yet, 0 %"]
