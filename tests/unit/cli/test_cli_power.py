"""What start, stop, restart, pause and resume change, so that the controller does what was meant."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from cliobjects import vm
from hypothesis import given
from hypothesis import strategies as st

from drover.api.meta import dump
from drover.api.virtualmachine import RunStrategy, VirtualMachine
from drover.cli.powering import Change, Verb, change
from drover.cli.server import CommandError
from drover.control.virtualmachine.power import ACTION, power_of


def annotated(verb: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {ACTION: f"{verb}@t1"}}}


def declared(strategy: str, *, paused: bool = False, action: str = "", phase: str = "Running") -> VirtualMachine:
    annotations = {ACTION: f"{action}@t0"} if action else {}
    return vm("a", {"phase": phase}, {"annotations": annotations}, runStrategy=strategy, paused=paused)


def patched(before: VirtualMachine, done: Change) -> VirtualMachine:
    """As the API server merges it."""
    raw = dump(before)
    for part in ("spec", "metadata"):
        given_part = (done.patch or {}).get(part, {})
        annotations = {**raw["metadata"].get("annotations", {}), **given_part.get("annotations", {})}
        raw[part] = {**raw[part], **given_part}
        raw["metadata"]["annotations"] = annotations
    return VirtualMachine.model_validate(raw)


@pytest.mark.parametrize(
    ("before", "verb", "patch"),
    [
        (declared("Always"), "stop", {"spec": {"runStrategy": "Halted"}}),
        (declared("Once"), "stop", {"spec": {"runStrategy": "Halted"}}),
        (declared("Halted", phase="Stopped"), "start", {"spec": {"runStrategy": "Always"}}),
        (declared("RerunOnFailure"), "start", None),
        (declared("Halted", phase="Stopped"), "stop", None),
        (declared("Manual"), "stop", annotated("stop")),
        (declared("Manual", phase="Stopped"), "start", annotated("start")),
        (declared("Manual"), "restart", annotated("restart")),
        (declared("Always"), "restart", annotated("restart")),
        (declared("Always"), "pause", {"spec": {"paused": True}}),
        (declared("Manual"), "pause", annotated("pause")),
        (declared("Always", paused=True), "pause", None),
        (declared("Manual", action="pause"), "pause", None),
        (declared("Always", paused=True), "resume", {"spec": {"paused": False}}),
        (declared("Manual", action="pause"), "resume", annotated("resume")),
        (declared("Manual", action="pause", paused=True), "resume", {"spec": {"paused": False}, **annotated("resume")}),
        (declared("Always"), "resume", None),
    ],
)
def test_a_verb_changes_what_holds_the_vm(before: VirtualMachine, verb: Verb, patch: dict[str, Any] | None) -> None:
    assert change(before, verb, "t1").patch == patch


@pytest.mark.parametrize(
    ("before", "verb", "said"),
    [
        (declared("Halted", phase="Stopped"), "restart", "`kubectl drover start a` boots it"),
        (declared("Halted", phase="Stopped"), "pause", "only a running guest can be paused"),
        (declared("Manual", action="stop", phase="Stopped"), "pause", "a was stopped: only a running guest"),
        (declared("Once", phase="Failed"), "restart", "has run once and failed (runStrategy Once): create it anew"),
    ],
)
def test_what_contradicts_is_refused_with_the_way_out(before: VirtualMachine, verb: Verb, said: str) -> None:
    with pytest.raises(CommandError) as refused:
        change(before, verb, "t1")
    assert said in str(refused.value)


def test_a_vm_that_goes_is_left_alone() -> None:
    going = vm("a", metadata={"deletionTimestamp": "2026-11-02T09:00:00Z"})
    with pytest.raises(CommandError, match="a is being deleted: create it anew to start it"):
        change(going, "start", "t1")


STRATEGIES = st.sampled_from(get_args(RunStrategy))
ACTIONS = st.sampled_from(["", "start", "stop", "restart", "pause", "resume"])


@given(STRATEGIES, st.booleans(), ACTIONS, st.sampled_from(get_args(Verb)))
def test_what_was_asked_for_is_what_the_controller_reads(strategy: str, paused: bool, action: str, verb: Verb) -> None:
    before = declared(strategy, paused=paused, action=action)
    try:
        power = power_of(patched(before, change(before, verb, "t1")))
    except CommandError:
        assert verb in ("restart", "pause")
        return
    match verb:
        case "start":
            assert power.on
        case "stop":
            assert not power.on
        case "restart":
            assert (power.on, power.restart) == (True, True)
        case "pause":
            assert power.paused
        case "resume":
            assert not power.paused
    if verb != "stop":
        assert not power.objection or action in ("start", "stop"), "only an older action can object"
