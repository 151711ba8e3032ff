"""Which objects a new leader fences: all that an earlier leader may still be giving a claim to."""

from __future__ import annotations

import pytest
from worlds import host, migration, moving, placed, vm, world_of

from drover.control.fencing import may_gain_a_claim


def fenced(*objects: object) -> set[str]:
    return {resource.name for resource in may_gain_a_claim(world_of(*objects))}  # type: ignore[arg-type]


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
