"""Which objects a new leader fences: all that an earlier leader may still be giving a claim to."""

from __future__ import annotations

from datetime import datetime

import pytest
from worlds import NOW, host, migration, moving, network, placed, vm, world_of

from drover.control.engine.fencing import LONGEST_FLIGHT, highest_epoch, may_gain_a_claim

LONG_AFTER = NOW + LONGEST_FLIGHT
"""Late enough that no write decided while the hosts were down can still be on its way."""


def fenced(*objects: object, now: datetime = LONG_AFTER) -> set[str]:
    return {resource.name for resource in may_gain_a_claim(world_of(*objects), now)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "status",
    [
        None,
        {"phase": "Pending"},
        {"phase": "Provisioning"},
        {"phase": "Unschedulable"},
        {"phase": "Stopped"},
        placed(phase="Starting"),
        placed(phase="Stopping"),
        placed(phase="Migrating"),
        placed(phase="Unknown"),
        placed("lost"),
    ],
    ids=lambda status: str((status or {}).get("phase")),
)
def test_a_vm_that_could_be_placed_is_fenced(status: dict[str, object] | None) -> None:
    assert fenced(host(), vm(status=status)) == {"a"}


@pytest.mark.parametrize("phase", ["Running", "Paused"])
def test_a_vm_that_runs_undisturbed_costs_no_write(phase: str) -> None:
    assert fenced(host(), vm(status=placed(phase=phase))) == set()


def test_a_vm_on_a_host_that_came_back_lately_is_fenced_for_an_earlier_leader_may_be_moving_it() -> None:
    assert fenced(host(), vm(status=placed()), now=NOW) == {"a"}


@pytest.mark.parametrize(
    "down", [host(status={}), host(fault={"type": "Crash"}), host(power_state="Off")], ids=["not ready", "fault", "off"]
)
def test_a_vm_on_a_host_that_is_not_up_is_fenced_for_it_may_be_restarted_elsewhere(down: object) -> None:
    assert fenced(down, vm(status=placed())) == {"a"}


@pytest.mark.parametrize("status", [None, {"phase": "Pending"}, moving("p1-1"), moving("p1-1", phase="Commitment")])
def test_a_migration_that_is_not_over_is_fenced_and_so_is_its_vm(status: dict[str, object] | None) -> None:
    assert fenced(host(), host("p1-1"), vm(status=placed()), migration("a-1", status=status)) == {"a", "a-1"}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
def test_a_migration_that_is_over_is_not_fenced(phase: str) -> None:
    over = migration("a-1", status=moving("p1-1", phase=phase))
    assert fenced(host(), vm(status=placed()), over) == set()


def test_a_vm_whose_host_came_back_a_moment_ago_may_be_on_its_way_elsewhere() -> None:
    assert fenced(host(), vm(status=placed()), now=NOW) == {"a"}


def test_a_halted_vm_is_fenced_too_for_its_start_may_be_on_its_way() -> None:
    assert fenced(host(), vm(run_strategy="Halted", status={"phase": "Stopped"})) == {"a"}


def test_a_network_without_a_segment_is_fenced_for_it_may_be_given_one() -> None:
    assert fenced(network("new"), network("old", status={"segmentationID": 7})) == {"new"}


def test_the_highest_epoch_is_that_of_any_vm_or_migration() -> None:
    assert highest_epoch(world_of()) == 0
    assert (
        highest_epoch(world_of(vm("a", status={"leaderEpoch": 3}), vm("b"), migration(status={"leaderEpoch": 5}))) == 5
    )
