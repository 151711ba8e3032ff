"""`drover migrate` refuses what could not begin, estimates as a plan does, and tells how far and what became of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cliobjects import NOW, Wire, host, migration, pool, said, vm

from drover.api.virtualmachine import VirtualMachine
from drover.cli.following import Step
from drover.cli.moving import ending, estimated, forecast, manifest_of, step_of
from drover.cli.server import CommandError
from drover.control.world import World

UP: Wire = {"phase": "Ready", "conditions": [said("Ready", "True", "HostReady")]}
SIZE: Wire = {"name": "small", "vcpus": 2, "memoryBytes": 4 * 2**30, "rootDiskBytes": 20 * 2**30}


def running(on: str = "p1-0", **status: Any) -> VirtualMachine:
    place = {"phase": "Running", "hostName": on, "nodePoolName": "p1", "flavor": SIZE}
    return vm("a", {"observedGeneration": 1, **place, **status})


def world_of(*objects: Any, hosts: int = 3) -> World:
    world = World()
    for resource in (pool(status={"phase": "Ready"}), *(host(f"p1-{n}", UP) for n in range(hosts)), *objects):
        world.observe(resource)
    return world


def test_a_move_is_estimated_to_the_host_that_placement_would_choose() -> None:
    guest = running()
    move = estimated(guest, None, None, world_of(guest), NOW)
    assert move.target == "p1-1"
    (line,) = forecast(move)
    assert line.startswith("shop/a: p1-0 > p1-1: Converges, ")
    assert move.estimate.duration_seconds is not None
    assert f"{move.estimate.duration_seconds.p50:.1f} s" in line
    created = manifest_of(move, None, None)
    assert created["spec"] == {"virtualMachineName": "a", "preferredTargetHostName": "p1-1"}


@pytest.mark.parametrize(
    ("name", "stem"), [("a", "a-"), ("a" * 49 + "-b", "a" * 49 + "-"), ("a" * 49 + ".b", "a" * 49 + "-")]
)
def test_the_migration_of_a_long_name_has_a_name_that_is_one(name: str, stem: str) -> None:
    guest = running()
    move = replace(estimated(guest, None, None, world_of(guest), NOW), vm=vm(name))
    assert manifest_of(move, None, None)["metadata"] == {"generateName": stem}


def test_a_host_that_is_named_is_demanded_and_a_policy_kept() -> None:
    guest = running()
    move = estimated(guest, "p1-2", None, world_of(guest), NOW)
    assert move.target == "p1-2"
    spec = {"virtualMachineName": "a", "targetHostName": "p1-2", "policyName": "gold"}
    assert manifest_of(move, "p1-2", "gold")["spec"] == spec


@pytest.mark.parametrize(
    ("guest", "to", "policy", "message"),
    [
        (vm("a", {"phase": "Stopped"}), None, None, "a is Stopped: only a running guest can be moved live"),
        (running(), "p9-9", None, "--to p9-9: there is no such host: see `kubectl get hosts`"),
        (running(), "p1-0", None, "--to p1-0: a is there already"),
        (running(), None, "gold", "MigrationPolicy gold does not exist"),
        (
            running(flavor={**SIZE, "gpus": {"a100": 1}}),
            None,
            None,
            "a cannot be moved live, it has no host or has GPU",
        ),
        (running(flavor={**SIZE, "memoryBytes": 2**40}), None, None, "a cannot be moved: shop/a: 0/3 hosts available"),
    ],
)
def test_what_could_not_begin_is_refused(
    guest: VirtualMachine, to: str | None, policy: str | None, message: str
) -> None:
    with pytest.raises(CommandError) as refused:
        estimated(guest, to, policy, world_of(guest), NOW)
    assert message in str(refused.value)


def test_a_vm_that_is_being_moved_is_refused_with_how_to_cancel_that() -> None:
    guest = running()
    claim: Wire = {"vcpus": 2, "memoryBytes": 4 * 2**30}
    held = {"phase": "PreCopy", "sourceHost": "p1-0", "targetHost": "p1-1", "vmUID": "uid-a", "resources": claim}
    with pytest.raises(CommandError, match=r"a is being moved by a-1: wait for it, or cancel it with `?kubectl patch"):
        estimated(guest, None, None, world_of(guest, migration(status=held)), NOW)


@pytest.mark.parametrize(
    ("status", "step"),
    [
        (None, Step(0.0, "Pending: not seen yet")),
        ({"phase": "Pending", "queue": {"message": "outbound slots of p1-0: 2/2 used"}},
         Step(0.0, "Pending: outbound slots of p1-0: 2/2 used")),
        ({"phase": "PreparingTarget", "targetHost": "p1-1"}, Step(0.0, "PreparingTarget > p1-1")),
        ({"phase": "PreCopy", "targetHost": "p1-1",
          "progress": {"percent": 40, "iteration": 2, "remainingBytes": 2**30, "etaSeconds": 12.4}},
         Step(40.0, "PreCopy > p1-1, pass 2, 1Gi remain, 12 s to go")),
        ({"phase": "Activation", "targetHost": "p1-1", "progress": {"percent": 99}},
         Step(99.0, "Activation > p1-1")),
        ({"phase": "Failed"}, Step(100.0, "Failed", over=True)),
    ],
)  # fmt: skip
def test_a_step_is_told_in_a_line(status: Wire | None, step: Step) -> None:
    assert step_of(migration(status=status)) == step


def test_the_end_has_what_it_took_beside_the_prediction_or_is_an_error() -> None:
    result = {
        "durationSeconds": 4.21,
        "durationErrorPercent": -0.9,
        "downtimeMilliseconds": 117.0,
        "downtimeErrorPercent": 1.5,
        "transferredBytes": 2 * 2**30,
    }
    moved = {"phase": "Succeeded", "sourceHost": "p1-0", "targetHost": "p1-1", "result": result}
    assert ending(migration(status=moved)) == (
        "a has moved, p1-0 > p1-1, in 4.2 s (-0.9 %), with a pause of 117 ms (+1.5 %) and 2Gi sent"
    )
    why = [said("Ready", "False", "NotConverging", "it dirties faster than the link sends")]
    failed = migration(status={"phase": "Failed", "failureReason": "NotConverging", "conditions": why})
    with pytest.raises(CommandError) as refused:
        ending(failed)
    assert str(refused.value) == (
        "a was not moved, a-1 is Failed (NotConverging): it dirties faster than the link sends"
    )
