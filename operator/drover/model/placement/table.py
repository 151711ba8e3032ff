"""Hosts as columns of numpy arrays, for decisions that look at every host at once.

Column *i* is host *i*; columns are dense and in no meaningful order. The arrays grow by doubling, so only the
first ``len(table)`` columns are valid: the properties return views of exactly those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from drover.model.placement.hosts import HostRow, natural_key
from drover.model.placement.resources import RESOURCE_NAMES, Resources

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_N: Final = len(RESOURCE_NAMES)
_TOTAL, _ROOM, _ALLOCATED = slice(0, _N), slice(_N, 2 * _N), slice(2 * _N, 3 * _N)
_POOL, _BLOCK, _INT_ROWS = 3 * _N, 3 * _N + 1, 3 * _N + 2
_INVERSE, _WEIGHT = slice(0, _N), slice(_N, 2 * _N)
_PACK, _FLOAT_ROWS = 2 * _N, 2 * _N + 1
_INITIAL_CAPACITY: Final = 16
_MAX_SELECTORS: Final = 256
_LARGEST: Final = 2**61
"""Amounts are capped here, so that the difference of any two stays inside int64."""


class HostTable:
    """The arrays. ``Ledger`` keeps them true, ``decide`` reads them."""

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._rows: list[HostRow] = []
        self._codes: dict[str, int] = {}
        self._ranks: IntArray | None = None
        self._selected: dict[frozenset[tuple[str, str]], BoolArray] = {}
        self._ints: IntArray = np.zeros((_INT_ROWS, _INITIAL_CAPACITY), np.int64)
        self._floats: FloatArray = np.zeros((_FLOAT_ROWS, _INITIAL_CAPACITY))

    def __len__(self) -> int:
        return len(self._rows)

    def copy(self) -> HostTable:
        other = HostTable()
        other._slots = self._slots.copy()
        other._rows = self._rows.copy()
        other._codes = self._codes.copy()
        other._ranks = self._ranks
        other._selected = self._selected.copy()
        other._ints = self._ints.copy()
        other._floats = self._floats.copy()
        return other

    def row(self, name: str) -> HostRow | None:
        slot = self._slots.get(name)
        return None if slot is None else self._rows[slot]

    def row_at(self, slot: int) -> HostRow:
        return self._rows[slot]

    def slots(self, names: Iterable[str]) -> list[int]:
        """The columns of the hosts that exist among the names."""
        return [self._slots[name] for name in names if name in self._slots]

    def upsert(self, row: HostRow, allocated: Resources) -> None:
        """Adds or replaces a host."""
        slot = self._slots.get(row.name)
        if slot is None:
            slot = self._append(row)
        elif self._rows[slot].labels != row.labels:
            self._selected.clear()
        self._rows[slot] = row
        self._ints[_TOTAL, slot] = _capped(row.total)
        self._ints[_POOL, slot] = self._code(row.pool)
        self._ints[_BLOCK, slot] = self._code(row.blocked)
        self._floats[_INVERSE, slot] = [1 / amount if amount else 0.0 for amount in row.allocatable]
        self._floats[_WEIGHT, slot] = [weight / (sum(row.weights) or 1) for weight in row.weights]
        self._floats[_PACK, slot] = row.strategy == "Pack"
        self.charge(row.name, allocated)

    def charge(self, name: str, allocated: Resources) -> None:
        """Sets what the host is charged in all; a host that does not exist is left alone."""
        slot = self._slots.get(name)
        if slot is None:
            return
        row = self._rows[slot]
        free = row.allocatable - allocated
        self._ints[_ALLOCATED, slot] = _capped(allocated)
        self._ints[_ROOM, slot] = _capped(
            free._replace(
                milli_cpu=min(free.milli_cpu, row.total.milli_cpu),
                memory=min(free.memory, row.total.memory),
                disk=min(free.disk, row.total.disk),
            )
        )

    def remove(self, name: str) -> None:
        """Forgets a host; the last column takes the place of its own."""
        slot = self._slots.pop(name, None)
        if slot is None:
            return
        last = self._rows.pop()
        if last.name != name:
            self._rows[slot] = last
            self._slots[last.name] = slot
            self._ints[:, slot] = self._ints[:, len(self._rows)]
            self._floats[:, slot] = self._floats[:, len(self._rows)]
        self._membership_changed()

    @property
    def total(self) -> IntArray:
        """Shape (resources, hosts): what the hardware has."""
        return self._ints[_TOTAL, : len(self)]

    @property
    def room(self) -> IntArray:
        """Shape (resources, hosts): the largest request that fits; negative where charged too much."""
        return self._ints[_ROOM, : len(self)]

    @property
    def allocated(self) -> IntArray:
        """Shape (resources, hosts): the sum of charges."""
        return self._ints[_ALLOCATED, : len(self)]

    @property
    def inverse(self) -> FloatArray:
        """Shape (resources, hosts): 1 / allocatable, and 0 where nothing is."""
        return self._floats[_INVERSE, : len(self)]

    @property
    def weights(self) -> FloatArray:
        """Shape (resources, hosts): weights that sum to 1 over the resources of a host."""
        return self._floats[_WEIGHT, : len(self)]

    @property
    def packs(self) -> FloatArray:
        """1 where the host's strategy is Pack, 0 where it is Balance."""
        return self._floats[_PACK, : len(self)]

    @property
    def unblocked(self) -> BoolArray:
        return _equal(self._ints[_BLOCK, : len(self)], 0)

    def blocks(self) -> list[tuple[str, BoolArray]]:
        """Each reason hosts are blocked for, in alphabetical order, with those hosts."""
        codes = self._ints[_BLOCK, : len(self)]
        present = set(np.unique(codes).tolist())
        return [(reason, _equal(codes, code)) for reason, code in sorted(self._codes.items()) if code in present]

    def in_pool(self, pool: str | None) -> BoolArray:
        """The hosts of one pool, or all of them."""
        if pool is None:
            return np.ones(len(self), np.bool_)
        return _equal(self._ints[_POOL, : len(self)], self._codes.get(pool, -1))

    def matching(self, selector: Mapping[str, str]) -> BoolArray:
        """The hosts that carry every label of the selector. Remembered until labels or membership change."""
        wanted = frozenset(selector.items())
        mask = self._selected.get(wanted)
        if mask is None:
            if len(self._selected) >= _MAX_SELECTORS:
                self._selected.clear()
            mask = np.fromiter((wanted <= row.labels.items() for row in self._rows), np.bool_, len(self))
            self._selected[wanted] = mask
        return mask

    @property
    def ranks(self) -> IntArray:
        """Each host's position in natural name order."""
        if self._ranks is None:
            order = sorted(range(len(self)), key=lambda slot: natural_key(self._rows[slot].name))
            self._ranks = np.empty(len(self), np.int64)
            self._ranks[order] = np.arange(len(self))
        return self._ranks

    def names(self, slots: IntArray) -> list[str]:
        """The names of the hosts in these columns, in natural order."""
        return [self._rows[slot].name for slot in slots[self.ranks[slots].argsort()]]

    def _append(self, row: HostRow) -> int:
        slot = len(self._rows)
        if slot == self._ints.shape[1]:
            self._ints = np.concatenate([self._ints, np.zeros_like(self._ints)], axis=1)
            self._floats = np.concatenate([self._floats, np.zeros_like(self._floats)], axis=1)
        self._rows.append(row)
        self._slots[row.name] = slot
        self._membership_changed()
        return slot

    def _membership_changed(self) -> None:
        self._ranks = None
        self._selected.clear()

    def _code(self, word: str | None) -> int:
        """A number for a pool's name or a reason; 0 is no word."""
        return 0 if word is None else self._codes.setdefault(word, len(self._codes) + 1)


def _equal(codes: IntArray, code: int) -> BoolArray:
    mask: BoolArray = np.equal(codes, code)
    return mask


def _capped(amounts: Resources) -> list[int]:
    return [max(-_LARGEST, min(amount, _LARGEST)) for amount in amounts]
