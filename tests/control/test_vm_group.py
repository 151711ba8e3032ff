"""A member of a group is placed once no more members come, so that it is placed with all of them in view."""

from __future__ import annotations

from typing import Any

import pytest
from checked import reconciled
from worlds import NOW, flavor, group, host, image, imported, later, placed, pool, vm, world_of

from drover.api.virtualmachine import VirtualMachine, VirtualMachineStatus
from drover.control.virtualmachine.choosing import fellows_seen_at
from drover.control.virtualmachine.controller import reconcile
from drover.control.world import World

IN_GROUP: dict[str, Any] = {"placement": {"placementGroupName": "db"}}


def fellow(name: str, seconds: float, **fields: Any) -> VirtualMachine:
    return vm(name, creation_timestamp=later(seconds), **IN_GROUP, **fields)


def world(*fellows: VirtualMachine, policy: str = "Affinity") -> World:
    data_centre = pool(), host(), flavor(), image(status=imported())
    return world_of(*data_centre, group(policy=policy), fellow("a", 0), *fellows)


@pytest.mark.parametrize(
    ("others", "seconds"),
    [
        pytest.param([], 2, id="alone"),
        pytest.param([("b", 1)], 3, id="one-follows"),
        pytest.param([("b", 1), ("c", 5)], 7, id="two-follow"),
        pytest.param([("b", 60)], 10, id="one-comes-much-later"),
        pytest.param([("b", -60)], 2, id="one-has-waited-long"),
    ],
)
def test_a_member_waits_until_no_more_come_but_not_for_long(others: list[tuple[str, float]], seconds: float) -> None:
    assert fellows_seen_at(fellow("a", 0), world(*(fellow(*other) for other in others))) == later(seconds)


def test_a_member_that_has_a_host_is_nobody_to_wait_for() -> None:
    assert fellows_seen_at(fellow("a", 0), world(fellow("b", 1, status=placed()))) == later(2)


def test_nobody_waits_for_fellows_who_are_not_looked_ahead_on() -> None:
    assert fellows_seen_at(fellow("a", 0), world(fellow("b", 1), policy="SoftAffinity")) == NOW
    assert fellows_seen_at(vm("a"), world()) == NOW


def test_the_members_are_placed_when_the_last_has_been_there_for_a_moment() -> None:
    early = reconciled(reconcile, fellow("a", 0), world(fellow("b", 1)), later(2))
    assert (early.status, early.requeue_at) == (None, later(3))
    due = reconciled(reconcile, fellow("a", 0), world(fellow("b", 1)), later(3))
    assert isinstance(due.status, VirtualMachineStatus)
    assert due.status.phase == "Starting"
