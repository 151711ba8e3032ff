"""Noise of the hot set: drawn by name for the play, spread over quantiles for the estimate.

A draw depends on its arguments alone (SHA-256, not `hash` or a generator's state), so a restarted operator
and any other machine draw the same.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from statistics import NormalDist

_NORMAL = NormalDist()


def pass_noise(seed: int, uid: str, attempt: int, iteration: int, sigma: float) -> float:
    """Factor on the hot set in pass `iteration` of a migration's attempt: log-normal, median 1."""
    digest = hashlib.sha256(f"{seed}/{uid}/{attempt}/{iteration}".encode()).digest()
    # 52 bits and a half: exact in a float, and never 0 or 1, where the inverse has no value.
    uniform = ((int.from_bytes(digest[:8]) >> 12) + 0.5) / 2**52
    return quantile_noise(uniform, sigma)


def quantile_noise(quantile: float, sigma: float) -> float:
    """The factor that a share `quantile` (0..1, exclusive) of all draws stay below."""
    return math.exp(sigma * _NORMAL.inv_cdf(quantile))


@cache
def latin_quantiles(iteration: int, members: int) -> tuple[float, ...]:
    """A quantile for each member of an ensemble: the midpoints of `members` strata, shuffled for each pass.

    Latin hypercube sampling (McKay, Beckman and Conover 1979): in each pass every stratum occurs once, so
    that a small ensemble has the exact median, and no member is lucky or unlucky throughout.
    """
    order = sorted(range(members), key=lambda member: hashlib.sha256(f"{iteration}/{member}".encode()).digest())
    return tuple((stratum + 0.5) / members for stratum in order)
