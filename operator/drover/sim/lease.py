"""The Lease that makes one instance the leader, with the times of client-go's leader election."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LEASE_DURATION = timedelta(seconds=15)
"""How long after its last renewal a holder is still believed to lead."""
RENEW_DEADLINE = timedelta(seconds=10)
"""How long after its last renewal a holder still believes so itself: shorter, so that two never do."""
RETRY_PERIOD = timedelta(seconds=2)
"""How often instances renew, or try to acquire."""


@dataclass(slots=True)
class Lease:
    """A ``coordination.k8s.io`` Lease; ``epoch`` counts its holders (``leaseTransitions``)."""

    holder: str = ""
    epoch: int = 0
    renewed: datetime | None = None

    def try_acquire(self, who: str, now: datetime) -> bool:
        """Acquire or renew: possible for the holder, and for anyone once the lease has run out."""
        if self.holder != who:
            if self.renewed is not None and now < self.renewed + LEASE_DURATION:
                return False
            self.holder = who
            self.epoch += 1
        self.renewed = now
        return True

    def release(self, who: str) -> None:
        """Give the lease up on an orderly shutdown, so that the next leader need not wait."""
        if self.holder == who:
            self.renewed = None
