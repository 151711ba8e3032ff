"""The score of every host for every request known: one row a signature, one column a host.

A row answers "which host is best" with one argmax. A host that changes has its column written anew: the sum of a few
vectors over all rows, each remembered by the amounts it follows from, so that most changes compute nothing. Rows that
have not been asked for longest make way when there are too many.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from drover.model.placement import cells, rules
from drover.model.placement.claims import CellLoads, Load
from drover.model.placement.hosts import Character, HostRow, Shape
from drover.model.placement.request import Constraints, Signature
from drover.model.placement.resources import Gpus, Resources
from drover.model.placement.rules import Objection
from drover.model.placement.scoring import (
    INFEASIBLE,
    LARGEST,
    Amounts,
    IntArray,
    Limits,
    Scores,
    capped,
    cpu_memory_part,
    disk_part,
    limits_of,
    network_part,
)

MAX_ROWS: Final = 256
MAX_REMEMBERED: Final = 100_000
"""Vectors remembered of one kind; all are forgotten when there are more."""
_AMOUNTS: Final = len(Amounts._fields)

ValueT = TypeVar("ValueT", bound=Hashable)


class Numbered(dict[ValueT, int]):
    """Numbers values in the order they are first seen."""

    def __init__(self) -> None:
        super().__init__()
        self.values_by_number: list[ValueT] = []

    def __missing__(self, value: ValueT) -> int:
        number = self[value] = len(self.values_by_number)
        self.values_by_number.append(value)
        return number


class ScoreMatrix:
    """Scores in float32, minus infinity where the request does not fit. Reads and writes go by slot."""

    def __init__(self) -> None:
        self._shapes: Numbered[Shape] = Numbered()
        self._limits: list[Limits] = []
        self._limits_of_slots: Limits | None = None
        """``limits``, until a host changes."""
        self._characters: Numbered[Character] = Numbered()
        self._shape_of: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self._character_of: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self._loads: list[Load] = []
        self._used: IntArray = np.zeros((_AMOUNTS, 0), np.int64)
        self._stale: set[int] = set()
        """Slots whose ``_used`` is of an earlier load: what is seldom read is not written with every change."""
        self._matrix: Scores = np.zeros((0, 0), np.float32)
        self._rows: dict[Signature, int] = {}
        self._asked: list[int] = []
        """When each row was last asked for."""
        self._clock = 0
        self._needs = _Needs([])
        self._memory: tuple[dict[Hashable, Scores | None], ...] = ({}, {}, {}, {}, {})
        self._objections: dict[Constraints, list[Objection | None]] = {}

    def copy(self) -> ScoreMatrix:
        """Numbers and what is remembered are shared: both only grow, until other rows bring a memory of their own."""
        other = ScoreMatrix()
        other.__dict__.update(self.__dict__)
        other._shape_of, other._character_of = self._shape_of.copy(), self._character_of.copy()
        other._loads, other._used, other._stale = self._loads.copy(), self._used.copy(), self._stale.copy()
        other._matrix, other._rows, other._asked = self._matrix.copy(), self._rows.copy(), self._asked.copy()
        return other

    # Reading

    def row(self, signature: Signature) -> Scores:
        """The score of every host for the request. A view: it changes with the next charge."""
        number = self._rows.get(signature)
        if number is None:
            number = self._add(signature)
        self._clock += 1
        self._asked[number] = self._clock
        row: Scores = self._matrix[number]
        return row

    def objections(self, wanted: Constraints) -> tuple[list[Objection | None], npt.NDArray[np.intp]]:
        """What each character fails on, and the number of each slot's character."""
        found = self._objections.get(wanted)
        if found is None:
            if len(self._objections) >= MAX_ROWS:
                self._objections.clear()
            found = self._objections[wanted] = []
        for character in self._characters.values_by_number[len(found) :]:
            found.append(rules.objection(character, wanted))
        return found, self._character_of

    @property
    def loads(self) -> list[Load]:
        """What is charged to every host, by slot."""
        return self._loads

    @property
    def used(self) -> Amounts:
        """What is charged to every host, each field an array over slots."""
        if self._stale:
            slots = list(self._stale)
            self._used[:, slots] = np.array([capped(self._loads[slot].resources) for slot in slots], np.int64).T
            self._stale.clear()
        return Amounts(*self._used)

    def limits(self) -> Limits:
        """The limits of every host, each field an array over slots."""
        if self._limits_of_slots is None:
            fields = zip(*self._limits, strict=True) if self._limits else [()] * len(Limits._fields)
            self._limits_of_slots = Limits._make(np.array(values)[self._shape_of] for values in fields)
        return self._limits_of_slots

    # Changing

    def charge(self, slot: int, load: Load) -> None:
        """Writes the column of a host anew with what it is charged now."""
        self._loads[slot] = load
        self._stale.add(slot)
        if self._rows:
            self._matrix[:, slot] = self._column(slot)

    def replace(self, slot: int, row: HostRow) -> None:
        """Takes a host that is not what it was. Its column is written by the ``charge`` that follows."""
        self._limits_of_slots = None
        self._shape_of[slot] = self._shape(row.shape)
        self._character_of[slot] = self._characters[row.character]

    def reorder(
        self,
        rows: list[HostRow],
        loads: list[Load],
        was_at: npt.NDArray[np.intp],
        changed: list[int],
    ) -> None:
        """Takes the hosts in a new order: slot i was slot ``was_at``[i] until now, or nothing where that is -1.

        ``changed``: the slots whose host or load is not what it was.
        """
        self._limits_of_slots = None
        self._shape_of = np.array([self._shape(row.shape) for row in rows], np.intp)
        self._character_of = np.array([self._characters[row.character] for row in rows], np.intp)
        self._loads = loads
        self._used = np.array([capped(load.resources) for load in loads], np.int64).reshape(-1, _AMOUNTS).T.copy()
        self._stale = set()
        if not self._matrix.shape[1] or 2 * len(changed) > len(rows):
            self._forget_rows(len(rows))
            return
        self._matrix = self._matrix[:, was_at]
        for slot in changed if self._rows else ():
            self._matrix[:, slot] = self._column(slot)

    def _forget_rows(self, hosts: int) -> None:
        self._matrix = np.zeros((0, hosts), np.float32)
        self._rows, self._asked, self._needs = {}, [], _Needs([])
        self._memory = ({}, {}, {}, {}, {})

    def _add(self, signature: Signature) -> int:
        """A row for a signature not known: the next one, or that of the signature not asked for longest."""
        number = len(self._rows)
        if number >= MAX_ROWS:
            number = self._asked.index(min(self._asked))
            del self._rows[self._needs.signatures[number]]
        else:
            self._asked.append(self._clock)
            self._matrix = np.concatenate([self._matrix, np.empty((1, self._matrix.shape[1]), np.float32)])
        self._rows[signature] = number
        self._needs = _Needs(sorted(self._rows, key=self._rows.__getitem__))
        self._memory = ({}, {}, {}, {}, {})
        self._matrix[number] = self._row(signature)
        return number

    def _shape(self, shape: Shape) -> int:
        number = self._shapes[shape]
        if number == len(self._limits):
            self._limits.append(limits_of(shape))
        return number

    # One host, all signatures

    def _column(self, slot: int) -> Scores:
        resources, loads = self._loads[slot]
        milli_cpu, memory, disk, bandwidth, threads, gpus = resources
        shape, needs = int(self._shape_of[slot]), self._needs
        by_cpu, by_disk, by_network, by_cells, by_character = self._memory
        key: Hashable = (shape, milli_cpu, threads, memory)
        part = by_cpu.get(key)
        if part is None:
            part = _remember(by_cpu, key, self._cpu_memory(shape, resources))
        key = (shape, disk, gpus)
        other = by_disk.get(key)
        if other is None:
            other = _remember(by_disk, key, self._disk(shape, disk, gpus))
        column: Scores = part + other
        key = (shape, bandwidth)
        other = by_network.get(key)
        if other is None:
            other = _remember(by_network, key, self._network(shape, bandwidth))
        column += other
        if needs.bound:
            key = (shape, loads)
            other = by_cells.get(key)
            if other is None:
                other = _remember(by_cells, key, self._cells(shape, loads))
            column += other
        key = int(self._character_of[slot])
        if key not in by_character:
            by_character[key] = self._character(key)
        other = by_character[key]
        if other is not None:
            column += other
        return column

    def _cpu_memory(self, shape: int, used: Resources) -> Scores:
        needs = self._needs
        return cpu_memory_part(Amounts(*capped(used)), self._limits[shape], needs.amounts, needs.guest_milli_cpu)

    def _disk(self, shape: int, disk: int, gpus: Gpus) -> Scores:
        part = disk_part(Amounts(*capped(Resources(disk=disk))), self._limits[shape], self._needs.amounts)
        free = _free_gpus(self._shapes.values_by_number[shape], gpus)
        for row, signature in self._needs.with_gpus:
            if not _has_gpus(free, signature):
                part[row] = INFEASIBLE
        return part

    def _network(self, shape: int, bandwidth: int) -> Scores:
        used = Amounts(*capped(Resources(bandwidth=bandwidth)))
        return network_part(used, self._limits[shape], self._needs.amounts)

    def _cells(self, shape: int, loads: CellLoads) -> Scores:
        part = np.zeros(len(self._rows), np.float32)
        for row, signature in self._needs.bound:
            if not _has_cells(self._shapes.values_by_number[shape], loads, signature):
                part[row] = INFEASIBLE
        return part

    def _character(self, number: int) -> Scores | None:
        """None where the character makes no difference to any row."""
        host = self._characters.values_by_number[number]
        part = np.array([_static(host, signature) for signature in self._needs.signatures], np.float32)
        return part if part.any() else None

    # One signature, all hosts

    def _row(self, signature: Signature) -> Scores:
        size, guest, wanted = signature.size, signature.guest_milli_cpu, signature.constraints
        need, used, limits = Amounts(*capped(size)), self.used, self.limits()
        row = cpu_memory_part(used, limits, need, guest) + self._disk_row(used, limits, need, signature)
        row += network_part(used, limits, need)
        shapes = self._shapes.values_by_number
        if wanted.numa_nodes:
            places = zip(self._shape_of.tolist(), self._loads, strict=True)
            fits = [_has_cells(shapes[shape], loads, signature) for shape, (_, loads) in places]
            row += np.where(fits, np.float32(0), INFEASIBLE)
        static = [_static(character, signature) for character in self._characters.values_by_number]
        row += np.array(static, np.float32)[self._character_of]
        return row

    def _disk_row(self, used: Amounts, limits: Limits, need: Amounts, signature: Signature) -> Scores:
        part = disk_part(used, limits, need)
        if signature.size.gpus:
            shapes = self._shapes.values_by_number
            places = zip(self._shape_of.tolist(), self._loads, strict=True)
            fits = [_has_gpus(_free_gpus(shapes[shape], load.gpus), signature) for shape, (load, _) in places]
            part[~np.array(fits, np.bool_)] = INFEASIBLE
        return part


class _Needs:
    """What the rows are of, as arrays over rows."""

    def __init__(self, signatures: list[Signature]) -> None:
        self.signatures = signatures
        sizes = np.array([capped(signature.size) for signature in signatures], np.int64)
        self.amounts = Amounts(*sizes.reshape(-1, _AMOUNTS).T.copy())
        guests = [min(signature.guest_milli_cpu, LARGEST) for signature in signatures]
        self.guest_milli_cpu: IntArray = np.array(guests, np.int64)
        self.with_gpus = [(row, signature) for row, signature in enumerate(signatures) if signature.size.gpus]
        self.bound = [(row, found) for row, found in enumerate(signatures) if found.constraints.numa_nodes]


def _static(host: Character, signature: Signature) -> float:
    if rules.objection(host, signature.constraints) is not None:
        return -np.inf
    return rules.preference(host, signature.constraints)


def _free_gpus(shape: Shape, used: Gpus) -> dict[str, int]:
    return dict((Resources(gpus=shape.allocatable.gpus) - Resources(gpus=used)).gpus)


def _has_gpus(free: dict[str, int], signature: Signature) -> bool:
    return all(free.get(device, 0) >= count for device, count in signature.size.gpus)


def _has_cells(shape: Shape, loads: CellLoads, signature: Signature) -> bool:
    return cells.choose(shape, loads, signature.size, signature.constraints.numa_nodes) is not None


def _remember(memory: dict[Hashable, Scores | None], key: Hashable, vector: Scores) -> Scores:
    if len(memory) >= MAX_REMEMBERED:
        memory.clear()
    memory[key] = vector
    return vector
