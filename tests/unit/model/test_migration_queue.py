"""Whose turn it is among migrations that wait for slots, and what the others are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.migration import PRIORITIES, Limits, Queued, Slots, Waiting, may_start, rank, wait_of

HOSTS = ("h0", "h1", "h2", "h3")
Routes = list[tuple[str, str | None]]
limits_ = st.builds(Limits, st.integers(1, 6), st.integers(1, 3), st.integers(1, 3), st.none() | st.integers(1, 6))
queues = st.lists(
    st.tuples(
        st.sampled_from(HOSTS[:2]),
        st.sampled_from([None, *HOSTS[2:]]),
        st.sampled_from(sorted(PRIORITIES.values())),
        st.floats(0, 9999),
        st.booleans(),
    ),
    max_size=10,
).map(
    lambda rows: sorted(
        Queued(rank(priority, created), 0, ("default", f"m{n}"), source, target, parked)
        for n, (source, target, priority, created, parked) in enumerate(rows)
    )
)
running = st.lists(st.tuples(st.sampled_from(HOSTS), st.sampled_from(HOSTS)), max_size=4)


def slots_with(routes: Routes, limits: Limits | None = None) -> Slots:
    slots = Slots(limits or Limits())
    for source, target in routes:
        slots.take(source, target)
    return slots


def queued(name: str, source: str = "h0", target: str | None = None, *, at: float = 0, **more: bool) -> Queued:
    return Queued(at, 0, ("default", name), source, target, **more)


def names(found: list[Queued]) -> list[str]:
    return [one.name[1] for one in found]


@pytest.mark.parametrize(
    ("routes", "limits", "blocked_by", "message"),
    [
        ([("p1-3", "p1-4"), ("p1-3", "p1-5")], Limits(), "OutboundLimit", "outbound slots of p1-3: 2/2 used"),
        ([("p1-1", "p1-9"), ("p1-2", "p1-9")], Limits(), "InboundLimit", "inbound slots of p1-9: 2/2 used"),
        ([("p1-1", None)] * 5, Limits(), "ClusterLimit", "migration slots: 5/5 used"),
        ([("p1-1", None)], Limits(max_concurrent=1), "ClusterLimit", "migration slots: 1/1 used"),
        ([("p1-3", None)] * 3, Limits(), "OutboundLimit", "outbound slots of p1-3: 3/2 used"),
    ],
)
def test_who_waits_is_told_which_limit_is_in_the_way_and_its_place(
    routes: Routes, limits: Limits, blocked_by: str, message: str
) -> None:
    own = queued("m", "p1-3", "p1-9")
    told = wait_of(own, [own], slots_with(routes, limits))
    assert told == Waiting(blocked_by, 1, f"{message}; position 1")  # type: ignore[arg-type]


def test_a_move_of_another_pool_takes_slots_of_its_hosts_alone() -> None:
    slots = Slots(Limits(per_pool=1, outbound=1, inbound=1))
    slots.take_hosts("h0", "h9")
    assert not slots.full
    assert slots.blocked("h1", "h8") is None
    assert [block and block.by for block in (slots.blocked("h0", "h8"), slots.blocked("h1", "h9"))] == [
        "OutboundLimit",
        "InboundLimit",
    ]


def test_the_position_counts_those_ahead_that_wait_too() -> None:
    line = [queued(f"m{n}", at=n) for n in range(5)]
    told = wait_of(line[4], line, Slots(Limits(outbound=2)))
    assert told is not None
    assert told.position == 3
    assert told.message == "outbound slots of h0: 2/2 used; position 3"


def test_a_blocked_head_lets_others_pass() -> None:
    line = [queued("head", "h0"), queued("tail", "h2", at=1)]
    slots = slots_with([("h0", "h9")], Limits(outbound=1))
    assert names(may_start(line, slots)) == ["tail"]


def test_no_slot_is_kept_for_who_has_no_target_to_go_to_but_it_is_asked_first() -> None:
    line = [queued("parked", parked=True), queued("second", at=1), queued("third", at=2)]
    assert names(may_start(line, Slots(Limits(outbound=1)))) == ["parked", "second"]
    assert wait_of(line[1], line, Slots(Limits(outbound=1))) is None


def test_a_target_that_is_not_chosen_yet_takes_no_inbound_slot() -> None:
    line = [queued(f"m{n}", f"h{n}", None) for n in range(3)]
    assert len(may_start(line, Slots(Limits(inbound=1)))) == 3


@pytest.mark.parametrize(
    ("later", "first"),
    [(0, "urgent"), (80 * 30 - 1, "urgent"), (80 * 30 + 1, "old")],
    ids=["fresh", "almost", "aged-by-80-points"],
)
def test_waiting_raises_the_priority_until_nothing_starves(later: float, first: str) -> None:
    line = sorted([queued("old", at=rank(20, 0)), queued("urgent", at=rank(100, later))])
    assert names(may_start(line, Slots(Limits(max_concurrent=1)))) == [first]


@given(queues, limits_, running)
def test_who_may_start_keeps_the_limits_and_only_they_hold_anybody_back(
    line: list[Queued], limits: Limits, routes: Routes
) -> None:
    started = [one for one in may_start(line, slots_with(routes, limits)) if not one.parked]
    after = [*routes, *((one.source, one.target) for one in started)]
    if started:
        assert len(after) <= limits.concurrent
    for one in started:
        assert sum(source == one.source for source, _ in after) <= limits.outbound
        assert one.target is None or sum(target == one.target for _, target in after) <= limits.inbound
    rest = [one for one in line if one not in started]
    assert may_start([one for one in rest if not one.parked], slots_with(after, limits)) == []


@given(queues, limits_, running)
def test_each_alone_learns_what_the_whole_line_would_say(line: list[Queued], limits: Limits, routes: Routes) -> None:
    told = {one: wait_of(one, line, slots_with(routes, limits)) for one in line}
    started = [one for one, waiting in told.items() if waiting is None]
    assert started == may_start(line, slots_with(routes, limits))
    positions = [waiting.position for waiting in told.values() if waiting is not None]
    assert positions == sorted(positions)
