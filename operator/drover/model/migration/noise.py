"""Noise of the working sets: drawn by name, for the play as for the members of an estimate's ensemble.

A draw depends on its arguments alone (SHA-256, not `hash` or a generator's state), so a restarted operator
and any other machine draw the same.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from statistics import NormalDist

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Quiet:
    """Every pass alike."""

    def factor(self, _iteration: int) -> float:
        """Factor on the working sets in a pass; the first is pass 0."""
        return 1.0


@dataclass(frozen=True, slots=True)
class Constant:
    """Every pass larger or smaller by one factor."""

    share: float

    def factor(self, _iteration: int) -> float:
        """As `Quiet.factor`."""
        return self.share


@dataclass(frozen=True, slots=True)
class Drawn:
    """Each pass by itself."""

    seed: int
    uid: str
    attempt: int
    sigma: float

    def factor(self, iteration: int) -> float:
        """As `Quiet.factor`."""
        return pass_noise(self.seed, self.uid, self.attempt, iteration, self.sigma) if self.sigma else 1.0


Noise = Quiet | Constant | Drawn
NONE = Quiet()


def pass_noise(seed: int, uid: str, attempt: int, iteration: int, sigma: float) -> float:
    """Factor on the hot set in pass `iteration` of a migration's attempt: log-normal, median 1."""
    digest = hashlib.sha256(f"{seed}/{uid}/{attempt}/{iteration}".encode()).digest()
    # 52 bits and a half: exact in a float, and never 0 or 1, where the inverse has no value.
    uniform = ((int.from_bytes(digest[:8]) >> 12) + 0.5) / 2**52
    return quantile_noise(uniform, sigma)


def quantile_noise(quantile: float, sigma: float) -> float:
    """The factor that a share `quantile` (0..1, exclusive) of all draws stay below."""
    return math.exp(sigma * _NORMAL.inv_cdf(quantile))
