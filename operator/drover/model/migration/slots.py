"""Migration slots: how many moves a pool and each host take at once, and which limit is in the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal, NamedTuple

BlockedBy = Literal["ClusterLimit", "OutboundLimit", "InboundLimit"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Most moves at a time. Raises ValueError for a limit below 1, which nothing could ever pass."""

    per_pool: int = 5
    """KubeVirt parallelMigrationsPerCluster."""
    outbound: int = 2
    """From one host (KubeVirt parallelOutboundMigrationsPerNode)."""
    inbound: int = 2
    """To one host."""
    max_concurrent: int | None = None
    """A plan's own limit; None = the pool's alone."""

    def __post_init__(self) -> None:
        if min(self.per_pool, self.outbound, self.inbound, self.concurrent) < 1:
            raise ValueError("migration limits must be at least 1")

    @property
    def concurrent(self) -> int:
        """The tighter of the pool's and the plan's limit."""
        return self.per_pool if self.max_concurrent is None else min(self.per_pool, self.max_concurrent)


class Block(NamedTuple):
    """A limit that is used up, and how far: "outbound slots of p1-3: 2/2 used"."""

    by: BlockedBy
    message: str


class Slots:
    """A count of the slots in use. A target of None (not chosen yet) takes no inbound slot."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._total = 0
        self._outbound: Counter[str] = Counter()
        self._inbound: Counter[str | None] = Counter()

    @property
    def full(self) -> bool:
        """Whether nothing can start, whatever its hosts."""
        return self._total >= self._limits.concurrent

    def inbound_full(self) -> frozenset[str]:
        """Hosts whose inbound slots are all taken."""
        most = self._limits.inbound
        return frozenset(host for host, used in self._inbound.items() if host is not None and used >= most)

    def blocked(self, source: str, target: str | None) -> Block | None:
        """The first limit in the way of a move, or None if it may start."""
        limits = self._limits
        if self.full:
            return Block("ClusterLimit", f"migration slots: {self._total}/{limits.concurrent} used")
        if (used := self._outbound[source]) >= limits.outbound:
            return Block("OutboundLimit", f"outbound slots of {source}: {used}/{limits.outbound} used")
        if target is not None and (used := self._inbound[target]) >= limits.inbound:
            return Block("InboundLimit", f"inbound slots of {target}: {used}/{limits.inbound} used")
        return None

    def take(self, source: str, target: str | None) -> None:
        """Count a move that starts, or that runs already (whatever the limits say)."""
        self._count(source, target, 1)

    def take_hosts(self, source: str, target: str) -> None:
        """Count a move of another pool: it takes slots of its hosts only."""
        self._outbound[source] += 1
        self._inbound[target] += 1

    def release(self, source: str, target: str | None) -> None:
        """Give back the slots of a move that ended."""
        self._count(source, target, -1)

    def _count(self, source: str, target: str | None, change: int) -> None:
        self._total += change
        self._outbound[source] += change
        self._inbound[target] += change
