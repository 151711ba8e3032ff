"""The priority of a VM, as its PriorityClass and the default class say."""

from __future__ import annotations

from typing import Any

import pytest
from worlds import priority_class, vm, world_of

from drover.control.world.priorities import Priority

URGENT = priority_class("urgent", 1000)
POLITE = priority_class("polite", 500, preemptionPolicy="Never")
DEFAULT = priority_class("default", 7, globalDefault=True, preemptionPolicy="Never")


@pytest.mark.parametrize(
    ("classes", "name", "priority"),
    [
        ([], None, Priority(0, preempts=True)),
        ([URGENT], None, Priority(0, preempts=True)),
        ([URGENT], "urgent", Priority(1000, preempts=True)),
        ([URGENT, POLITE, DEFAULT], "polite", Priority(500, preempts=False)),
        ([URGENT, DEFAULT], None, Priority(7, preempts=False)),
        ([URGENT, DEFAULT], "gone", Priority(7, preempts=False)),
        ([URGENT], "gone", Priority(0, preempts=True)),
        ([DEFAULT, priority_class("lower", -3, globalDefault=True)], None, Priority(-3, preempts=True)),
    ],
    ids=["no class", "none named", "named", "never preempts", "default", "missing", "no default", "two defaults"],
)
def test_the_named_class_counts_then_the_lowest_default_then_zero(
    classes: list[Any], name: str | None, priority: Priority
) -> None:
    assert world_of(*classes).priority(vm(priority_class_name=name)) == priority


def test_a_default_class_counts_from_the_moment_it_is_seen_until_it_is_gone() -> None:
    world = world_of(DEFAULT)
    assert world.priority(vm()).value == 7
    world.observe(priority_class("default", 7, resource_version="2"))
    assert world.priority(vm()).value == 0
    world.observe(priority_class("default", 7, globalDefault=True, resource_version="3"))
    assert world.priority(vm()).value == 7
    assert world.gone(DEFAULT.key, DEFAULT.uid)
    assert world.priority(vm()).value == 0
