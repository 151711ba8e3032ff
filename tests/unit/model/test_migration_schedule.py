"""Many moves over few slots: the plan made beforehand, and the queue at run time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.migration import PRIORITIES, Active, Limits, Move, Queued, admit, schedule

HOSTS = ("h0", "h1", "h2", "h3")
limits_ = st.builds(Limits, st.integers(1, 6), st.integers(1, 3), st.integers(1, 3), st.none() | st.integers(1, 6))
move_lists = st.lists(
    st.builds(
        lambda source, hop, duration, priority: (
            HOSTS[source],
            HOSTS[(source + hop) % 4],
            duration,
            priority,
        ),
        st.integers(0, 3),
        st.integers(1, 3),
        st.sampled_from([0.0, 1.0, 2.0, 3.5, 10.0]),
        st.sampled_from(sorted(PRIORITIES.values())),
    ),
    max_size=15,
).map(lambda rows: [Move(f"m{n}", s, t, d, 0.1, 1, p) for n, (s, t, d, p) in enumerate(rows)])
queues = st.lists(
    st.tuples(
        st.sampled_from(HOSTS[:2]),
        st.sampled_from([None, *HOSTS[2:]]),
        st.sampled_from([100, 50, 20]),
        st.floats(0, 9999),
    ),
    max_size=10,
).map(lambda rows: [Queued(f"m{n}", s, t, p, w) for n, (s, t, p, w) in enumerate(rows)])


def move(name: str, source: str, target: str, duration: float, priority: int = 50) -> Move:
    return Move(name, source, target, duration, 0.1, 1, priority)


def test_five_moves_out_of_one_host_run_two_at_a_time() -> None:
    moves = [move(f"m{n}", "h0", f"t{n}", 10) for n in range(5)]
    planned = schedule(moves, Limits())
    assert planned.starts == (0, 0, 10, 10, 20)
    assert planned.waves == (("m0", "m1"), ("m2", "m3"), ("m4",))
    assert planned.makespan == 30


def test_a_move_behind_a_blocked_one_starts_if_it_can() -> None:
    moves = [move("a", "h0", "h1", 10), move("b", "h0", "h1", 10), move("c", "h2", "h3", 10)]
    assert schedule(moves, Limits(outbound=1)).starts == (0, 10, 0)


def test_more_important_moves_start_first_and_equal_ones_as_listed() -> None:
    moves = [move("a", "h0", "h1", 1, 20), move("b", "h0", "h1", 1, 100), move("c", "h0", "h1", 1, 100)]
    assert schedule(moves, Limits(max_concurrent=1)).waves == (("b",), ("c",), ("a",))


def test_no_moves_take_no_time() -> None:
    planned = schedule([], Limits())
    assert (planned.starts, planned.waves, planned.makespan) == ((), (), 0)


@given(move_lists, limits_)
def test_a_schedule_never_exceeds_its_limits(moves: list[Move], limits: Limits) -> None:
    planned = schedule(moves, limits)
    for instant in planned.starts:
        running = [m for m, start in zip(moves, planned.starts, strict=True) if start <= instant < start + m.duration]
        assert len(running) <= limits.per_pool
        assert limits.max_concurrent is None or len(running) <= limits.max_concurrent
        for host in HOSTS:
            assert sum(m.source == host for m in running) <= limits.outbound
            assert sum(m.target == host for m in running) <= limits.inbound


@given(move_lists, limits_)
def test_a_move_starts_at_the_beginning_or_when_another_ends(moves: list[Move], limits: Limits) -> None:
    planned = schedule(moves, limits)
    ends = {start + m.duration for m, start in zip(moves, planned.starts, strict=True)}
    assert all(start == 0 or start in ends for start in planned.starts)
    assert planned.makespan == max(ends, default=0)
    assert planned.makespan <= sum(m.duration for m in moves)


@given(move_lists, limits_)
def test_every_move_is_in_one_wave_and_waves_follow_each_other(moves: list[Move], limits: Limits) -> None:
    planned = schedule(moves, limits)
    start_of = {m.name: start for m, start in zip(moves, planned.starts, strict=True)}
    assert sorted(name for wave in planned.waves for name in wave) == sorted(start_of)
    assert all(len({start_of[name] for name in wave}) == 1 for wave in planned.waves)
    begins = [start_of[wave[0]] for wave in planned.waves]
    assert begins == sorted(set(begins))


@pytest.mark.parametrize("field", ["per_pool", "outbound", "inbound", "max_concurrent"])
def test_a_limit_that_nothing_could_pass_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Limits(**{field: 0})


def test_a_move_cannot_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="duration"):
        move("a", "h0", "h1", -1)


@pytest.mark.parametrize(
    ("active", "limits", "blocked_by", "message"),
    [
        (
            [Active("p1-3", "p1-4"), Active("p1-3", "p1-5")],
            Limits(),
            "OutboundLimit",
            "outbound slots of p1-3: 2/2 used; position 1",
        ),
        (
            [Active("p1-1", "p1-9"), Active("p1-2", "p1-9")],
            Limits(),
            "InboundLimit",
            "inbound slots of p1-9: 2/2 used; position 1",
        ),
        ([Active("p1-1", None)] * 5, Limits(), "ClusterLimit", "migration slots: 5/5 used; position 1"),
        (
            [Active("p1-1", None)],
            Limits(max_concurrent=1),
            "ClusterLimit",
            "migration slots: 1/1 used; position 1",
        ),
        (
            [Active("p1-3", None)] * 3,
            Limits(),
            "OutboundLimit",
            "outbound slots of p1-3: 3/2 used; position 1",
        ),
    ],
)
def test_a_blocked_migration_says_which_limit_it_waits_for(
    active: list[Active], limits: Limits, blocked_by: str, message: str
) -> None:
    admission = admit([Queued("m", "p1-3", "p1-9", 50, 0)], active, limits)
    assert admission.start == ()
    assert [(w.blocked_by, w.message) for w in admission.waiting] == [(blocked_by, message)]


def test_a_blocked_head_lets_others_pass() -> None:
    queue = [Queued("head", "h0", "h1", 100, 0), Queued("tail", "h2", "h3", 20, 0)]
    admission = admit(queue, [Active("h0", "h9")], Limits(outbound=1))
    assert admission.start == ("tail",)
    assert [w.name for w in admission.waiting] == ["head"]


def test_a_target_that_is_not_chosen_yet_takes_no_inbound_slot() -> None:
    queue = [Queued(f"m{n}", f"h{n}", None, 50, 0) for n in range(3)]
    assert admit(queue, [], Limits(inbound=1)).start == ("m0", "m1", "m2")


@pytest.mark.parametrize(
    ("waited", "first"),
    [(0, "urgent"), (80 * 30 - 1, "urgent"), (80 * 30, "old")],
    ids=["fresh", "almost", "aged-by-80-points"],
)
def test_waiting_raises_the_priority_until_nothing_starves(waited: float, first: str) -> None:
    queue = [Queued("old", "h0", "h1", 20, waited), Queued("urgent", "h0", "h1", 100, 0)]
    assert admit(queue, [], Limits(max_concurrent=1)).start == (first,)


def test_of_equal_priorities_the_longest_wait_starts_first() -> None:
    queue = [Queued("a", "h0", "h1", 50, 1), Queued("b", "h0", "h1", 50, 2)]
    assert admit(queue, [], Limits(max_concurrent=1)).start == ("b",)


@given(queues, limits_, st.lists(st.builds(Active, st.sampled_from(HOSTS), st.sampled_from(HOSTS)), max_size=4))
def test_admission_keeps_the_limits_and_holds_back_only_what_they_forbid(
    queue: list[Queued], limits: Limits, active: list[Active]
) -> None:
    admission = admit(queue, active, limits)
    started = [q for q in queue if q.name in admission.start]
    after = [*active, *(Active(q.source, q.target) for q in started)]
    if started:
        assert len(after) <= limits.concurrent
    for q in started:
        assert sum(a.source == q.source for a in after) <= limits.outbound
        assert q.target is None or sum(a.target == q.target for a in after) <= limits.inbound
    # Nothing that waits could start beside what runs now.
    assert admit([q for q in queue if q not in started], after, limits).start == ()
    assert [w.position for w in admission.waiting] == list(range(1, len(admission.waiting) + 1))
    assert len(started) + len(admission.waiting) == len(queue)


@given(queues, limits_)
def test_admission_does_not_depend_on_the_order_of_the_queue(queue: list[Queued], limits: Limits) -> None:
    assert admit(queue, [], limits) == admit(queue[::-1], [], limits)
