"""MigrationPolicy: whom it holds for, what shadows it, conflicts, deletion, and what wakes it."""

from __future__ import annotations

import pytest
from checked import reconciled
from worlds import edited, message, namespace, policy, reasons, taken, told, vm, world_of

from drover.api.meta import AnyResource, Key
from drover.api.migrationpolicy import MigrationPolicy
from drover.control.migrationpolicy import CONTROLLER, reconcile
from drover.control.world import World

VMS = (
    vm("web-1", labels={"app": "web"}),
    vm("web-2", labels={"app": "web", "tier": "gold"}),
    vm("db-1", labels={"app": "db", "tier": "gold"}),
)


def standing(item: MigrationPolicy, *others: AnyResource) -> tuple[MigrationPolicy, World]:
    return item, world_of(*VMS, item, *others)


def matched(item: MigrationPolicy, *others: AnyResource) -> tuple[int, dict[str, tuple[str, str]], str]:
    outcome = reconciled(reconcile, *standing(item, *others))
    assert outcome.status is not None
    count = getattr(outcome.status, "matched_virtual_machines", -1)
    return count, reasons(outcome), message(outcome, "Ready")


def test_a_new_policy_is_protected_first() -> None:
    outcome = reconciled(reconcile, *standing(policy("all", finalizer=False)), writes=2)
    assert (outcome.protect, outcome.status) == (True, None)


@pytest.mark.parametrize(
    ("item", "others", "count", "reason", "said"),
    [
        (policy("all"), [], 3, "Valid", "3 VMs would be migrated by it"),
        (policy("p", {"app": "cache"}), [], 0, "Valid", "no VM matches its selectors"),
        (
            policy("all"),
            [policy("web", {"app": "web"})],
            1,
            "Valid",
            "1 VM would be migrated by it; 2 VMs more that it matches by another policy",
        ),
        (
            policy("web", {"app": "web"}),
            [policy("gold", {"tier": "gold", "app": "web"}), policy("silver", {"app": "web"}, weight=7)],
            0,
            "Shadowed",
            "it matches 2 VMs, and 1 of them would be migrated by gold (2 labels in its selectors against 1), 1 by"
            " other policies; give this one more labels in spec.selectors or a higher spec.weight",
        ),
        (
            policy("web", {"app": "web"}),
            [policy("silver", {"app": "web"}, weight=7)],
            0,
            "Shadowed",
            "it matches 2 VMs, and 2 of them would be migrated by silver (weight 7 against 0); give this one more"
            " labels in spec.selectors or a higher spec.weight",
        ),
        (policy("all"), [policy("old", {"app": "web"}, deleting=True)], 3, "Valid", "3 VMs would be migrated by it"),
        (
            policy("p", namespaces={"team": "shop"}),
            [namespace(team="shop")],
            3,
            "Valid",
            "3 VMs would be migrated by it",
        ),
        (policy("p", namespaces={"team": "shop"}), [namespace(team="data")], 0, "Valid", "no VM matches its selectors"),
    ],
)
def test_it_is_ready_and_says_whom_it_holds_for(
    item: MigrationPolicy, others: list[AnyResource], count: int, reason: str, said: str
) -> None:
    assert matched(item, *others) == (count, {"Ready": ("True", reason)}, said)


def test_policies_that_only_their_names_tell_apart_are_in_conflict_and_say_so_once() -> None:
    web, gold = policy("web", {"app": "web"}), policy("gold", {"tier": "gold"})
    first = reconciled(reconcile, *standing(gold, web))
    assert reasons(first) == {"Ready": ("True", "Valid"), "Conflicting": ("True", "PolicyConflict")}
    assert message(first, "Conflicting") == (
        "web matches default/web-2 too, with as many labels and the same weight (0), so that the name decides; set"
        " another spec.weight on one of them"
    )
    assert told(first) == ["PolicyMatched", "PolicyConflict"]
    assert [event.type for event in first.events] == ["Normal", "Warning"]
    second = reconciled(reconcile, *standing(web, gold))
    assert "gold matches default/web-2 too" in message(second, "Conflicting")


@pytest.mark.parametrize(
    "settled",
    [
        [policy("web", {"app": "web"}, weight=1)],
        [policy("web", {"app": "web"}), policy("both", {"app": "web", "tier": "gold"})],
        [policy("web", {"app": "db", "tier": "silver"})],
    ],
    ids=["by weight", "by a more specific one before both", "no VM in common"],
)
def test_there_is_no_conflict_where_more_than_the_name_decides(settled: list[AnyResource]) -> None:
    outcome = reconciled(reconcile, *standing(policy("gold", {"tier": "gold"}), *settled))
    assert "Conflicting" not in reasons(outcome)


def test_a_conflict_that_is_solved_is_told_no_more() -> None:
    gold, world = standing(policy("gold", {"tier": "gold"}), policy("web", {"app": "web"}))
    gold = taken(world, gold, reconcile(gold, world, gold.metadata.creation_timestamp))  # type: ignore[arg-type]
    world.observe(edited(policy("web", {"app": "web"}), spec={"weight": 3}))
    outcome = reconciled(reconcile, gold, world)
    assert reasons(outcome) == {"Ready": ("True", "Valid")}
    assert told(outcome) == []


def test_the_first_match_is_told_and_the_next_are_not() -> None:
    item = policy("web", {"app": "web"}, status={"matchedVirtualMachines": 0})
    assert told(reconciled(reconcile, *standing(item))) == ["PolicyMatched"]
    item = policy("web", {"app": "web"}, status={"matchedVirtualMachines": 1})
    assert told(reconciled(reconcile, *standing(item))) == []


def test_a_deletion_waits_for_nobody() -> None:
    outcome = reconciled(reconcile, *standing(policy("all", deleting=True)))
    assert (outcome.protect, outcome.status) == (False, None)


# What wakes it

ALL = policy("all")
WEB = policy("web", {"app": "web"})
TEAM = policy("team", namespaces={"team": "shop"})


def woken(before: AnyResource | None, after: AnyResource | None, *more: AnyResource) -> list[str]:
    world = world_of(ALL, WEB, TEAM, *more)
    changed = after or before
    assert changed is not None
    keys: set[Key] = set()
    for watch in CONTROLLER.watches:
        if watch.kind == changed.KIND:
            assert watch.after > 0, "changes are gathered"
            keys |= set(watch.affected(before, after, world))
    return sorted(key.name for key in keys)


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        (None, VMS[0], ["all", "web"]),
        (VMS[2], None, ["all"]),
        (VMS[0], edited(VMS[0], labels={"app": "db"}), ["all", "web"]),
        (VMS[2], edited(VMS[2], labels={"app": "web"}), ["all", "web"]),
        (VMS[0], edited(VMS[0], annotations={"a": "b"}), []),
        (namespace(), namespace(team="shop"), ["all", "team", "web"]),
        (namespace(team="shop"), edited(namespace(team="shop"), annotations={"a": "b"}), []),
        (None, policy("new"), ["all", "team", "web"]),
        (policy("new"), None, ["all", "team", "web"]),
        (policy("new"), edited(policy("new"), spec={"weight": 1}), ["all", "team", "web"]),
        (policy("new"), edited(policy("new"), spec={"maxDowntimeMs": 1}), []),
    ],
)
def test_it_looks_again_when_whom_it_holds_for_may_have_changed(
    before: AnyResource | None, after: AnyResource | None, names: list[str]
) -> None:
    assert woken(before, after) == names


def test_a_vm_in_a_namespace_with_the_labels_wakes_the_policy_of_the_namespace() -> None:
    assert woken(None, VMS[2], namespace(team="shop")) == ["all", "team"]
