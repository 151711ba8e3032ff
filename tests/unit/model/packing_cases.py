"""Fleets to consolidate and balance, and what must hold of any moves in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from drover.model.packing import Allowed, Move, Snapshot


def snapshot(capacity: Sequence[Sequence[int]], *hosts: Sequence[tuple[int, ...]]) -> Snapshot:
    """Hosts by capacity, and the sizes of what each runs."""
    sizes = [size for vms in hosts for size in vms]
    where = [host for host, vms in enumerate(hosts) for _ in vms]
    return Snapshot(np.array(capacity), np.array(sizes).reshape(len(sizes), len(capacity[0])), np.array(where, int))


@st.composite
def snapshots(draw: st.DrawFn, *, alike: bool = False) -> Snapshot:
    """Up to 7 hosts of up to 3 resources; sizes of 0 and hosts whose capacity shrank are among them unless alike."""
    resources = draw(st.integers(1, 3))
    amounts = st.lists(st.integers(1, 12), min_size=resources, max_size=resources)
    hosts = draw(st.integers(1, 7))
    shapes = [draw(amounts)] * hosts if alike else [draw(amounts) for _ in range(hosts)]
    room = np.array(shapes)
    flavors = draw(
        st.lists(st.lists(st.integers(0, 6), min_size=resources, max_size=resources), min_size=1, max_size=4)
    )
    sizes, where = [], []
    for host, flavor in draw(st.lists(st.tuples(st.integers(0, hosts - 1), st.sampled_from(flavors)), max_size=24)):
        if (room[host] >= flavor).all():
            room[host] -= flavor
            sizes.append(flavor)
            where.append(host)
    capacity = np.array(shapes)
    if not alike and draw(st.booleans()):
        capacity[0] = capacity[0] // 2
    return Snapshot(capacity, np.array(sizes, int).reshape(len(sizes), resources), np.array(where, int))


@st.composite
def rules(draw: st.DrawFn, fleet: Snapshot) -> npt.NDArray[np.bool_]:
    """Who may run where, shape (virtual machines, hosts); often everybody everywhere."""
    shape = len(fleet.host), len(fleet.capacity)
    if draw(st.booleans()):
        return np.ones(shape, np.bool_)
    return np.random.default_rng(draw(st.integers(0, 2**32))).random(shape) < draw(st.sampled_from([0.2, 0.5, 0.9]))


def asked(may: npt.NDArray[np.bool_]) -> Allowed:
    return lambda vm, hosts: may[vm, hosts]


def carry_out(fleet: Snapshot, moves: Iterable[Move], may: npt.NDArray[np.bool_] | None = None) -> Snapshot:
    """Does the moves one after another and sees that each could be done; returns the end."""
    used_at_first = set(fleet.host.tolist())
    for move in moves:
        assert move.source != move.target
        assert may is None or may[move.vm, move.target]
        fleet = fleet.after([move])
        assert (fleet.used()[move.target] <= fleet.capacity[move.target]).all()
        assert fleet.hosts_in_use() <= len(used_at_first)
    return fleet
