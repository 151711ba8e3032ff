"""Pictures of replayed traces."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from drover.model.packing.extras import optional
from drover.sim.replay.policies import Comparison
from drover.sim.replay.workload import Usage

POINTS: Final = 2000
"""Instants drawn of each curve: more than the picture has columns."""


class Plot:
    """Hosts in use against the bound over time. Raises ModuleNotFoundError where matplotlib is missing."""

    def __init__(self) -> None:
        self._figure = optional("matplotlib.figure", "trace").Figure(figsize=(11, 5.5), layout="constrained")

    def save(self, comparison: Comparison, path: Path) -> None:
        """Writes a picture in the format of the path's suffix; PNG is one."""
        axes = self._figure.add_subplot()
        axes.fill_between(*_curve(comparison.bound), step="post", color="0.85", label="Bound")
        for policy, replayed in comparison.replays.items():
            axes.step(*_curve(replayed.usage), where="post", linewidth=1, label=policy)
        axes.set(xlabel="Hours", ylabel="Hosts in use", ylim=(0, None))
        axes.margins(x=0)
        axes.legend(loc="lower right")
        self._figure.savefig(path, dpi=120)


def _curve(usage: Usage) -> tuple[list[float], list[int]]:
    """Hours since the start, and the hosts in use then."""
    start = usage.seconds[0]
    instants = np.linspace(start, usage.end, POINTS)
    hosts = usage.hosts[np.searchsorted(usage.seconds, instants, side="right") - 1]
    return ((instants - start) / 3600).tolist(), hosts.tolist()
