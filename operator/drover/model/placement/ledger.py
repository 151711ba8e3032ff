"""The capacity ledger: what hosts have, and what is claimed on them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from drover.model.placement.census import Census
from drover.model.placement.claims import Claim, ClaimBook, Pair
from drover.model.placement.hosts import HostRow, Topology
from drover.model.placement.request import Constraints, Request
from drover.model.placement.reserve import Reserve
from drover.model.placement.resources import NO_RESOURCES, RESOURCE_NAMES, Resources
from drover.model.placement.rules import MAY_PASS
from drover.model.placement.table import HostTable

Withdrawn = Mapping[Hashable, Mapping[Pair, Claim]]
"""Contributors with all they claimed."""


class Ledger:
    """Hosts and claims, both stated by whoever observes them; what is allocated follows from the two.

    Claims and hosts may come in any order: a claim on a host not known yet is charged when the host appears,
    and removing a host keeps the claims on it.
    """

    def __init__(self) -> None:
        self.table = HostTable()
        self.reserves: dict[str, Reserve] = {}
        """What pools hold back for host failures."""
        self._claims = ClaimBook()
        self._census = Census()
        self._eligible: dict[tuple[Constraints, Topology], frozenset[str]] = {}

    def __len__(self) -> int:
        """The number of hosts."""
        return len(self.table)

    def copy(self) -> Ledger:
        """An independent ledger, for dry runs and plans: changes to either leave the other alone."""
        other = Ledger()
        other.table = self.table.copy()
        other.reserves = self.reserves.copy()
        other._claims = self._claims.copy()
        other._census = self._census.copy()
        other._eligible = self._eligible.copy()
        return other

    def upsert(self, row: HostRow) -> None:
        """Adds a host or replaces what is known of it."""
        if self.table.row(row.name) != row:
            self._hosts_change()
            self.table.upsert(row, self._claims.on(row.name).load)

    def remove(self, name: str) -> None:
        """Forgets a host but not the claims on it."""
        self._hosts_change()
        self.table.remove(name)

    def _hosts_change(self) -> None:
        self._census.hosts_changed()
        self._eligible.clear()

    def row(self, name: str) -> HostRow | None:
        return self.table.row(name)

    def set_claims(self, contributor: Hashable, claims: Mapping[Pair, Claim]) -> None:
        """Replaces everything the contributor claims; keys are (uid of the virtual machine, host name).

        A pair that several contributors claim is charged once, at the elementwise maximum of what they state.
        """
        for change in self._claims.set(contributor, claims):
            self._census.count(change, self.table.row(change.host))
            self.table.charge(change.host, self._claims.on(change.host).load)

    def withdraw(self, uid: str, host: str) -> Withdrawn:
        """Takes back what anybody claims for a virtual machine on a host; what it returns puts it back."""
        pair = (uid, host)
        before = {contributor: self._claims.pairs(contributor) for contributor, _ in self._claims.stated(pair)}
        for contributor, claims in before.items():
            self.set_claims(contributor, {other: claim for other, claim in claims.items() if other != pair})
        return before

    def allocated(self, name: str) -> Resources:
        """The sum of what is charged to the host, known or not."""
        return self._claims.on(name).load.resources

    def allocatable(self, name: str) -> Resources:
        """What may be claimed on the host; nothing where the host is not known."""
        row = self.table.row(name)
        return row.allocatable if row else NO_RESOURCES

    def claims_on(self, name: str) -> Mapping[str, Claim]:
        """The uids of the virtual machines charged to the host, each with its claim."""
        return self._claims.on(name).by_uid

    def evaluated(self, pool: str | None) -> int:
        """The number of hosts in a pool, or of all."""
        return len(self.table.slots_in_pool(pool))

    def reserved(self, request: Request) -> list[tuple[str, Reserve]]:
        """The pools the request may go to that hold something back from it."""
        if request.unreserved:
            return []
        return [found for found in self.reserves.items() if request.pool in (None, found[0])]

    def counts(self, mark: Hashable, topology: Topology) -> Mapping[str, int]:
        """Domain to the number of virtual machines with the mark there; domains without any are left out."""
        return self._census.counts(mark, topology, self.table.known)

    def eligible(self, wanted: Constraints, topology: Topology) -> frozenset[str]:
        """The domains with a host that the constraints allow, be it cordoned, tainted or full for now."""
        domains = self._eligible.get((wanted, topology))
        if domains is None:
            objections, character_of = self.table.scores.objections(wanted)
            allowed = [found is None or found[0] in MAY_PASS for found in objections]
            rows = self.table.rows
            domains = frozenset(
                row.domain(topology) for row, number in zip(rows, character_of.tolist(), strict=True) if allowed[number]
            )
            self._eligible[wanted, topology] = domains
        return domains

    def overcommitted(self) -> list[tuple[str, tuple[str, ...]]]:
        """Hosts charged above what they may promise, in natural order, each with the resources concerned."""
        found = ((row.name, exceeded(row, self.allocated(row.name))) for row in self.table.rows)
        return [(name, resources) for name, resources in found if resources]


def exceeded(row: HostRow, allocated: Resources) -> tuple[str, ...]:
    """The resources of which more is charged than the host may promise."""
    ratio, limit = row.ratios.cpu, row.allocatable
    shared = (row.shape.threads - allocated.milli_threads) * ratio.numerator // ratio.denominator
    limits = (shared, *limit[1:4])
    named = [name for name, amount, most in zip(RESOURCE_NAMES, allocated[:4], limits, strict=True) if amount > most]
    gpus = dict(limit.gpus)
    return (*named, *(device for device, count in allocated.gpus if count > gpus.get(device, 0)))
