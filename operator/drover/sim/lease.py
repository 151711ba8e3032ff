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
    """A ``coordination.k8s.io`` Lease. ``epoch`` counts terms, not holders.

    A holder that stood down and leads again has writes of its earlier term on their way: it needs a fence as much
    as a stranger does, and a fence with the same epoch would change nothing.
    """

    holder: str = ""
    epoch: int = 0
    renewed: datetime | None = None

    def acquire(self, who: str, now: datetime) -> bool:
        """Begin a term: possible for the last holder, and for anyone once the lease has run out."""
        if self.holder != who and self.renewed is not None and now < self.renewed + LEASE_DURATION:
            return False
        self.holder, self.renewed = who, now
        self.epoch += 1
        return True

    def renew(self, who: str, now: datetime) -> bool:
        """Go on with a term; False where somebody else has begun one."""
        if self.holder != who:
            return False
        self.renewed = now
        return True
