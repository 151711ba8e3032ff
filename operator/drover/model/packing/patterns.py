"""The fewest hosts that a set of virtual machines needs, proven: the configuration LP (Gilmore and Gomory 1961).

A *pattern* says how many machines of each size one host runs. The LP over all patterns bounds the number of hosts from
below, more tightly than resources alone, as a pattern must fit all of them at once; column generation solves it with
few patterns. Where an integer program over those and some near-best ones reaches the LP's value, rounded up, the number
is proven.

Hosts are of one shape. Made for the flavors of a cloud, tens of sizes; needs scipy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from drover.model.packing.columns import TOLERANCE, Columns, Pattern
from drover.model.packing.snapshot import BoolArray, IntArray

Size = tuple[int, ...]

FEW_PATTERNS: Final = 1_000
"""Up to so many, all patterns are listed, and the integer program over them is a proof by itself."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """How many hosts suffice, and how many it takes at least."""

    hosts: int
    """Of the best packing found."""
    bound: int
    """No packing has fewer: proven."""
    lp: float
    """The value of the configuration LP."""
    patterns: tuple[tuple[int, Mapping[Size, int]], ...]
    """The packing: how many hosts run a pattern, and the machines of each size in it. Some may stay unused."""

    @property
    def proven(self) -> bool:
        """Whether the packing found is one of the best."""
        return self.hosts == self.bound


def optimum(demands: Mapping[Size, int], capacity: Size) -> Optimum:
    """The fewest hosts of a capacity that run so many machines of each size; amounts are integers.

    Raises ValueError where a size does not fit the capacity, ModuleNotFoundError where scipy is missing.
    """
    kinds = sorted(size for size, count in demands.items() if count > 0)
    if not kinds:
        return Optimum(0, 0, 0.0, ())
    for size in kinds:
        _check(size, capacity)
    sizes, limit, demand = np.array(kinds), np.array(capacity), np.array([demands[size] for size in kinds])
    unit = np.maximum(np.gcd.reduce(sizes), 1)
    sizes, limit = sizes // unit, limit // unit
    every = _every_pattern(sizes, limit, demand)
    columns = Columns(sizes, limit, every or _one_size_each(sizes, limit, demand))
    relaxation = columns.relax(demand)
    bound = math.ceil(relaxation.bound - TOLERANCE)
    hosts, is_best = columns.cover(demand, relaxation.hosts)
    if every and is_best:
        bound = int(hosts.sum())
    elif hosts.sum() > bound:
        columns.add_near(relaxation.prices, demand)
        hosts, _ = columns.cover(demand, relaxation.hosts)
    patterns = tuple(
        (int(count), {size: copies for size, copies in zip(kinds, pattern, strict=True) if copies})
        for count, pattern in zip(hosts, columns.pool, strict=True)
        if count
    )
    return Optimum(int(hosts.sum()), bound, relaxation.bound, patterns)


def _check(size: Size, capacity: Size) -> None:
    if len(size) != len(capacity) or min(size) < 0:
        raise ValueError(f"size {size} must have {len(capacity)} amounts, as the capacity has, none below 0")
    if any(amount > limit for amount, limit in zip(size, capacity, strict=True)):
        raise ValueError(f"size {size} does not fit a host of capacity {capacity}: leave it out or take larger hosts")


def _one_size_each(sizes: IntArray, capacity: IntArray, demand: IntArray) -> list[Pattern]:
    """As many of one kind as fit, for each: enough to cover any demand."""
    room = capacity.tolist()
    most = [_most(size, room, count) for size, count in zip(sizes.tolist(), demand.tolist(), strict=True)]
    return [tuple(row) for row in np.diag(most).tolist()]


def _every_pattern(sizes: IntArray, capacity: IntArray, demand: IntArray) -> list[Pattern]:
    """All patterns to which no machine can be added; none where there are more than a few patterns in all."""
    few = list(islice(_feasible(sizes.tolist(), capacity.tolist(), demand.tolist()), FEW_PATTERNS + 1))
    if len(few) > FEW_PATTERNS:
        return []
    patterns = np.array(few)
    room = capacity - patterns @ sizes
    extendable: BoolArray = np.any((sizes <= room[:, None]).all(axis=2) & (patterns < demand), axis=1)
    return [few[index] for index in np.flatnonzero(~extendable).tolist()]


def _feasible(sizes: Sequence[Sequence[int]], room: Sequence[int], demand: Sequence[int]) -> Iterator[Pattern]:
    """Every choice of so many of each kind, up to its demand, that fits the room."""
    if not sizes:
        yield ()
        return
    for count in range(_most(sizes[0], room, demand[0]), -1, -1):
        left = [amount - count * size for amount, size in zip(room, sizes[0], strict=True)]
        for others in _feasible(sizes[1:], left, demand[1:]):
            yield (count, *others)


def _most(size: Sequence[int], room: Sequence[int], demand: int) -> int:
    """How many of a size fit the room, up to the demand."""
    return min([demand, *(amount // need for amount, need in zip(room, size, strict=True) if need)])
