"""What a VM's declaration and its last action ask of its power."""

from __future__ import annotations

from typing import Any

import pytest
from worlds import placed, vm

from drover.control.virtualmachine.power import ACTION, Power, power_of


def power(action: str | None = None, *, status: dict[str, Any] | None = None, **spec: Any) -> Power:
    annotations = {ACTION: action} if action else {}
    return power_of(vm(annotations=annotations, status=status, **spec))


@pytest.mark.parametrize(
    ("strategy", "on"), [("Always", True), ("RerunOnFailure", True), ("Once", True), ("Halted", False)]
)
def test_the_run_strategy_decides_and_actions_do_not_overrule_it(strategy: str, on: bool) -> None:
    for action in (None, "start@1", "stop@1", "restart@1", "resume@1", "nonsense"):
        assert power(action, run_strategy=strategy).on is on


@pytest.mark.parametrize(
    ("action", "status", "on"),
    [
        (None, None, False),
        (None, {"phase": "Stopped"}, False),
        (None, placed(), True),
        (None, placed(phase="Stopping"), True),
        (None, {"phase": "Unschedulable"}, True),
        (None, {"phase": "Provisioning"}, True),
        ("start@1", {"phase": "Stopped"}, True),
        ("restart@1", {"phase": "Stopped"}, True),
        ("stop@1", placed(), False),
        ("stop@1", {"phase": "Unschedulable"}, False),
        ("nonsense@1", placed(), True),
        ("nonsense@1", None, False),
    ],
)
def test_with_manual_the_last_verb_decides_and_without_one_the_vm_stays_as_it_is(
    action: str | None, status: dict[str, Any] | None, on: bool
) -> None:
    assert power(action, status=status, run_strategy="Manual").on is on


def test_a_restart_is_asked_for_until_its_token_is_remembered() -> None:
    assert power("restart@1").restart
    assert not power("restart@1", status={"lastAction": "restart@1"}).restart
    assert power("restart@2", status={"lastAction": "restart@1"}).restart
    assert not power("start@2").restart


@pytest.mark.parametrize(
    ("action", "paused"), [(None, False), ("pause@1", True), ("resume@2", False), ("restart@3", False)]
)
def test_a_vm_is_paused_by_its_last_action_or_by_its_spec(action: str | None, paused: bool) -> None:
    assert power(action).paused is paused
    assert power(action, paused=True).paused


def test_the_hint_names_what_pauses_the_vm() -> None:
    assert "spec.paused" in power(paused=True).resume_hint
    assert "resume@TOKEN" in power("pause@1").resume_hint


@pytest.mark.parametrize(
    ("action", "strategy", "words"),
    [
        ("explode@1", "Always", "the verb must be one of pause, restart, resume, start, stop"),
        ("stop@1", "Always", "set spec.runStrategy to Halted"),
        ("stop@1", "Once", "set spec.runStrategy to Halted"),
        ("start@1", "Halted", "set spec.runStrategy to Always"),
    ],
)
def test_an_action_that_cannot_be_carried_out_is_objected_to_once(action: str, strategy: str, words: str) -> None:
    asked = vm(annotations={ACTION: action}, run_strategy=strategy)
    (event,) = power_of(asked).objections(asked)
    assert event.reason == "InvalidAction"
    assert event.type == "Warning"
    assert words in event.message
    told = vm(annotations={ACTION: action}, run_strategy=strategy, status={"lastAction": action})
    assert power_of(told).objections(told) == ()


@pytest.mark.parametrize(
    ("action", "strategy"),
    [(None, "Always"), ("stop@1", "Manual"), ("stop@1", "Halted"), ("start@1", "Always"), ("pause@1", "Once")],
)
def test_an_action_that_fits_meets_no_objection(action: str | None, strategy: str) -> None:
    asked = vm(annotations={ACTION: action} if action else {}, run_strategy=strategy)
    assert power_of(asked).objections(asked) == ()


def test_what_declares_a_stop_is_named() -> None:
    assert power("stop@1", run_strategy="Manual").declared_by == "action stop@1"
    assert power(run_strategy="Halted").declared_by == "runStrategy Halted"


def test_an_endless_annotation_is_cut_to_what_the_status_can_remember() -> None:
    assert len(power("restart@" + "x" * 500).action or "") == 128
