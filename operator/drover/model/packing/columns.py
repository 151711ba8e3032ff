"""Column generation for the configuration LP, by HiGHS through scipy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from drover.model.packing.extras import optional
from drover.model.packing.snapshot import FloatArray, IntArray

NODE_LIMIT: Final = 1_000
"""Nodes of the branch and bound over the patterns at hand: a limit that is the same on every machine."""
NEAR_PATTERNS: Final = 120
"""So many draws of prices near the optimal ones."""
SPREAD: Final = 0.3
"""By which share of itself a price is drawn up or down."""
TOLERANCE: Final = 1e-6
"""To which floating-point values of the solver are trusted."""

Pattern = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Relaxation:
    """The LP over all patterns."""

    bound: float
    """A lower bound on its value (Farley 1990), equal to it but for the tolerance of the pricing."""
    hosts: FloatArray
    """How many hosts run each pattern of the pool."""
    prices: FloatArray
    """The dual of each kind: the share of a host that one machine costs."""


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
                return Relaxation(float(duals @ demand) / max(1.0, value), np.asarray(master.x), duals)
            self.pool.append(pattern)

    def add_near(self, prices: FloatArray, demand: IntArray) -> None:
        """Adds patterns that are best at prices near these: near-best ones, by which integers come out even."""
        random = np.random.default_rng(0)  # a fixed sequence: the same call always adds the same
        for _ in range(NEAR_PATTERNS):
            pattern, _ = self._price(prices * random.uniform(1 - SPREAD, 1 + SPREAD, len(prices)), demand)
            if pattern not in self.pool and self._fits(pattern):
                self.pool.append(pattern)

    def cover(self, demand: IntArray, hosts: FloatArray) -> tuple[IntArray, bool]:
        """Fewest hosts by the patterns of the pool: how many run each, and whether that is proven of these patterns.

        Where the solver finds nothing within its limit, an LP solution's hosts are rounded up.
        """
        matrix = self._matrix()
        result = self._scipy.milp(
            np.ones(len(self.pool)),
            constraints=self._scipy.LinearConstraint(matrix, lb=demand),
            integrality=np.ones(len(self.pool)),
            options={"node_limit": NODE_LIMIT},
        )
        rounded = np.zeros(len(self.pool), np.int64)
        rounded[: len(hosts)] = np.ceil(hosts)
        if result.x is None:
            return rounded, False
        found = np.rint(result.x).astype(np.int64)
        return (found, result.status == 0) if (matrix @ found >= demand).all() else (rounded, False)

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
