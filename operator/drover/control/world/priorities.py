"""The priority of a VM: what its PriorityClass says, as Kubernetes reads it for a pod."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from drover.api.priorityclass import PriorityClass


class Priority(NamedTuple):
    """How urgent a VM is to place. Without any class it is 0, and preempts, as a pod's is."""

    value: int = 0
    """Higher comes first."""
    preempts: bool = True
    """Whether VMs of lower priority may be stopped for it."""


def priority_of(named: PriorityClass | None, defaults: Iterable[PriorityClass]) -> Priority:
    """The priority of the class a VM names; where it names none, or one that does not exist, of the default class.

    Of several classes that are ``globalDefault`` the lowest value counts (Kubernetes' admission plugin Priority).
    """
    # The name is a tie-break for a case Kubernetes leaves open: two defaults of one value and different policies.
    chosen = named or min(defaults, key=lambda default: (default.spec.value, default.name), default=None)
    if chosen is None:
        return Priority()
    return Priority(chosen.spec.value, chosen.spec.preemption_policy != "Never")
