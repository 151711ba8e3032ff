"""Who claims what on which host.

The same claim can be seen from several sides at once: a virtual machine's observed status, its status as
assumed by a write in flight, and its migration. Each side is a *contributor* that states all its claims; a
pair (virtual machine, host) is charged once, at the elementwise maximum of what its contributors state.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import reduce
from types import MappingProxyType
from typing import NamedTuple

from drover.model.placement.resources import NO_RESOURCES, Resources

Pair = tuple[str, str]
"""The uid of a virtual machine and the name of a host."""

NO_MARKS: frozenset[Hashable] = frozenset()


class Claim(NamedTuple):
    """What one virtual machine takes of one host, and what others must know of its being there."""

    resources: Resources
    cells: tuple[int, ...] = ()
    """The NUMA cells its vCPUs and memory are taken from, in equal parts; () where it floats over all of them."""
    marks: frozenset[Hashable] = NO_MARKS
    """What affinity, spread and groups count it under (``terms``)."""
    parts: int = 0
    """How many cells share it; 0: as many as there are. Fewer where its contributors name different ones."""

    def maximum(self, other: Claim) -> Claim:
        cells = tuple(sorted({*self.cells, *other.cells}))
        parts = min((claim.parts or len(claim.cells) for claim in (self, other) if claim.cells), default=0)
        size, marks = self.resources.maximum(other.resources), self.marks | other.marks
        return Claim(size, cells, marks, parts if parts < len(cells) else 0)

    @property
    def share(self) -> CellLoad:
        """What each of its cells gives."""
        return share(self.resources, self.parts or len(self.cells))


class CellLoad(NamedTuple):
    """What is taken of one NUMA cell by the guests bound to it."""

    milli_cpu: int = 0
    milli_threads: int = 0
    memory: int = 0

    def __add__(self, other: CellLoad) -> CellLoad:  # type: ignore[override]  # amounts add, tuples do not
        return CellLoad(*(a + b for a, b in zip(self, other, strict=True)))


CellLoads = tuple[CellLoad, ...]
"""One for each cell up to the last that is taken; () where no guest is bound to any."""


class Load(NamedTuple):
    """What is charged to one host in all."""

    resources: Resources = NO_RESOURCES
    cells: CellLoads = ()


NO_LOAD = Load()


class HostCharges(NamedTuple):
    """What one host is charged: each virtual machine's uid with its claim, and what they come to."""

    by_uid: Mapping[str, Claim] = MappingProxyType({})
    load: Load = NO_LOAD


NO_CHARGES = HostCharges()


def cell_loads(claims: Iterable[Claim]) -> CellLoads:
    """What the claims take of each cell."""
    loads: dict[int, CellLoad] = {}
    for claim in claims:
        for cell in claim.cells:
            loads[cell] = loads.get(cell, CellLoad()) + claim.share
    return tuple(loads.get(cell, CellLoad()) for cell in range(max(loads, default=-1) + 1))


def share(resources: Resources, parts: int) -> CellLoad:
    """What one of ``parts`` cells gives, rounded up."""
    return CellLoad(
        -(-resources.milli_cpu // parts), -(-resources.milli_threads // parts), -(-resources.memory // parts)
    )


class Change(NamedTuple):
    """One virtual machine's claim on one host, before and after."""

    host: str
    before: Claim | None
    after: Claim | None


class ClaimBook:
    """Claims of all contributors and the charges that follow. The order of arrival leaves no trace.

    Inner values are replaced and never changed, so a copy costs three shallow dictionary copies.
    """

    def __init__(self) -> None:
        self._pairs: dict[Hashable, tuple[Pair, ...]] = {}
        self._stated: dict[Pair, tuple[tuple[Hashable, Claim], ...]] = {}
        self._charges: dict[str, HostCharges] = {}

    def copy(self) -> ClaimBook:
        other = ClaimBook()
        other._pairs = self._pairs.copy()
        other._stated = self._stated.copy()
        other._charges = self._charges.copy()
        return other

    def on(self, host: str) -> HostCharges:
        return self._charges.get(host, NO_CHARGES)

    def set(self, contributor: Hashable, claims: Mapping[Pair, Claim]) -> list[Change]:
        """Replaces all claims of the contributor; returns the charges that changed."""
        before = self._pairs.get(contributor, ())
        if claims:
            self._pairs[contributor] = tuple(claims)
        elif before:
            del self._pairs[contributor]
        changes = [self._state(pair, contributor, None) for pair in before if pair not in claims]
        changes += [self._state(pair, contributor, claim) for pair, claim in claims.items()]
        return [change for change in changes if change.before != change.after]

    def stated(self, pair: Pair) -> tuple[tuple[Hashable, Claim], ...]:
        """Who states what of the pair."""
        return self._stated.get(pair, ())

    def pairs(self, contributor: Hashable) -> dict[Pair, Claim]:
        """Everything the contributor claims."""
        return {pair: dict(self._stated[pair])[contributor] for pair in self._pairs.get(contributor, ())}

    def _state(self, pair: Pair, contributor: Hashable, claim: Claim | None) -> Change:
        stated = self._stated.get(pair, ())
        if stated and (len(stated) > 1 or stated[0][0] != contributor):
            stated = tuple(entry for entry in stated if entry[0] != contributor)
        else:
            stated = ()
        if claim is not None:
            stated = (*stated, (contributor, claim))
        if stated:
            self._stated[pair] = stated
        else:
            self._stated.pop(pair, None)
        after = reduce(Claim.maximum, (claim for _, claim in stated)) if stated else None
        return self._charge(pair, after)

    def _charge(self, pair: Pair, after: Claim | None) -> Change:
        uid, host = pair
        known = self.on(host)
        before = known.by_uid.get(uid)
        if before == after:
            return Change(host, before, after)
        by_uid = dict(known.by_uid)
        total, cells = known.load
        if before is not None:
            del by_uid[uid]
            total -= before.resources
        if after is not None:
            by_uid[uid] = after
            total += after.resources
        if (before is not None and before.cells) or (after is not None and after.cells):
            cells = cell_loads(by_uid.values())
        if by_uid:
            self._charges[host] = HostCharges(by_uid, Load(total, cells))
        else:
            self._charges.pop(host, None)
        return Change(host, before, after)
