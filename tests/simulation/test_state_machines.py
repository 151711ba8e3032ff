"""The state machines that docs/concepts/states.md draws are those of the operator."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal, get_args, get_origin

import pytest
from phases import Moves, seen

from drover.api.kinds import KINDS
from statemachines.machine import Machine, Step
from statemachines.machines import MACHINES

SEEDS = (3013, 3011, 3010, 3000, 3001, *range(3020, 3035))
"""As this is written the first five have every arrow; where what they do has changed, the others are tried."""
MANY_SEEDS = range(4000, 4030)
EVERY_ARROW = [(machine, step) for machine in MACHINES for step in machine.steps]


def _add(moves: Moves, seed: int) -> None:
    for kind, some in seen(seed).items():
        moves[kind] |= some


def _unknown(moves: Moves) -> dict[str, list[tuple[str, str]]]:
    return {machine.kind: found for machine in MACHINES if (found := machine.unknown(moves[machine.kind]))}


def _unseen(moves: Moves) -> list[Step]:
    return [step for machine, step in EVERY_ARROW if not machine.moves(step) & moves[machine.kind]]


def test_every_kind_has_a_state_machine() -> None:
    assert {machine.kind for machine in MACHINES} == set(KINDS)


@pytest.mark.parametrize("machine", MACHINES, ids=[machine.kind for machine in MACHINES])
def test_each_phase_of_the_api_is_in_the_state_machine_or_said_to_be_unwritten(machine: Machine) -> None:
    annotation = type(KINDS[machine.kind].model_fields["status"].default).model_fields["phase"].annotation
    literal = next(part for part in get_args(annotation) if get_origin(part) is Literal)
    assert machine.phases.isdisjoint(machine.unwritten)
    assert machine.phases | set(machine.unwritten) == set(get_args(literal))


@pytest.mark.timeout(400)
def test_whatever_the_operator_writes_is_a_step_and_every_arrow_of_a_picture_is_written() -> None:
    moves: Moves = defaultdict(set)
    for seed in SEEDS:
        _add(moves, seed)
        if not _unseen(moves):
            break
    assert _unknown(moves) == {}
    assert _unseen(moves) == []


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_whatever_the_operator_writes_in_many_storms_is_a_step() -> None:
    moves: Moves = defaultdict(set)
    for seed in MANY_SEEDS:
        _add(moves, seed)
    assert _unknown(moves) == {}
