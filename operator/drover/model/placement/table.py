"""Hosts as columns of numpy arrays, in natural name order, for decisions that look at every host at once.

Changes of membership are gathered and applied when the columns are next read. What is charged to a host changes its
column at once, in the amounts and in the score of every request known (``scores``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from drover.model.placement.claims import NO_LOAD, Load
from drover.model.placement.hosts import HostRow, NaturalKey, Topology, natural_key
from drover.model.placement.scores import ScoreMatrix

Slots = npt.NDArray[np.intp]


_NO_SLOTS: Final[Slots] = np.zeros(0, np.intp)


class HostTable:
    """The columns. ``Ledger`` keeps them true; decisions read them."""

    def __init__(self) -> None:
        self._known: dict[str, HostRow] = {}
        self._loads: dict[str, Load] = {}
        self._keys: dict[str, NaturalKey] = {}
        self._joined_or_left = False
        self._slots: dict[str, int] = {}
        self._rows: list[HostRow] = []
        self._scores = ScoreMatrix()
        self._domains: dict[Topology, dict[str, Slots]] = {}
        self._pools: dict[str | None, Slots] = {}
        self._open: dict[str, Slots] = {}

    def __len__(self) -> int:
        return len(self._known)

    def copy(self) -> HostTable:
        self._settle()
        other = HostTable()
        other._known = self._known.copy()
        other._loads = self._loads.copy()
        other._keys = self._keys
        other._slots = self._slots.copy()
        other._rows = self._rows.copy()
        other._scores = self._scores.copy()
        other._domains = self._domains.copy()
        other._pools = self._pools.copy()
        other._open = self._open.copy()
        return other

    # Changing

    def upsert(self, row: HostRow, load: Load) -> None:
        """Adds or replaces a host."""
        before = self._known.get(row.name)
        self._known[row.name] = row
        self._loads[row.name] = load
        if before is None:
            self._joined_or_left = True
        elif not self._joined_or_left:
            slot = self._slots[row.name]
            self._rows[slot] = row
            self._forget_groups()
            self._scores.replace(slot, row)
            self._scores.charge(slot, load)

    def charge(self, name: str, load: Load) -> None:
        """Sets what the host is charged in all; a host that does not exist is left alone."""
        if name in self._known:
            self._loads[name] = load
            if not self._joined_or_left:
                self._scores.charge(self._slots[name], load)

    def remove(self, name: str) -> None:
        """Forgets a host."""
        if self._known.pop(name, None) is not None:
            del self._loads[name]
            self._joined_or_left = True

    def _forget_groups(self) -> None:
        self._domains.clear()
        self._pools.clear()
        self._open.clear()

    # Reading

    def row(self, name: str) -> HostRow | None:
        return self._known.get(name)

    def load(self, name: str) -> Load:
        return self._loads.get(name, NO_LOAD)

    @property
    def rows(self) -> list[HostRow]:
        """The hosts by slot."""
        self._settle()
        return self._rows

    @property
    def scores(self) -> ScoreMatrix:
        self._settle()
        return self._scores

    @property
    def known(self) -> Mapping[str, HostRow]:
        """The hosts by name."""
        return self._known

    def slots(self, names: Iterable[str]) -> list[int]:
        """The slots of the hosts that exist among the names."""
        self._settle()
        return [self._slots[name] for name in names if name in self._slots]

    def slots_in(self, topology: Topology, domains: Collection[str]) -> Slots:
        """The slots of all hosts in these domains."""
        self._settle()
        if topology == "Host":
            return np.array(self.slots(domains), np.intp)
        by_domain = self._by_domain(topology)
        found = [by_domain[domain] for domain in domains if domain in by_domain]
        return np.concatenate(found) if len(found) > 1 else found[0] if found else _NO_SLOTS

    def slots_in_pool(self, pool: str | None) -> Slots:
        """The slots of one pool's hosts, or of all."""
        self._settle()
        if pool not in self._pools:
            slots = [slot for slot, row in enumerate(self._rows) if pool is None or row.pool == pool]
            self._pools[pool] = np.array(slots, np.intp)
        return self._pools[pool]

    def open_slots(self, pool: str) -> Slots:
        """The slots of one pool's hosts that something may be placed on."""
        self._settle()
        if pool not in self._open:
            self._open[pool] = np.array(
                [slot for slot in self.slots_in_pool(pool).tolist() if self._rows[slot].blocked is None], np.intp
            )
        return self._open[pool]

    def _by_domain(self, topology: Topology) -> dict[str, Slots]:
        if topology not in self._domains:
            slots: dict[str, list[int]] = {}
            for slot, row in enumerate(self._rows):
                slots.setdefault(row.domain(topology), []).append(slot)
            self._domains[topology] = {domain: np.array(found, np.intp) for domain, found in slots.items()}
        return self._domains[topology]

    def _settle(self) -> None:
        """Brings the columns into order after hosts have joined or left."""
        if not self._joined_or_left:
            return
        self._joined_or_left = False
        for name in self._known.keys() - self._keys.keys():
            self._keys[name] = natural_key(name)
        names = sorted(self._known, key=self._keys.__getitem__)
        was_at = np.array([self._slots.get(name, -1) for name in names], np.intp)
        rows, loads = [self._known[name] for name in names], [self._loads[name] for name in names]
        changed = [
            slot
            for slot, old in enumerate(was_at.tolist())
            if old < 0 or self._rows[old] is not rows[slot] or self._scores.loads[old] is not loads[slot]
        ]
        self._rows = rows
        self._slots = {name: slot for slot, name in enumerate(names)}
        self._forget_groups()
        self._scores.reorder(rows, loads, was_at, changed)
