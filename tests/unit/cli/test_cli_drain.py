"""`drover drain` follows the drain that was asked for, and no earlier one, to its end."""

from __future__ import annotations

from typing import Any

import pytest
from cliobjects import Wire, host, said

from drover.api.host import Host
from drover.cli.drain import asked, ending, step_of
from drover.cli.following import Step
from drover.cli.server import CommandError


def draining(*conditions: Wire, left: int = 0, eta: str = "", blocked: tuple[str, ...] = (), **status: Any) -> Host:
    drain: Wire = {"remainingVirtualMachines": left, "blockedBy": list(blocked)}
    known = {**drain, **({"estimatedCompletionTime": eta} if eta else {})}
    told = {"phase": "Draining", "virtualMachines": left, "conditions": list(conditions), "drain": known, **status}
    return host("h-0", told, {"generation": 2}, maintenance={"mode": "Drain"})


@pytest.mark.parametrize(
    ("found", "step"),
    [
        (draining(said("Drained", "True", "Drained", generation=1)), Step(0.0, "not looked over yet")),
        (draining(), Step(0.0, "not looked over yet")),
        (
            draining(said("Drained", "False", "InProgress", generation=2), left=3, eta="2026-11-02T09:01:00Z"),
            Step(25.0, "3 VMs left, until 2026-11-02T09:01:00Z"),
        ),
        (draining(said("Drained", "False", "InProgress", generation=2), left=1), Step(75.0, "1 VM left")),
        (draining(said("Drained", "False", "InProgress", generation=2), left=5), Step(0.0, "5 VMs left")),
        (draining(said("Drained", "False", "Blocked", generation=2), left=1), Step(75.0, "1 VM left", over=True)),
        (
            draining(said("Drained", "False", "InProgress", generation=2), left=2, blocked=("a: NoTarget",)),
            Step(50.0, "2 VMs left, 1 cannot leave"),
        ),
        (
            draining(said("Drained", "False", "InProgress", generation=2), left=1, blocked=("a: NoTarget",)),
            Step(75.0, "1 VM left, 1 cannot leave", over=True),
        ),
        (draining(said("Drained", "True", "Drained", generation=2)), Step(100.0, "Drained", over=True)),
        (host("h-0", {"phase": "Ready"}), Step(0.0, "given up", over=True)),
    ],
)
def test_a_step_counts_the_vms_that_have_left_and_ends_on_the_present_generation(found: Host, step: Step) -> None:
    assert step_of(found, 4) == step


def test_the_end_says_that_it_is_empty_or_who_stays() -> None:
    assert ending(draining(said("Drained", "True", "Drained"))).startswith("h-0 is empty: it can be serviced")
    stuck = said("Drained", "False", "InProgress", "4 VMs still here; 4 VMs cannot leave: a, b, c")
    with pytest.raises(CommandError) as refused:
        ending(draining(stuck, left=4))
    assert str(refused.value) == (
        "h-0 is not empty: 4 VMs still here; 4 VMs cannot leave: a, b, c; to give it up, "
        "`kubectl drover drain h-0 --cancel`"
    )
    with pytest.raises(CommandError, match=r"spec.maintenance.mode was set to None meanwhile"):
        ending(host("h-0", {"phase": "Ready"}))


def test_what_is_asked_is_told_with_how_to_watch_it() -> None:
    busy = draining(said("Drained", "False", "InProgress", "2 VMs (4Gi) still here", generation=2), left=2)
    assert asked(busy, new=True) == "drains, 2 VMs to move: watch with `kubectl get host h-0 -w`"
    assert asked(busy, new=False) == "is being drained already: 2 VMs (4Gi) still here"
    assert asked(host("h-0"), new=True) == "takes VMs again; what had not started is cancelled"
    assert asked(host("h-0"), new=False) == "is not being drained: nothing to cancel"
