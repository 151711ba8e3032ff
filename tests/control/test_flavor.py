"""Flavor: lifecycle states, the count of its VMs, deletion."""

from __future__ import annotations

import pytest
from worlds import NOW, assert_settled, flavor, message, reasons, taken, told, vm, world_of

from drover.control.flavor import CONTROLLER, reconcile
from drover.control.outcome import Outcome


@pytest.mark.parametrize(
    ("state", "reason", "event"),
    [
        ("Active", "Available", None),
        ("Deprecated", "Deprecated", "FlavorDeprecated"),
        ("Obsolete", "Obsolete", "FlavorObsolete"),
    ],
)
def test_every_declared_state_is_ready_with_its_own_reason(state: str, reason: str, event: str | None) -> None:
    size = flavor(lifecycle={"state": state, "replacement_ref": {"name": "medium"}})
    world = world_of(size)
    outcome = reconcile(size, world, NOW)
    assert outcome.status is not None
    assert outcome.status.phase == state
    assert reasons(outcome) == {"Ready": ("True", reason)}
    assert told(outcome) == ([event] if event else [])
    assert (event is None) or "medium" in message(outcome, "Ready")
    assert_settled(reconcile, size, world, NOW)


def test_instances_counts_the_vms_that_name_it() -> None:
    size = flavor()
    other = vm("c", flavor_ref={"name": "large"})
    outcome = reconcile(size, world_of(size, vm("a"), vm("b"), other), NOW)
    assert outcome.status is not None
    assert outcome.status.instances == 2


def test_a_new_flavor_is_protected_before_anything_else() -> None:
    size = flavor(finalizer=False)
    assert reconcile(size, world_of(size), NOW) == Outcome(protect=True)


def test_a_flavor_in_use_stays_and_says_who_uses_it_once() -> None:
    size = flavor(deleting=True)
    world = world_of(size, vm("a"))
    outcome = reconcile(size, world, NOW)
    assert outcome.protect is None
    assert outcome.status is not None
    assert outcome.status.phase == "Terminating"
    assert reasons(outcome) == {"Ready": ("True", "Available"), "Terminating": ("True", "InUse")}
    assert "default/a" in message(outcome, "Terminating")
    assert told(outcome) == ["DeletionBlocked"]
    assert told(reconcile(taken(world, size, outcome), world, NOW)) == []


def test_a_message_names_five_users_and_counts_the_rest() -> None:
    size = flavor(deleting=True)
    outcome = reconcile(size, world_of(size, *(vm(f"vm-{n}") for n in range(8))), NOW)
    assert "8 VMs" in message(outcome, "Terminating")
    assert "default/vm-4 and 3 more" in message(outcome, "Terminating")


def test_an_unused_flavor_goes() -> None:
    size = flavor(deleting=True)
    assert reconcile(size, world_of(size), NOW) == Outcome(protect=False)


def test_a_vm_that_changes_its_flavor_wakes_both() -> None:
    (watch,) = CONTROLLER.watches
    before, after = vm("a"), vm("a", flavor_ref={"name": "large"})
    assert [key.name for key in watch.affected(before, after, world_of())] == ["large", "small"]
    assert watch.affected(before, vm("a", paused=True), world_of()) == []
    assert [key.name for key in watch.affected(None, before, world_of())] == ["small"]
    assert [key.name for key in watch.affected(before, None, world_of())] == ["small"]
