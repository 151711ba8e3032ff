"""Column generation for the configuration LP, by HiGHS through scipy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from drover.model.packing.extras import optional
from drover.model.packing.snapshot import FloatArray, IntArray

NODE_LIMIT: Final = 5_000
"""Nodes of the branch and bound over the patterns at hand: a limit that is the same on every machine."""
TOLERANCE: Final = 1e-6
"""To which floating-point values of the solver are trusted."""

Pattern = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Relaxation:
    """The LP over all patterns."""

    bound: float
    """A lower bound on its value (Farley 1990), equal to it but for the tolerance of the pricing."""
    hosts: FloatArray
    """How many hosts run each pattern of the pool as it was."""


class Columns:
    """Patterns for one shape of host: how many machines of each kind it runs. Amounts are integers."""

    def __init__(self, sizes: IntArray, capacity: IntArray, pool: list[Pattern]) -> None:
        self._scipy = optional("scipy.optimize", "trace")
        self._sizes = sizes
        self._capacity = capacity
        self.pool = pool

    def relax(self, demand: IntArray) -> Relaxation:
        """Solves the LP for a demand, shape (kinds,), adding patterns to the pool until none would lower it."""
        while True:
            master = self._scipy.linprog(np.ones(len(self.pool)), A_ub=-self._matrix(), b_ub=-demand, method="highs")
            duals = np.maximum(-master.ineqlin.marginals, 0)
            pattern, value = self._price(duals, demand)
            if value <= 1 + TOLERANCE or pattern in self.pool or not self._fits(pattern):
                return Relaxation(float(duals @ demand) / max(1.0, value), np.asarray(master.x))
            self.pool.append(pattern)

    def add_for_residuals(self, demand: IntArray, hosts: FloatArray) -> None:
        """Adds patterns that suit what an LP solution leaves over when it is rounded down, again and again."""
        left = demand
        while left.any():
            whole = np.floor(hosts + TOLERANCE).astype(np.int64)
            if not whole.any():
                whole[hosts.argmax()] = 1
            left = np.maximum(left - self._matrix()[:, : len(whole)] @ whole, 0)
            hosts = self.relax(left).hosts if left.any() else hosts

    def cover(self, demand: IntArray, fallback: FloatArray) -> tuple[IntArray, bool]:
        """Fewest hosts by the patterns of the pool: how many run each, and whether no choice of them needs fewer.

        Where the solver finds nothing within its limit, the LP solution given is rounded up.
        """
        matrix = self._matrix()
        result = self._scipy.milp(
            np.ones(len(self.pool)),
            constraints=self._scipy.LinearConstraint(matrix, lb=demand),
            integrality=np.ones(len(self.pool)),
            options={"node_limit": NODE_LIMIT},
        )
        rounded = np.zeros(len(self.pool), np.int64)
        rounded[: len(fallback)] = np.ceil(fallback - TOLERANCE)
        if result.x is None:
            return rounded, False
        hosts = np.rint(result.x).astype(np.int64)
        return (hosts, result.status == 0) if (matrix @ hosts >= demand).all() else (rounded, False)

    def _price(self, duals: FloatArray, demand: IntArray) -> tuple[Pattern, float]:
        """The pattern worth most at the dual prices (an integer knapsack), and an upper bound on what any is worth."""
        result = self._scipy.milp(
            -duals,
            constraints=self._scipy.LinearConstraint(self._sizes.T, ub=self._capacity),
            integrality=np.ones(len(duals)),
            bounds=self._scipy.Bounds(0, demand),
            options={"mip_rel_gap": 0},
        )
        return tuple(np.rint(result.x).astype(int).tolist()), -float(result.mip_dual_bound)

    def _fits(self, pattern: Pattern) -> bool:
        """Exactly, where the solver's answer is within its tolerance only."""
        return bool((np.array(pattern) @ self._sizes <= self._capacity).all())

    def _matrix(self) -> IntArray:
        """Shape (kinds, patterns)."""
        return np.array(self.pool, np.int64).T
