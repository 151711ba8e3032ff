"""Where the hosts of a pool stand: evenly over its zones, by their weights, and over the racks of each zone.

Hosts leave in the contrary order, so that a pool that grows and shrinks again is as even as before.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from math import inf
from typing import NamedTuple

from drover.api.host import Host
from drover.api.nodepool import NodePool
from drover.model.placement.hosts import natural_key


class Place(NamedTuple):
    """A zone and a rack in it; None where there is none."""

    zone: str | None = None
    rack: str | None = None


def places(pool: NodePool, hosts: Iterable[Host]) -> Iterator[Place]:
    """Where the next hosts go, without end. Those that are there already stay where they are.

    The zone furthest below its share, by the next host each would get for its weight, and of its racks the one with
    the fewest hosts; the first of equal ones.
    """
    in_zone, in_rack = _counts(hosts)
    domains = pool.spec.failure_domains
    racks = {
        domain.name: [(in_rack[Place(domain.name, f"r{number}")], number) for number in range(1, domain.racks + 1)]
        for domain in domains
        if domain.racks is not None
    }
    for heap in racks.values():
        heapify(heap)
    while True:
        zone = min(domains, key=lambda domain: (in_zone[domain.name] + 1) / domain.weight).name if domains else None
        in_zone[zone] += 1
        if zone in racks:
            count, number = racks[zone][0]
            heapreplace(racks[zone], (count + 1, number))
            yield Place(zone, f"r{number}")
        else:
            yield Place(zone)


def leavers(pool: NodePool, staying: Iterable[Host], by_preference: Iterable[Sequence[Host]]) -> Iterator[Host]:
    """The hosts of ``staying`` in the order in which they leave: all of one class of ``by_preference``, then the next.

    Of a class, from the zone furthest above its share, and there from the rack with the most hosts; the last of equal
    ones. Zones that the pool no longer has go first. Of one rack, in the order given.
    """
    in_zone, in_rack = _counts(staying)
    order = {domain.name: (number, domain.weight) for number, domain in enumerate(pool.spec.failure_domains)}

    def above_its_share(zone: str | None) -> tuple[float, int]:
        number, weight = order.get(zone or "", (-1, 0))
        return in_zone[zone] / weight if weight else inf, number

    for hosts in by_preference:
        queues = _by_place(hosts)
        racks: dict[str | None, list[tuple[int, int, Place]]] = {}
        for number, place in enumerate(queues):
            heappush(racks.setdefault(place.zone, []), (-in_rack[place], -number, place))
        while racks:
            zone = max(racks, key=above_its_share)
            count, number, place = heappop(racks[zone])
            in_zone[zone] -= 1
            in_rack[place] -= 1
            yield queues[place].popleft()
            if queues[place]:
                heappush(racks[zone], (count + 1, number, place))
            elif not racks[zone]:
                del racks[zone]


def place_of_host(host: Host) -> Place:
    return Place(host.spec.failure_domain, host.spec.rack)


def _counts(hosts: Iterable[Host]) -> tuple[Counter[str | None], Counter[Place]]:
    in_rack = Counter(map(place_of_host, hosts))
    in_zone: Counter[str | None] = Counter()
    for place, count in in_rack.items():
        in_zone[place.zone] += count
    return in_zone, in_rack


def _by_place(hosts: Iterable[Host]) -> dict[Place, deque[Host]]:
    """The hosts of each place, the places in natural order."""
    found: dict[Place, deque[Host]] = {}
    for host in hosts:
        found.setdefault(place_of_host(host), deque()).append(host)
    return dict(sorted(found.items(), key=lambda item: natural_key(item[0].rack or "")))
