"""Virtual machines that end together on the same hosts, so that hosts empty, and can do without power, sooner.

Where virtual machines declare when they will end, a host ends when the last of them does. A request that declares its
end is drawn to hosts that end when it does, and less to those it would keep in use for longer than to those that stay
in use anyway. With times in hours from now, and 0 for the end of a host that is empty or overdue, a host's score gets::

    -log(1 + max(0, own end - host's end)) - 0.1 x log(1 + max(0, host's end - own end))

The first term is the temporal cost of lifetime-aware allocation (Ling et al., LAVA, MLSys 2025), as a logarithm because
what is declared is the less exact the longer it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from drover.model.placement.hosts import HostRow
from drover.model.placement.scoring import Scores

OUTLIVED_WEIGHT: Final = 0.1
"""What ending before the host does weighs, beside 1 for ending after it."""
HORIZON_SECONDS: Final = 365 * 24 * 3600
"""Ends further away than this, and none at all, count as this far away."""
_HOUR: Final = 3600
_OVER: Final = 0.0

FloatArray = npt.NDArray[np.float64]


class Ends:
    """When each host ends: the latest end of the virtual machines on it. Times are seconds since any one instant."""

    def __init__(self) -> None:
        self._on: dict[str, dict[str, float]] = {}
        self._rows: Sequence[HostRow] = ()
        self._slots: dict[str, int] = {}
        self._latest: FloatArray = np.zeros(0)

    def add(self, uid: str, host: str, end: float) -> None:
        """Takes a virtual machine that is placed; one that stays ends at infinity."""
        self._on.setdefault(host, {})[uid] = end
        self._note(host)

    def remove(self, uid: str, host: str) -> None:
        del self._on[host][uid]
        self._note(host)

    def by_slot(self, rows: Sequence[HostRow]) -> FloatArray:
        """The ends of the hosts, those without virtual machines at minus infinity. Only to be read."""
        if rows is not self._rows:
            self._rows = rows
            self._slots = {row.name: slot for slot, row in enumerate(rows)}
            self._latest = np.array([self._end(row.name) for row in rows])
        return self._latest

    def _note(self, host: str) -> None:
        slot = self._slots.get(host)
        if slot is not None:
            self._latest[slot] = self._end(host)

    def _end(self, host: str) -> float:
        return max(self._on.get(host, {}).values(), default=-np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """How long a request means to stay, and what is known of the others. Times as in ``Ends``."""

    now: float
    end: float
    others: Ends

    def preferences(self, rows: Sequence[HostRow]) -> Scores:
        """What is added to the score of each host, by slot."""
        hosts = np.clip(self.others.by_slot(rows) - self.now, _OVER, HORIZON_SECONDS)
        longer = (min(self.end - self.now, HORIZON_SECONDS) - hosts) / _HOUR
        prolonged, outlived = np.log1p(np.maximum(longer, 0)), np.log1p(np.maximum(-longer, 0))
        scores: Scores = (-prolonged - OUTLIVED_WEIGHT * outlived).astype(np.float32)
        return scores
