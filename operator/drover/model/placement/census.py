"""How many virtual machines of each mark there are in each domain of each topology."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Final

from drover.model.placement.claims import Change
from drover.model.placement.hosts import HostRow, Topology

Counts = dict[str, int]
_NONE: Final[Mapping[str, int]] = MappingProxyType({})


class Census:
    """Counts by host, kept with every change of a claim; by wider domain, made when first asked for and kept since."""

    def __init__(self) -> None:
        self._on: dict[Hashable, Counts] = {}
        self._within: dict[tuple[Hashable, Topology], Counts] = {}

    def copy(self) -> Census:
        other = Census()
        other._on = {mark: counts.copy() for mark, counts in self._on.items()}
        other._within = {place: counts.copy() for place, counts in self._within.items()}
        return other

    def count(self, change: Change, row: HostRow | None) -> None:
        """Takes a change on a host; ``row`` is None where the host is not known."""
        before = change.before.marks if change.before is not None else frozenset()
        after = change.after.marks if change.after is not None else frozenset()
        for marks, step in ((before - after, -1), (after - before, 1)):
            for mark in marks:
                _add(self._on.setdefault(mark, {}), change.host, step)
                for topology in ("Rack", "FailureDomain") if row is not None else ():
                    counts = self._within.get((mark, topology))
                    if counts is not None:
                        _add(counts, row.domain(topology), step)  # type: ignore[union-attr]
                if not self._on[mark]:
                    del self._on[mark]

    def hosts_changed(self) -> None:
        """Hosts have joined, left or changed their domain."""
        self._within.clear()

    def counts(self, mark: Hashable, topology: Topology, rows: Mapping[str, HostRow]) -> Mapping[str, int]:
        """Domain to the number of virtual machines with the mark there; domains without any are left out."""
        on = self._on.get(mark, _NONE)
        if topology == "Host":
            return on
        counts = self._within.get((mark, topology))
        if counts is None:
            counts = self._within[mark, topology] = {}
            for host, number in on.items():
                if host in rows:
                    _add(counts, rows[host].domain(topology), number)
        return counts


def _add(counts: Counts, domain: str, step: int) -> None:
    number = counts.get(domain, 0) + step
    if number:
        counts[domain] = number
    else:
        del counts[domain]
