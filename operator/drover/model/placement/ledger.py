"""The capacity ledger: what hosts have, and what is claimed on them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np

from drover.model.placement.claims import ClaimBook, Pair
from drover.model.placement.hosts import HostRow
from drover.model.placement.resources import NO_RESOURCES, RESOURCE_NAMES, Resources
from drover.model.placement.table import HostTable


class Ledger:
    """Hosts and claims, both stated by whoever observes them; what is allocated follows from the two.

    Claims and hosts may come in any order: a claim on a host not known yet is charged when the host appears,
    and removing a host keeps the claims on it.
    """

    def __init__(self) -> None:
        self.table = HostTable()
        self._claims = ClaimBook()

    def __len__(self) -> int:
        """The number of hosts."""
        return len(self.table)

    def copy(self) -> Ledger:
        """An independent ledger, for dry runs and plans: changes to either leave the other alone."""
        other = Ledger()
        other.table = self.table.copy()
        other._claims = self._claims.copy()
        return other

    def upsert(self, row: HostRow) -> None:
        """Adds a host or replaces what is known of it."""
        if self.table.row(row.name) != row:
            self.table.upsert(row, self.allocated(row.name))

    def remove(self, name: str) -> None:
        """Forgets a host but not the claims on it."""
        self.table.remove(name)

    def row(self, name: str) -> HostRow | None:
        return self.table.row(name)

    def set_claims(self, contributor: Hashable, claims: Mapping[Pair, Resources]) -> None:
        """Replaces everything the contributor claims; keys are (uid of the virtual machine, host name).

        A pair that several contributors claim is charged once, at the elementwise maximum of what they state.
        """
        for host in self._claims.set(contributor, claims):
            self.table.charge(host, self.allocated(host))

    def allocated(self, name: str) -> Resources:
        """The sum of what is charged to the host, known or not."""
        return self._claims.on(name).total

    def allocatable(self, name: str) -> Resources:
        """What may be claimed on the host; nothing where the host is not known."""
        row = self.table.row(name)
        return row.allocatable if row else NO_RESOURCES

    def claims_on(self, name: str) -> frozenset[str]:
        """The uids of the virtual machines charged to the host."""
        return frozenset(self._claims.on(name).by_uid)

    def overcommitted(self) -> list[tuple[str, tuple[str, ...]]]:
        """Hosts charged above what they may promise, in natural order, each with the resources concerned."""
        suspects = self.table.names(np.flatnonzero(self.table.room.min(axis=0) < 0))
        return [(name, self._exceeded(name)) for name in suspects]

    def _exceeded(self, name: str) -> tuple[str, ...]:
        amounts = zip(RESOURCE_NAMES, self.allocated(name), self.allocatable(name), strict=True)
        return tuple(resource for resource, allocated, allocatable in amounts if allocated > allocatable)
