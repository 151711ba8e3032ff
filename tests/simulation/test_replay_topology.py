"""Requests keep to unequal cells, racks and hosts, and a group that is known in advance is not split."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from drover.model.placement import Resources, Strategy
from drover.sim.replay import huawei, topology
from drover.sim.replay.reading import TraceError
from drover.sim.replay.topology import Ask, CellHost, Group, Rule

STRATEGIES: tuple[Strategy, ...] = ("Pack", "Balance")


def size(vcpus: int, gib: int) -> Resources:
    return Resources(vcpus * 1000, gib * 2**30)


def host(rack: str, *cells: tuple[int, int]) -> CellHost:
    return CellHost(tuple(size(*cell) for cell in cells), rack)


def asks(count: int, vcpus: int, numa: int = 1, rule: Rule | None = None, domain: str = "") -> list[Ask]:
    """So many machines of 2 GiB a vCPU, all of one group where there is a rule."""
    group = Group(rule, "g") if rule is not None else None
    return [Ask(size(vcpus, 2 * vcpus), numa, group, domain) for _ in range(count)]


def refused(hosts: Sequence[CellHost], wanted: Sequence[Ask], *, look_ahead: bool = False) -> dict[Rule | None, int]:
    """By rule, the same under both strategies."""
    pack, balance = (dict(topology.replay(hosts, wanted, way, look_ahead=look_ahead)) for way in STRATEGIES)
    assert pack == balance
    return pack


@pytest.mark.parametrize(
    ("vcpus", "numa", "fit"),
    [
        (8, 1, 1),
        (4, 1, 2),
        (2, 1, 5),
        (4, 2, 1),
        (2, 2, 2),
        (12, 2, 0),
    ],
)
def test_each_cell_gives_what_it_has_however_unequal(vcpus: int, numa: int, fit: int) -> None:
    """Cells of 8 vCPU with 16 GiB, and of 2 vCPU with 32 GiB."""
    hosts = [host("r", (8, 16), (2, 32))]
    assert refused(hosts, asks(7, vcpus, numa)) == {None: 7 - fit}


@pytest.mark.parametrize(("rule", "count"), [("affinity", 1), ("anti-affinity", 1), ("fault_domain", 0)])
def test_groups_keep_to_racks_and_hosts(rule: Rule, count: int) -> None:
    """Three machines of half a host on two hosts: one rack holds two, two hosts hold one each, a domain holds all."""
    hosts = [host("a", (8, 16)), host("b", (8, 16))]
    assert sum(refused(hosts, asks(3, 4, rule=rule)).values()) == count


def test_fault_domains_of_a_group_share_no_rack() -> None:
    hosts = [host("a", (8, 16)), host("a", (8, 16)), host("b", (8, 16))]
    domains = [ask for domain in "012" for ask in asks(1, 2, rule="fault_domain", domain=domain)]
    assert refused(hosts, domains) == {"fault_domain": 1}


def test_looking_ahead_starts_a_group_where_all_of_it_fits() -> None:
    """Pack would start on the small rack, which is fuller once the first is there."""
    hosts = [host("small", (8, 16)), host("large", (16, 32)), host("large", (16, 32))]
    group = asks(4, 8, rule="affinity")
    assert topology.replay(hosts, group, "Pack", look_ahead=False) == {"affinity": 3}
    assert topology.replay(hosts, group, "Pack", look_ahead=True) == {}


def test_a_group_that_fits_nowhere_is_served_in_part() -> None:
    hosts = [host("small", (8, 16)), host("large", (16, 32))]
    assert topology.replay(hosts, asks(5, 8, rule="affinity"), "Pack", look_ahead=True) == {"affinity": 3}


HOSTS = ["CPU1,RAM1,CPU2,RAM2", "16,32,32,64"]
RACKS = ["host_id,rack_id", "host-0,7", "host-1,8"]
ASKS = ["flavor_vcpus,flavor_ram,numa,strategy,group,domain"]


def test_hosts_have_two_cells_and_the_rack_of_their_row() -> None:
    assert huawei.read_hosts(HOSTS, RACKS) == (host("7", (16, 32), (32, 64)),)


def test_requests_have_their_group_by_strategy() -> None:
    lines = [*ASKS, "32,64,2,,,", "8,16,1,fault_domain,0.0,1.0", "8,16,1,affinity,0.0,"]
    plain, apart, together = huawei.read_asks(lines, "case")
    assert plain == Ask(size(32, 64), 2)
    assert apart == Ask(size(8, 16), 1, Group("fault_domain", "0.0"), "1.0")
    assert together.group == Group("affinity", "0.0")


def test_more_hosts_than_racks_are_refused() -> None:
    with pytest.raises(TraceError, match=r"topology_provider.csv: 2 rows for the 3 hosts of pm_res.csv"):
        huawei.read_hosts([*HOSTS, *HOSTS[1:] * 2], RACKS)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("8,16,1,nearby,0.0,", "strategy 'nearby' is none of affinity, anti-affinity, fault_domain"),
        ("8.5,16,1,,,", "'8.5': sizes must be whole vCPUs and GiB"),
        ("8,16,1", "line 2 has 3 values, the header has 6"),
    ],
)
def test_a_request_that_cannot_be_read_is_named(row: str, message: str) -> None:
    with pytest.raises(TraceError) as failed:
        huawei.read_asks([*ASKS, row], "case")
    assert str(failed.value).startswith("case: ")
    assert message in str(failed.value)
