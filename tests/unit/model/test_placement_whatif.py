"""Questions answered by trying: what they say is true, and nothing is left of the trying."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from drover.model.placement import (
    Affinity,
    AntiAffinity,
    Claim,
    HostRow,
    Ledger,
    Placed,
    Ratios,
    Request,
    Reserve,
    Resources,
    Taint,
    decide,
    pick,
)
from drover.model.placement.whatif import (
    Alternative,
    Victim,
    evict_for,
    place_together,
    stranded,
    tolerated,
    trial,
    would_fit_if,
)

GIB = 2**30


def size(cpu: int, gib: int | None = None) -> Resources:
    return Resources(1_000 * cpu, (gib if gib is not None else cpu) * GIB)


def host(number: int, cpu: int = 8, **fields: object) -> HostRow:
    known: dict[str, object] = {"failure_domain": f"z{number % 2}", "ratios": Ratios(cpu=Fraction(1))}
    return HostRow(f"h-{number}", "p", size(cpu), **(known | fields))  # type: ignore[arg-type]


def ledger_of(*rows: HostRow, **claims: tuple[str, Resources]) -> Ledger:
    """Hosts, and who claims what: uid = (host, amounts)."""
    ledger = Ledger()
    for row in rows:
        ledger.upsert(row)
    for uid, (name, amounts) in claims.items():
        ledger.set_claims(uid, {(uid, name): Claim(amounts)})
    return ledger


# Trials


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["place", "withdraw", "block", "undo"]), st.integers(0, 5)), max_size=12))
def test_nothing_is_left_of_a_trial_to_the_bit(steps: list[tuple[str, int]]) -> None:
    ledger = ledger_of(*(host(n) for n in range(4)), a=("h-0", size(2)), b=("h-1", size(5)), c=("h-1", size(1)))
    wanted = [Request(size(1)), Request(size(3)), Request(size(8))]
    rows = [ledger.table.scores.row(request.signature).copy() for request in wanted]
    held = {row.name: dict(ledger.claims_on(row.name)) for row in ledger.table.rows}
    with trial(ledger) as attempt:
        for step, number in steps:
            match step:
                case "place":
                    attempt.place(f"new-{number}", wanted[number % 3])
                case "withdraw":
                    attempt.withdraw("abc"[number % 3], "h-0" if number % 3 == 0 else "h-1")
                case "block":
                    attempt.block(f"h-{number % 4}", None if number > 3 else "failed")
                case _:
                    attempt.undo(min(number, attempt.changes))
    assert {row.name: dict(ledger.claims_on(row.name)) for row in ledger.table.rows} == held
    for request, row in zip(wanted, rows, strict=True):
        assert np.array_equal(ledger.table.scores.row(request.signature), row)


# Failover


def test_those_who_find_no_host_when_one_fails_are_named_largest_first_to_choose() -> None:
    ledger = ledger_of(*(host(n) for n in range(3)), a=("h-0", size(5)), b=("h-0", size(3)), c=("h-1", size(4)))
    ledger.set_claims("d", {("d", "h-2"): Claim(size(2))})
    requests = {"a": Request(size(5), leaves="h-0"), "b": Request(size(3), leaves="h-0")}
    assert stranded(ledger, ["h-0"], lambda _: requests) == []
    ledger.set_claims("e", {("e", "h-2"): Claim(size(3))})
    assert stranded(ledger, ["h-0"], lambda _: requests) == ["a"]


def test_a_vm_that_must_be_beside_another_is_stranded_when_its_zone_is_full() -> None:
    beside = Affinity("pair", "FailureDomain", own=True)
    marked = Claim(size(8), marks=frozenset({"pair"}))
    ledger = ledger_of(host(0), host(1), host(2))  # zones z0, z1, z0
    for uid, name in (("a", "h-0"), ("b", "h-2")):
        ledger.set_claims(uid, {(uid, name): marked})
    request = Request(size(8), terms=(beside,), marks=frozenset({"pair"}), leaves="h-0")
    assert stranded(ledger, ["h-0"], lambda _: {"a": request}) == ["a"]


@pytest.mark.parametrize(("used", "most", "failures"), [(2, 3, 3), (4, 3, 2), (5, 3, 0), (6, 3, 0), (0, 2, 2)])
def test_as_many_hosts_may_fail_as_leave_nobody_stranded(used: int, most: int, failures: int) -> None:
    names = [f"h-{number}" for number in range(4)]
    ledger = ledger_of(*(host(n) for n in range(4)))
    for name in names:
        ledger.set_claims(name, {(name, name): Claim(size(used))})
    assert tolerated(ledger, names, lambda name: {name: Request(size(used), leaves=name)}, most) == failures


# Groups


def test_a_group_that_must_be_together_goes_where_all_of_it_fits() -> None:
    # h-0 is the best host for one member (Balance), but its zone has room for four only.
    ledger = ledger_of(host(0, 16), host(1), host(3), host(5))
    bond = Affinity("gang", "FailureDomain", own=True)
    member = Request(size(4), terms=(bond,), marks=frozenset({"gang"}))
    assert pick(ledger, member) == "h-0"
    placed = place_together(ledger, {f"m{number}": member for number in range(6)})
    assert len(placed) == 6
    assert {ledger.table.known[name].failure_domain for name in placed.values()} == {"z1"}


def test_large_members_of_a_group_kept_apart_choose_first() -> None:
    ledger = ledger_of(host(0, 8), host(1, 4, strategy="Pack"))
    apart = AntiAffinity("gang", "Host")
    small, large = (Request(size(cpu), terms=(apart,), marks=frozenset({"gang"})) for cpu in (1, 8))
    assert pick(ledger, small) == "h-0"
    assert place_together(ledger, {"a": small, "b": large}) == {"b": "h-0", "a": "h-1"}


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 8), min_size=2, max_size=5),
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    st.sampled_from(["Host", "FailureDomain", None]),
)
def test_what_is_planned_for_a_group_can_be_carried_out_and_is_no_less_than_without_looking_ahead(
    hosts: list[int], members: list[int], topology: str | None
) -> None:
    ledger = ledger_of(*(host(number, cpu) for number, cpu in enumerate(hosts)))
    terms = (Affinity("gang", topology, own=True),) if topology else ()  # type: ignore[arg-type]
    gang = {f"m{n}": Request(size(cpu), terms=terms, marks=frozenset({"gang"})) for n, cpu in enumerate(members)}
    planned = place_together(ledger, gang)
    largest_first = sorted(gang, key=lambda uid: (-gang[uid].resources.memory, uid))
    with trial(ledger) as attempt:
        greedy = [uid for uid in largest_first if attempt.place(uid, gang[uid]) is not None]
    assert len(planned) >= len(greedy)
    for uid in largest_first:
        if uid in planned:
            decision = decide(ledger, gang[uid], planned[uid])
            assert isinstance(decision, Placed)
            assert decision.host == planned[uid]
            ledger.set_claims(uid, {(uid, decision.host): gang[uid].claim()})
    assert ledger.overcommitted() == []


# Preemption


def test_the_least_important_go_and_no_more_than_needed() -> None:
    ledger = ledger_of(
        *(host(n) for n in range(2)),
        a=("h-0", size(4)),
        b=("h-0", size(2)),
        c=("h-0", size(2)),
        d=("h-1", size(8)),
    )
    there = {"h-0": [Victim("a", 5), Victim("b", 1), Victim("c", 3)], "h-1": [Victim("d", 9)]}
    eviction = evict_for(ledger, Request(size(3)), there)
    assert eviction is not None
    assert (eviction.host, sorted(eviction.victims)) == ("h-0", ["b", "c"])
    assert evict_for(ledger, Request(size(9)), there) is None


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.integers(-5, 5)), min_size=5, max_size=15),
    st.integers(2, 4),
)
def test_stopping_the_victims_makes_room_and_none_of_them_could_be_spared(
    machines: list[tuple[int, int, int]], wanted: int
) -> None:
    ledger = ledger_of(*(host(n, 4) for n in range(3)))
    victims: dict[str, list[Victim]] = {}
    for number, (where, cpu, priority) in enumerate(machines):
        if ledger.allocated(f"h-{where}").milli_cpu + 1_000 * cpu <= 4_000:
            ledger.set_claims(f"v{number}", {(f"v{number}", f"h-{where}"): Claim(size(cpu))})
            victims.setdefault(f"h-{where}", []).append(Victim(f"v{number}", priority))
    request = Request(size(wanted))
    eviction = evict_for(ledger, request, victims)
    assume(pick(ledger, request) is None)
    assert eviction is not None, "an empty host would do"
    there = replace(request, hosts=frozenset({eviction.host}))

    def fits_without(stopped: tuple[str, ...]) -> bool:
        with trial(ledger) as attempt:
            for uid in stopped:
                attempt.withdraw(uid, eviction.host)
            return pick(ledger, there) is not None

    assert fits_without(eviction.victims)
    for spared in eviction.victims:
        assert not fits_without(tuple(uid for uid in eviction.victims if uid != spared))


# What would make it fit


def test_each_single_change_that_helps_is_told_with_the_hosts_it_brings() -> None:
    rows = (
        host(0, labels={"disk": "ssd"}, taints=(Taint("gpu"),)),
        host(1, blocked="cordoned", labels={"disk": "ssd"}),
        host(2, traits=frozenset({"FAST"})),
    )
    ledger = ledger_of(*rows)
    wanted = Request(size(8), node_selector={"disk": "ssd"})
    smaller = Alternative("flavor small instead of large", replace(wanted, resources=size(1)))
    assert would_fit_if(ledger, wanted, [smaller]) == (
        "without node selector disk=ssd: 1 host",
        "tolerating taint gpu:NoSchedule: 1 host",
        "uncordon h-1",
        "one more host like h-1 in pool p",
    )
    no_room = ledger_of(host(0), host(1), a=("h-0", size(7)), b=("h-1", size(7)))
    small = Alternative("flavor small instead of large", Request(size(1)))
    told = would_fit_if(no_room, Request(size(2)), [small])
    assert told == ("flavor small instead of large: 2 hosts", "one more host like h-0 in pool p")


def test_what_is_held_back_and_who_is_there_are_told_too() -> None:
    ledger = ledger_of(host(0), host(1))
    ledger.reserves["p"] = Reserve(host_failures=1)
    ledger.set_claims("a", {("a", "h-0"): Claim(size(8), marks=frozenset({"web"}))})
    term = AntiAffinity("web", "FailureDomain", told="anti-affinity to app=web by FailureDomain")
    assert would_fit_if(ledger, Request(size(1)))[0] == "with what is held back for failover: 1 host"
    ledger.reserves.clear()
    ledger.set_claims("b", {("b", "h-1"): Claim(size(1), marks=frozenset({"web"}))})
    assert would_fit_if(ledger, Request(size(1), terms=(term,))) == (
        "without anti-affinity to app=web by FailureDomain: 1 host",
    )
