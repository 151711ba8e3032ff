"""The reference names every condition and event that the controllers write, and none that they never do."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from drover.api.kinds import KINDS
from drover.control.ports import Refused, Write, Written
from drover.sim.simulation import Simulation
from drover.sim.storm import Storm
from reference.words import COMMON, COMMON_EVENTS, CONDITIONS, EVENTS

OPERATOR = Path(__file__).parents[3] / "operator" / "drover"
TOLD_BY_CALLS = {"true", "false", "Verdict", "ready", "waiting", "progressing", "stalled"}
COMPOSED = ("Plan", "Flavor")
"""What the reasons of events begin with that are made of this word and a phase."""
TYPES = {told.type for told in COMMON} | {told.type for types in CONDITIONS.values() for told in types}
REASONS = {reason for types in (COMMON, *CONDITIONS.values()) for told in types for reason in told.reasons}
EVENT_REASONS = {told.reason for events in (COMMON_EVENTS, *EVENTS.values()) for told in events}


def calls(name: str, arguments: int) -> Iterator[tuple[str, list[str]]]:
    """(where, the texts among so many first arguments) of each call of a function in the controllers."""
    for file in (OPERATOR / "control").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                texts = [
                    a.value for a in node.args[:arguments] if isinstance(a, ast.Constant) and isinstance(a.value, str)
                ]
                yield f"{file.name}:{node.lineno}", texts


def test_every_kind_has_its_conditions() -> None:
    assert CONDITIONS.keys() == KINDS.keys()
    assert EVENTS.keys() <= KINDS.keys()
    assert all(types[0].type == "Ready" for types in CONDITIONS.values())


@pytest.mark.parametrize("function", ["Event", "warning"])
def test_every_event_that_the_code_tells_is_there(function: str) -> None:
    told = {texts[0]: where for where, texts in calls(function, 1) if texts}
    assert {reason: where for reason, where in told.items() if reason not in EVENT_REASONS} == {}
    assert len(told) > 5


def test_every_condition_that_the_code_tells_is_there() -> None:
    unknown, statuses = {}, {"True", "False", "Unknown"}
    for function in TOLD_BY_CALLS:
        for where, texts in calls(function, 3):
            words = [text for text in texts if text.isidentifier() and text[0].isupper() and text not in statuses]
            unknown |= {word: where for word in words if word not in TYPES | REASONS}
    assert unknown == {}


def test_every_word_of_the_reference_is_in_the_code() -> None:
    trees = [ast.parse(file.read_text()) for file in OPERATOR.rglob("*.py")]
    texts = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    composed = {f"{prefix}{text}" for prefix in COMPOSED for text in texts if isinstance(text, str)}
    assert (TYPES | REASONS | EVENT_REASONS) - texts - composed == set()


@pytest.mark.parametrize("seed", [1, 2])
def test_what_a_storm_is_seen_to_say_is_what_its_kind_may_say(seed: int) -> None:
    storm = Storm(seed)
    said = conditions_of(storm.sim)
    storm.run(1_500)
    may = {(kind, told.type, reason) for kind, types in CONDITIONS.items() for told in types for reason in told.reasons}
    assert {words for words in said if words not in may and words[1] not in {told.type for told in COMMON}} == set()
    assert len(said) > 40
    events = {(event.regarding.KIND, event.reason, event.type == "Warning") for event in storm.sim.backend.events}
    known = {(kind, told.reason, told.warning) for kind in KINDS for told in (*EVENTS.get(kind, ()), *COMMON_EVENTS)}
    assert events - known == set()
    assert len(events) > 20


def conditions_of(sim: Simulation) -> set[tuple[str, str, str]]:
    """(kind, condition, reason) of all that is written from now on."""
    said: set[tuple[str, str, str]] = set()
    told = sim.backend.on_write

    def noted(write: Write, answer: Written | Refused, changed: bool) -> None:
        told(write, answer, changed)
        if isinstance(answer, Written) and answer.resource is not None and answer.resource.KIND in KINDS:
            resource = answer.resource
            said.update((resource.KIND, c.type, c.reason) for c in resource.status.conditions)

    sim.backend.on_write = noted
    return said
