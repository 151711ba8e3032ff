"""Taints of hosts and the tolerations of what may go there all the same (Kubernetes' rules)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Effect = Literal["NoSchedule", "PreferNoSchedule"]


class Taint(NamedTuple):
    key: str
    value: str = ""
    effect: Effect = "NoSchedule"

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


class Toleration(NamedTuple):
    """Matches taints of its key, or of every key where that is "", of its effect, or of both where that is None."""

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Effect | None = None

    def tolerates(self, taint: Taint) -> bool:
        if self.effect not in (None, taint.effect) or (self.key and self.key != taint.key):
            return False
        return self.operator == "Exists" or (self.key == taint.key and self.value == taint.value)


def untolerated(taints: Iterable[Taint], tolerations: Iterable[Toleration], effect: Effect) -> list[Taint]:
    """The taints of this effect that nothing tolerates, in their order."""
    tolerations = tuple(tolerations)
    return [
        taint
        for taint in taints
        if taint.effect == effect and not any(toleration.tolerates(taint) for toleration in tolerations)
    ]
