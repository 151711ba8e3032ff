"""How many more fit, now and after a host has failed, and how many hosts may fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from placement_cases import FLEETS, REQUESTS, STEPS, Step, Story, told_of

from drover.model.placement import Claim, HostRow, Ledger, Refused, Request, Reserve, Resources, Taint, decide
from drover.model.placement.whatif import (
    Headroom,
    Loss,
    hardest_to_lose,
    headroom,
    stranded,
    tolerated,
    trial,
    worst_loss,
)
from drover.model.placement.whatif.failover import evacuate, fullest_first

HISTORIES = st.lists(STEPS, max_size=8)
ALONE = REQUESTS.map(lambda request: replace(request, terms=(), marks=frozenset()))
"""Requests that do not look at who else is there: terms change what fits with each that is placed."""
MANY = 30


def told(fleet: list[HostRow], steps: list[Step]) -> Story:
    story = Story()
    for step in (*fleet, *steps):
        story.take(step)
    return story


def residents_of(story: Story, host: str) -> Mapping[str, Request]:
    return {uid: found.request for uid, found in story.residents.items() if found.host == host}


def placed_in_turn(ledger: Ledger, request: Request) -> int:
    """How many fit, told by placing them."""
    with trial(ledger) as attempt:
        count = 0
        while count <= MANY and attempt.place(f"more-{count}", request) is not None:
            count += 1
        return count


# How many more fit


@settings(max_examples=100)
@given(fleet=FLEETS, steps=HISTORIES, request=ALONE)
def test_as_many_fit_as_can_be_placed_one_after_another(
    fleet: list[HostRow], steps: list[Step], request: Request
) -> None:
    story = told(fleet, steps)
    before = told_of(story.ledger)
    found = headroom(story.ledger, request)
    assert (found.fits == 0) == isinstance(decide(story.ledger, request), Refused)
    assume(found.fits <= MANY)
    count = placed_in_turn(story.ledger, request)
    # What is held back is counted by sums, on the cautious side where hosts of a pool promise threads differently.
    assert found.fits == count or (story.ledger.reserves and found.fits < count)
    assert told_of(story.ledger) == before


@pytest.mark.parametrize(
    ("request_", "fits", "limiting"),
    [
        (Request(Resources(1_000, 10)), 8 + 4, "cpu"),
        (Request(Resources(500, 50)), 2 + 1, "memory"),
        (Request(Resources(500, 10, 40)), 2 + 2, "disk"),
        (Request(Resources(100, 1, gpus=(("a100", 2),))), 2, "a100"),
        (Request(Resources(9_000, 10)), 0, "cpu"),
        (Request(Resources(1_000, 10), required_traits=frozenset({"SGX"})), 0, None),
        (Request(Resources(1_000, 10), pool="p2"), 0, None),
    ],
)
def test_what_runs_out_first_is_named_unless_no_host_would_do_anyway(
    request_: Request, fits: int, limiting: str | None
) -> None:
    ledger = Ledger()
    total = Resources(8_000, 100, 80, gpus=(("a100", 4),))
    for name in ("h1", "h2"):
        ledger.upsert(HostRow(name, "p1", total))
    ledger.upsert(HostRow("h3", "p1", total, blocked="cordoned"))
    ledger.set_claims("there", {("u1", "h2"): Claim(Resources(4_000, 50, gpus=(("a100", 4),)))})
    assert headroom(ledger, request_) == Headroom(fits, limiting)


@pytest.mark.parametrize(
    ("reserve", "unreserved", "fits"),
    [
        (Reserve(1), False, 10),
        (Reserve(2), False, 0),
        (Reserve(percent=25), False, 15),
        (Reserve(1), True, 20),
    ],
)
def test_what_a_pool_holds_back_does_not_count_unless_it_may_be_used(
    reserve: Reserve, unreserved: bool, fits: int
) -> None:
    """Of 200 in p1 so much is held back; there is room for 5 in p2, which holds nothing back."""
    ledger = fleet(2, memory=100)
    ledger.reserves["p1"] = reserve
    ledger.upsert(HostRow("p2-1", "p2", Resources(100_000, 50)))
    assert headroom(ledger, Request(Resources(memory=10), unreserved=unreserved)).fits == 5 + fits


# After a host has failed


def fleet(hosts: int, memory: int = 10, **more: object) -> Ledger:
    ledger = Ledger()
    for number in range(1, hosts + 1):
        ledger.upsert(HostRow(f"p1-{number}", "p1", Resources(100_000, memory), **more))  # type: ignore[arg-type]
    return ledger


def settle(ledger: Ledger, host: str, *memory: int) -> dict[str, Request]:
    """Virtual machines of these sizes on a host."""
    found = {f"{host}/{number}": Request(Resources(memory=size)) for number, size in enumerate(memory)}
    for uid, request in found.items():
        ledger.set_claims(uid, {(uid, host): request.claim()})
    return found


def test_after_the_loss_of_a_host_its_machines_take_room_on_the_others() -> None:
    ledger = fleet(3)
    there = {"p1-1": settle(ledger, "p1-1", 4, 4), "p1-2": settle(ledger, "p1-2", 1)}
    one = Request(Resources(memory=1))
    assert headroom(ledger, one).fits == 21
    assert worst_loss(ledger, one, lambda host: there.get(host, {})) == Loss(11, "p1-3")


def test_nothing_more_fits_where_the_machines_of_a_lost_host_do_not() -> None:
    ledger = fleet(3)
    there = {"p1-1": settle(ledger, "p1-1", 8), "p1-2": settle(ledger, "p1-2", 3), "p1-3": settle(ledger, "p1-3", 3)}
    loss = worst_loss(ledger, Request(Resources(memory=1)), lambda host: there[host])
    assert loss == Loss(0, "p1-1", 1)


def test_of_unequal_hosts_the_largest_is_lost() -> None:
    ledger = fleet(2)
    ledger.upsert(HostRow("p1-3", "p1", Resources(100_000, 30)))
    assert worst_loss(ledger, Request(Resources(memory=1)), lambda _: {}) == Loss(20, "p1-3")


def test_pools_that_the_request_may_not_go_to_do_not_count() -> None:
    ledger = fleet(2)
    ledger.upsert(HostRow("gpu-1", "gpu", Resources(100_000, 10), taints=(Taint("gpu"),)))
    there = {"gpu-1": settle(ledger, "gpu-1", 10)}
    loss = worst_loss(ledger, Request(Resources(memory=1)), lambda host: there.get(host, {}))
    assert loss.fits == 10


def test_what_is_held_back_for_failover_is_there_after_a_failure() -> None:
    ledger = fleet(3)
    ledger.reserves["p1"] = Reserve(1)
    one = Request(Resources(memory=1))
    assert headroom(ledger, one).fits == 20
    assert worst_loss(ledger, one, lambda _: {}).fits == 20


@settings(max_examples=100)
@given(fleet=FLEETS, steps=HISTORIES, request=ALONE.map(lambda request: replace(request, pool=None, hosts=None)))
def test_no_host_costs_more_than_the_worst_one_and_trying_leaves_no_trace(
    fleet: list[HostRow], steps: list[Step], request: Request
) -> None:
    story = told(fleet[:6], steps)
    before = told_of(story.ledger)
    after = replace(request, unreserved=True)
    allowed = {host.pool for host in story.ledger.table.rows if host.name in _eligible(story.ledger, request)}
    hosts = [row for row in story.ledger.table.rows if row.pool in allowed and row.blocked is None]
    losses = []
    for row in hosts:
        with trial(story.ledger) as attempt:
            left = evacuate(attempt, [row.name], lambda host: residents_of(story, host))
            losses.append(0 if left else headroom(story.ledger, after).fits)
    found = worst_loss(story.ledger, request, lambda host: residents_of(story, host))
    few = all(sum(row.pool == pool for row in hosts) <= 3 for pool in allowed)
    assert min(losses, default=0) == found.fits or (not few and min(losses) < found.fits)
    assert found.fits <= headroom(story.ledger, after).fits
    assert told_of(story.ledger) == before


def _eligible(ledger: Ledger, request: Request) -> frozenset[str]:
    return ledger.eligible(request.signature.constraints, "Host")


# How many hosts may fail


def test_hosts_are_the_fullest_by_memory_then_by_vcpus_then_in_natural_order() -> None:
    ledger = fleet(12)
    settle(ledger, "p1-2", 5)
    ledger.set_claims("a", {("a", "p1-10"): Claim(Resources(1_000, 5))})
    ledger.set_claims("b", {("b", "p1-11"): Claim(Resources(500, 5, milli_threads=600))})
    first = fullest_first(ledger, ["p1-9", "gone", *(f"p1-{number}" for number in (10, 11, 12, 2, 1))])
    assert first == ["p1-11", "p1-10", "p1-2", "p1-1", "p1-9", "p1-12"]


def test_the_host_of_the_largest_machine_is_among_those_hardest_to_lose() -> None:
    ledger = fleet(20, memory=20)
    there = {}
    for number in range(1, 20):
        there |= {f"p1-{number}": settle(ledger, f"p1-{number}", *[1] * 10)}
    there["p1-20"] = settle(ledger, "p1-20", 9)
    hosts = [row.name for row in ledger.table.rows]
    assert "p1-20" in hardest_to_lose(ledger, hosts)
    assert len(hardest_to_lose(ledger, hosts)) <= 8
    assert hardest_to_lose(ledger, hosts, most=12)[:12] == fullest_first(ledger, hosts)[:12]
    ledger.set_claims("more", {(f"more-{n}", f"p1-{n}"): Claim(Resources(memory=2)) for n in range(1, 20)})
    assert tolerated(ledger, fullest_first(ledger, hosts)[:4], lambda host: there[host], 1) == 1
    assert tolerated(ledger, hardest_to_lose(ledger, hosts), lambda host: there[host], 1) == 0


@pytest.mark.parametrize(("load", "failures"), [(0, 9), (1, 9), (3, 7), (5, 5), (9, 1), (10, 0)])
def test_as_many_hosts_are_tolerated_as_the_rest_makes_up_for(load: int, failures: int) -> None:
    """Ten hosts of 10, each with machines of 1: n may fail while 10 x load fits on the 10 - n that are left."""
    ledger = fleet(10)
    there = {f"p1-{n}": settle(ledger, f"p1-{n}", *[1] * load) for n in range(1, 11)}
    hosts = [row.name for row in ledger.table.rows]
    for most in range(1, 11):
        expected = min(failures, most) if load else min(10, most)
        assert tolerated(ledger, hosts, lambda host: there[host], most) == expected
        assert bool(stranded(ledger, hosts[:most], lambda host: there[host])) == (load > 0 and most > failures)


def test_no_hosts_tolerate_no_failure() -> None:
    assert tolerated(Ledger(), [], lambda _: {}, 1) == 0
