"""The path between an operator instance and the API server: how long things take and what gets lost.

Faults of the path are drawn for each request and each watch; `PERFECT` has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Weather:
    """Latencies in seconds, and the shares of requests and watch events that something happens to."""

    latency: float = 0.005
    """Median one-way latency of a request, a response and a watch event."""
    delayed: float = 0.0
    """Requests that arrive seconds later than they should."""
    lost_requests: float = 0.0
    lost_responses: float = 0.0
    lagging: float = 0.0
    """Watch events that arrive seconds late, with all that follow them."""

    def request(self, random: Random) -> float | None:
        """Seconds until a request arrives; None where it never does."""
        draw = random.random()
        if draw < self.lost_requests:
            return None
        if draw < self.lost_requests + self.delayed:
            return random.uniform(1.0, MAX_DELAY)
        return self._usual(random)

    def response(self, random: Random) -> float | None:
        """Seconds until a response arrives; None where it never does."""
        return None if random.random() < self.lost_responses else self._usual(random)

    def watch(self, random: Random) -> float:
        """Seconds until a watch event arrives."""
        return random.uniform(0.5, 10.0) if random.random() < self.lagging else self._usual(random)

    def _usual(self, random: Random) -> float:
        return random.uniform(0.5, 2.0) * self.latency


MAX_DELAY = 30.0
"""The longest a request lingers on its way, in seconds: longer than a lease lasts."""
REQUEST_TIMEOUT = 5.0
"""Seconds without a response after which a shell repeats a write."""
PERFECT = Weather()
ROUGH = Weather(latency=0.02, delayed=0.02, lost_requests=0.01, lost_responses=0.02, lagging=0.02)
