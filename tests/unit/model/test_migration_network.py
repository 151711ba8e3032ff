"""Moves that share the cards of their hosts: equal shares, work conserved, and each pass as the shares make it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.migration import (
    PRESETS,
    Card,
    Cyclic,
    Ended,
    Hypervisor,
    Memory,
    Network,
    Passes,
    Rest,
    Route,
    Setting,
    begin,
    passes_share,
    run,
)

GIB = 1 << 30
PAGE = 4096
INSTANT = Hypervisor(device_state=0.0, setup=0.0)
TEXTBOOK = PRESETS["textbook"]
A, B, C = (Card(name, 1e9, 0.8e9) for name in ("a/out", "b/in", "c/in"))


def idle(gib: float = 1.0) -> Memory:
    return Memory(gib * GIB / PAGE)


def busy(rate: float, gib: float = 1.0) -> Memory:
    """Writes so many bytes a second, all over."""
    pages = gib * GIB / PAGE
    return Memory(pages, dirty=(Cyclic(pages, rate / PAGE),))


def passes(name: str, route: Route, memory: Memory) -> Passes:
    given_ = Setting(memory, route.alone, TEXTBOOK, INSTANT)
    return Passes(name, route, given_, begin(given_))


def ends(network: Network) -> dict[str, float]:
    """When each leg ends, if nothing else begins."""
    found: dict[str, float] = {}
    while network.next_at < math.inf:
        ended = network.advance(network.next_at)
        if ended is not None:
            found[ended.leg.name] = ended.at
    return found


def test_alone_it_takes_what_a_course_takes() -> None:
    route, memory = Route((A, B)), busy(50e6)
    network = Network()
    network.join(passes("x", route, memory), 0.0)
    course = run(Setting(memory, route.alone, TEXTBOOK, INSTANT))
    assert ends(network)["x"] == pytest.approx(course.cancellable_until)


def test_two_share_a_card_until_one_has_ended_and_then_the_other_has_all_of_it() -> None:
    network = Network()
    network.join(Rest("small", Route((A, B)), 1e9), 0.0)
    network.join(Rest("large", Route((A, C)), 3e9), 0.0)
    # 2 s at half the line for both; then the large one has 2 GB left at the whole of it.
    assert ends(network) == pytest.approx({"small": 2.0, "large": 4.0})


def test_what_begins_in_between_slows_what_is_under_way_from_then_on() -> None:
    network = Network()
    network.join(Rest("first", Route((A, B)), 2e9), 0.0)
    assert network.advance(1.0) is None
    network.join(Rest("second", Route((A, C)), 0.5e9), 1.0)
    assert ends(network) == pytest.approx({"second": 2.0, "first": 2.5})


def test_passes_leave_a_part_of_the_card_and_the_last_phase_takes_it() -> None:
    network = Network()
    network.join(passes("p", Route((A, B)), idle()), 0.0)
    network.join(Rest("r", Route((A, C)), 1e9), 0.0)
    assert network.advance(0.5) is None
    leg = network.look("p")
    assert isinstance(leg, Passes)
    # Max-min over a line of 1 GB/s: half each, for passes may use 0.8 of it.
    assert leg.given.link.bandwidth == pytest.approx(0.5e9)
    assert passes_share([Route((A, B)), Route((A, C))]) == pytest.approx(0.4e9)


def test_one_that_began_in_the_past_catches_up_and_disturbs_nobodys_past() -> None:
    network = Network()
    network.join(Rest("there", Route((A, B)), 10e9), 0.0)
    assert network.advance(4.0) is None
    network.join(Rest("late", Route((A, C)), 1e9), 2.0)
    leg = network.look("there")
    assert isinstance(leg, Rest)
    assert leg.bytes == pytest.approx(6e9)
    # At half the line it needed 2 s: it is over as soon as anyone looks, at the instant at which it was.
    assert network.advance(4.0) == Ended(pytest.approx(4.0), leg=network_leg("late"))


def network_leg(name: str) -> object:
    """Equal to any leg of that name."""

    class Named:
        def __eq__(self, other: object) -> bool:
            return getattr(other, "name", None) == name

    return Named()


def test_one_that_is_taken_out_gives_its_share_back() -> None:
    network = Network()
    network.join(Rest("stays", Route((A, B)), 2e9), 0.0)
    network.join(Rest("goes", Route((A, C)), 2e9), 0.0)
    assert network.advance(2.0) is None
    gone = network.leave("goes")
    assert isinstance(gone, Rest)
    assert gone.bytes == pytest.approx(1e9)
    assert network.leave("goes") is None
    assert ends(network) == pytest.approx({"stays": 3.0})


def test_where_there_is_no_bandwidth_nothing_ends() -> None:
    network = Network()
    network.join(Rest("x", Route((replace(A, line=0.0), B)), 1e9), 0.0)
    assert network.advance(86400.0) is None


def test_a_crowd_can_keep_a_guest_from_converging_that_converges_alone() -> None:
    """The stop rule sees the share: d/(B/k) is above 1 where d/B is not."""
    memory, route = busy(300e6, 4.0), Route((A, B))
    capped = replace(TEXTBOOK, max_passes=30)
    alone = run(Setting(memory, route.alone, capped, INSTANT))
    crowded = Route((A, B), cap=0.8e9 / 3)
    assert alone.verdict == "Converges"
    assert run(Setting(memory, crowded.alone, capped, INSTANT)).verdict != "Converges"


@given(st.integers(1, 8), st.floats(0.1, 8.0))
def test_idle_guests_of_one_size_take_as_long_together_as_one_after_the_other(count: int, gib: float) -> None:
    route, together = Route((A, B)), Network()
    for number in range(count):
        together.join(passes(str(number), route, idle(gib)), 0.0)
    alone = Network()
    alone.join(passes("x", route, idle(gib)), 0.0)
    assert max(ends(together).values()) == pytest.approx(count * ends(alone)["x"])


@given(st.integers(2, 5), st.floats(1e6, 150e6))
def test_one_after_the_other_is_never_later_than_together_where_memory_is_written(count: int, rate: float) -> None:
    """k M/(B - d) <= k M/(B - k d): the passes of a crowd are longer, so more is dirtied in each."""
    route, together, alone = Route((A, B)), Network(), Network()
    for number in range(count):
        together.join(passes(str(number), route, busy(rate)), 0.0)
    alone.join(passes("x", route, busy(rate)), 0.0)
    limit = TEXTBOOK.max_downtime or 0.0
    assert max(ends(together).values()) >= count * (ends(alone)["x"] - limit) - 1e-6


cards = st.lists(st.sampled_from([A, B, C, Card("d/in", 2e9, 1e9), Card("wan", 0.1e9, 0.1e9)]), min_size=1, unique=True)


@given(st.lists(st.tuples(cards, st.floats(1e6, 5e9), st.floats(0.0, 20.0)), min_size=1, max_size=8))
def test_every_byte_is_sent_and_no_card_carries_more_than_it_can(
    sent: list[tuple[list[Card], float, float]],
) -> None:
    network, found, routes = Network(), dict[str, float](), dict[str, tuple[Card, ...]]()
    for number, (crossed, size, start) in enumerate(sorted(sent, key=lambda row: row[2])):
        while (ended := network.advance(start)) is not None:
            found[ended.leg.name] = ended.at
        routes[str(number)] = tuple(crossed)
        network.join(Rest(str(number), Route(tuple(crossed)), size), start)
    found |= ends(network)
    assert len(found) == len(sent)
    for card in {card for crossed in routes.values() for card in crossed}:
        over = [name for name, crossed in routes.items() if card in crossed]
        rows = sorted(sent, key=lambda row: row[2])
        carried = sum(rows[int(name)][1] for name in over)
        first = min(rows[int(name)][2] for name in over)
        assert carried <= card.line * (max(found[name] for name in over) - first) * (1 + 1e-9) + 1.0


@given(st.lists(st.floats(0.01, 5.0), min_size=1, max_size=12), st.floats(0, 200e6))
def test_looking_changes_nothing(looks: list[float], rate: float) -> None:
    watched, unwatched = Network(), Network()
    for network in (watched, unwatched):
        network.join(passes("x", Route((A, B)), busy(rate, 4.0)), 0.0)
        network.join(passes("y", Route((A, C)), busy(rate, 2.0)), 0.0)
    found: dict[str, float] = {}
    for at in sorted(looks):
        while (ended := watched.advance(at)) is not None:
            found[ended.leg.name] = ended.at
        for name in ("x", "y"):
            if name not in found:
                leg = watched.look(name)
                assert isinstance(leg, Passes)
                assert leg.state.remaining >= 0
    assert found | ends(watched) == pytest.approx(ends(unwatched), rel=1e-6)
