"""Where a pool's hosts stand: zones by weight, racks in turn, and who leaves first."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import NOW, host, placed, pool, vm, world_of

from drover.api.host import Host
from drover.api.nodepool import NodePool
from drover.control.nodepool import reconcile
from drover.control.outcome import Create, PatchSpec
from drover.control.spreading import Place, leavers, place_of_host, places
from drover.control.world import World

ZONES = st.lists(st.tuples(st.integers(1, 4), st.sampled_from([None, 1, 2, 3, 12])), min_size=1, max_size=4).map(
    lambda zones: [{"name": f"z{n}", "weight": w} | ({"racks": r} if r else {}) for n, (w, r) in enumerate(zones)]
)


def standing(item: NodePool, number: int) -> list[Host]:
    """The first hosts of a pool, as it deals them."""
    return [
        host(f"p1-{index}", failure_domain=place.zone, rack=place.rack)
        for index, place in enumerate(islice(places(item, []), number))
    ]


def made(item: NodePool, *hosts: Host) -> list[tuple[str, str | None, str | None]]:
    children = reconcile(item, world_of(item, *hosts), NOW).children
    created = [c.resource for c in children if isinstance(c, Create) and isinstance(c.resource, Host)]
    return [(one.name, *place_of_host(one)) for one in created]


def leaving(item: NodePool, world: World) -> list[str]:
    return [child.resource.name for child in reconcile(item, world, NOW).children if isinstance(child, PatchSpec)]


# Coming


def test_hosts_of_a_zone_are_dealt_over_its_racks_in_turn() -> None:
    item = pool(replicas=7, failure_domains=[{"name": "a", "racks": 2}, {"name": "b"}])
    assert made(item) == [
        ("p1-0", "a", "r1"),
        ("p1-1", "b", None),
        ("p1-2", "a", "r2"),
        ("p1-3", "b", None),
        ("p1-4", "a", "r1"),
        ("p1-5", "b", None),
        ("p1-6", "a", "r2"),
    ]
    assert made(pool(replicas=1)) == [("p1-0", None, None)]


def test_hosts_keep_their_racks_and_new_ones_fill_the_emptiest() -> None:
    item = pool(replicas=5, failure_domains=[{"name": "a", "racks": 3}])
    moved = [host("p1-0", failure_domain="a", rack="r2"), host("p1-1", failure_domain="a", rack="r2")]
    assert made(item, *moved) == [("p1-2", "a", "r1"), ("p1-3", "a", "r3"), ("p1-4", "a", "r1")]


def test_the_event_says_where_a_new_host_stands() -> None:
    item = pool(replicas=1, failure_domains=[{"name": "a", "racks": 2}])
    outcome = reconcile(item, world_of(item), NOW)
    assert [event.message for event in outcome.events] == ["host p1-0 in a, rack r1"]


@given(zones=ZONES, number=st.integers(0, 60))
def test_racks_of_a_zone_differ_by_at_most_one_host(zones: list[dict[str, Any]], number: int) -> None:
    found = Counter(islice(places(pool(failure_domains=zones), []), number))
    for zone in zones:
        racks = [Place(zone["name"], f"r{n}") for n in range(1, zone.get("racks", 0) + 1)] or [Place(zone["name"])]
        assert sum(found[place] for place in racks) == sum(
            n for place, n in found.items() if place.zone == zone["name"]
        )
        assert max(found[place] for place in racks) - min(found[place] for place in racks) <= 1


# Going


@given(zones=ZONES, number=st.integers(0, 40), fewer=st.integers(0, 40))
def test_a_pool_of_empty_hosts_shrinks_the_way_it_grew(zones: list[dict[str, Any]], number: int, fewer: int) -> None:
    hosts = standing(pool(failure_domains=zones), number)
    left = max(number - fewer, 0)
    item = pool(replicas=left, failure_domains=zones)
    assert set(leaving(item, world_of(item, *hosts))) == {one.name for one in hosts[left:]}


@given(data=st.data(), zones=ZONES, number=st.integers(1, 30))
def test_whoever_is_empty_everybody_leaves_once_the_empty_ones_first(
    data: st.DataObject, zones: list[dict[str, Any]], number: int
) -> None:
    hosts = standing(pool(failure_domains=zones), number)
    empty = [one for one in hosts if data.draw(st.booleans())]
    loaded = [one for one in hosts if one not in empty]
    order = list(leavers(pool(failure_domains=zones), hosts, (empty, loaded)))
    assert sorted(one.name for one in order) == sorted(one.name for one in hosts)
    assert {one.name for one in order[: len(empty)]} == {one.name for one in empty}
    weights = {zone["name"]: zone["weight"] for zone in zones}
    left, candidates = Counter(one.spec.failure_domain for one in hosts), list(hosts)
    for one in order:
        alike = [other for other in candidates if (other in empty) == (one in empty)]
        shares = {z: left[z] / weights[z] for z in {other.spec.failure_domain or "" for other in alike}}
        assert shares[one.spec.failure_domain or ""] == max(shares.values())
        left[one.spec.failure_domain] -= 1
        candidates.remove(one)


@pytest.mark.parametrize(
    ("loads", "replicas", "expected"),
    [
        # Zone a has p1-0 and p1-2 (r1) and p1-4 (r2), b has p1-1 and p1-3.
        ({}, 4, ["p1-2"]),
        ({0: 1, 2: 1, 4: 1, 1: 1}, 4, ["p1-3"]),  # the only empty one, though b has fewer
        ({0: 9, 2: 8, 4: 1, 1: 1, 3: 1}, 4, ["p1-2"]),  # of the fuller rack the one with the least memory
        ({0: 9, 2: 8, 4: 1, 1: 1, 3: 2}, 3, ["p1-2", "p1-1"]),
        ({0: 9, 2: 8, 4: 1, 1: 1, 3: 2}, 2, ["p1-2", "p1-1", "p1-4"]),
    ],
)
def test_zones_and_racks_stay_as_even_as_they_can(loads: dict[int, int], replicas: int, expected: list[str]) -> None:
    zones = [{"name": "a", "racks": 2}, {"name": "b", "racks": 1}]
    racks = [("a", "r1"), ("b", "r1"), ("a", "r1"), ("b", "r1"), ("a", "r2")]
    hosts = [host(f"p1-{n}", failure_domain=zone, rack=rack) for n, (zone, rack) in enumerate(racks)]
    vms = [vm(f"{n}", status=placed(f"p1-{n}", memory=f"{load}Gi")) for n, load in loads.items()]
    item = pool(replicas=replicas, failure_domains=zones)
    assert leaving(item, world_of(item, *hosts, *vms)) == expected


def test_hosts_of_a_zone_that_the_pool_no_longer_has_go_first() -> None:
    item = pool(replicas=2, failure_domains=[{"name": "a"}])
    hosts = [host("p1-0", failure_domain="old"), host("p1-1", failure_domain="a"), host("p1-2", failure_domain="a")]
    assert leaving(item, world_of(item, *hosts)) == ["p1-0"]
